"""Options of a scene on a hash grid."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...errors import InputError
from ...nn.hashgrid import GridOptions
from ...ranges import require_ranges
from ...renamed import renamed


@renamed(log2_rows="log2_hashmap_size", told="geo_features")
@dataclass(frozen=True)
class HashNetwork:
    """Grid and networks (Instant NGP, section 5.4), in sizes that a CPU trains in minutes.

    Attributes:
        levels: of resolution.
        features: at each corner.
        base: cells along an axis of the coarsest level.
        finest: cells along an axis of the finest level.
        log2_hashmap_size: binary logarithm of the corners that a level stores; more are hashed.
        hidden: width of the density network's one hidden layer.
        geo_features: numbers that the density network gives the colour network.
        color_hidden: width of the colour network's layers.
        color_layers: hidden layers of the colour network.
        degree: of the spherical harmonics of the view direction.
    """

    levels: int = 6
    features: int = 4
    base: int = 16
    finest: float = 512.0
    log2_hashmap_size: int = 18
    hidden: int = 32
    geo_features: int = 15
    color_hidden: int = 32
    color_layers: int = 2
    degree: int = 4

    def __post_init__(self) -> None:
        require_ranges(
            self, "A scene's", hidden=(1, 1024), geo_features=(1, 1024), color_hidden=(1, 1024), color_layers=(0, 16)
        )
        require_ranges(self, "A scene's", degree=(1, 8))
        _ = self.grid()  # which has ranges of its own

    def grid(self) -> GridOptions:
        """Layout of the encoding."""
        return GridOptions(3, self.levels, self.features, self.base, self.finest, self.log2_hashmap_size, "hash")


@renamed(centre="center", thickest="density_threshold")
@dataclass(frozen=True)
class HashConfig:
    """A scene on a hash grid, within a sphere.

    The grid's own unit makes the content's radius 0.5.

    Attributes:
        network: grid and networks.
        center: of the content, in the world.
        radius: of the content, in the world.
        margin: of the sphere that is rendered, in radii of the content.
        cells: of the occupancy grid along an axis.
        density_threshold: density, in the grid's unit, from which a cell is always occupied.
        steps: along the diameter of the sphere.
        background: behind the sphere: white, black, or learned for each direction.
        photos: whose exposure and white balance is learned, as a gain of each colour; the scene has that of their mean.
    """

    network: HashNetwork = field(default_factory=HashNetwork)
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 0.5
    margin: float = 1.1
    cells: int = 128
    density_threshold: float = 2.0
    steps: int = 128
    background: Literal["white", "black", "learned"] = "learned"
    photos: int = 0

    def __post_init__(self) -> None:
        require_ranges(self, "A scene's", center=(-1e6, 1e6), radius=(1e-6, 1e6), margin=(0.1, 100.0), cells=(8, 512))
        require_ranges(self, "A scene's", density_threshold=(1e-6, 1e6), steps=(8, 8192), photos=(0, 1_000_000))
        if not (self.radius > 0 and self.margin > 0):
            raise InputError(f"A scene of radius {self.radius} and margin {self.margin}; both must be positive.")
        if self.steps < 8:
            raise InputError(f"A scene's rays take {self.steps} steps; give at least 8.")
