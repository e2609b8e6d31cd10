"""Options of the radiance field that one photo is fitted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...errors import InputError
from ...nn.hashgrid import GridOptions
from ...ranges import require_ranges
from ...render.march import MarchOptions


@dataclass(frozen=True)
class FieldConfig:
    """A grid of features with a small network, in a box around the origin.

    The defaults differ from the published ones in `kind` and `log2_hashmap_size`; `PUBLISHED_FIELD` has
    those.

    Attributes:
        bound: half the side of the box, in world units.
        levels: of resolution of the grid.
        resolution: cells of the finest level along an axis of the cube of side 2.
        base: cells of the coarsest level along an axis of the box.
        features: at each corner.
        log2_hashmap_size: binary logarithm of the corners that a level stores.
        kind: what happens to levels with more corners: "hash", or "tiled", whose finest levels do not see z at all.
        hidden: width of the network's hidden layers.
        layers: of the network.
        background_hidden: width of the network of the background; 0: there is none, and what is behind is plain.
        background_layers: of the network of the background.
        background_frequencies: octaves of a ray's direction that it sees.
        blob_density: added to the logarithm of the density at the origin, so that something is there to begin with.
        blob_radius: of that bump, in world units.
        density_gradient_limit: logarithm of the density from which its gradient grows no more.
        cells: of the occupancy grid along an axis.
        density_threshold: density, per world unit, from which a cell is always occupied.
        steps: of a ray, across the cube of side 2.
        step_growth: of the steps with the distance; 0 for equal ones.
        nearest: least distance at which rays begin, in world units.
        normals: "differences": central differences of the density, as published, which even out what is finer;
            "analytic": the exact slope, without their six further looks at the field.
        normal_epsilon: reach of those differences, in world units.
        mirrored: the world of the authors' checkpoints, which is a mirror image: x is negated.
    """

    bound: float = 0.75
    levels: int = 16
    resolution: int = 2048
    base: int = 16
    features: int = 2
    log2_hashmap_size: int = 18
    kind: Literal["hash", "tiled"] = "hash"
    hidden: int = 64
    layers: int = 3
    background_hidden: int = 64
    background_layers: int = 2
    background_frequencies: int = 6
    blob_density: float = 5.0
    blob_radius: float = 0.2
    density_gradient_limit: float = 15.0
    cells: int = 128
    density_threshold: float = 10.0
    steps: int = 512
    step_growth: float = 0.0
    nearest: float = 0.2
    normals: Literal["differences", "analytic"] = "differences"
    normal_epsilon: float = 0.01
    mirrored: bool = False

    def __post_init__(self) -> None:
        whose = "realfusion's"
        require_ranges(self, whose, bound=(1e-3, 1e3), resolution=(16, 65536), hidden=(1, 1024), layers=(1, 16))
        require_ranges(self, whose, background_hidden=(0, 1024), background_layers=(1, 16))
        require_ranges(self, whose, background_frequencies=(0, 24), blob_density=(-100, 100), blob_radius=(1e-3, 1e3))
        require_ranges(self, whose, density_gradient_limit=(1, 80), cells=(8, 512), density_threshold=(1e-6, 1e6))
        require_ranges(self, whose, steps=(8, 8192), step_growth=(0, 1), nearest=(0, 1e3), normal_epsilon=(1e-6, 1.0))
        for name, known in (("kind", ("hash", "tiled")), ("normals", ("differences", "analytic"))):
            if getattr(self, name) not in known:
                raise InputError(f"realfusion's {name} is {getattr(self, name)!r}; choose one of {', '.join(known)}.")
        _ = self.grid()  # which has ranges of its own

    def grid(self) -> GridOptions:
        """Layout of the encoding."""
        finest = max(self.resolution * self.bound, float(self.base))
        return GridOptions(3, self.levels, self.features, self.base, finest, self.log2_hashmap_size, self.kind)

    def march(self) -> MarchOptions:
        """Steps along rays."""
        return MarchOptions(self.steps, self.step_growth, self.nearest)


PUBLISHED_FIELD = FieldConfig(log2_hashmap_size=16, kind="tiled", mirrored=True)
"""That of the authors' checkpoints."""
