"""Options of a NeRF: the frequency network and how its rays are sampled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ...errors import InputError
from ...ranges import require_ranges
from ...render import RaySampling


@dataclass(frozen=True)
class FrequencyNetwork:
    """The two networks of NeRF (Mildenhall et al. 2020, section 5 and figure 7).

    Attributes:
        frequencies: of the encoding of positions.
        direction_frequencies: of the encoding of view directions.
        depth: layers before the density.
        width: of each layer.
    """

    frequencies: int = 10
    direction_frequencies: int = 4
    depth: int = 8
    width: int = 256

    def __post_init__(self) -> None:
        require_ranges(
            self, "NeRF's", frequencies=(0, 32), direction_frequencies=(0, 32), depth=(1, 64), width=(2, 4096)
        )


@dataclass(frozen=True)
class TwoPass:
    """How rays are sampled by a coarse and a fine network.

    Attributes:
        near: where rays begin, in lengths of their directions.
        far: where rays end, in lengths of their directions.
        coarse: samples that are evenly spread.
        fine: samples drawn where the coarse network found something.
        linear_disparity: spread the coarse samples evenly in 1 / distance.
        white: whether what rays pass through to is white; otherwise it is black.
        density_noise: standard deviation of what is added to the raw density in training.
        ndc: (2 focal / width, 2 focal / height) of forward-facing scenes, whose rays are turned into normalised device
            coordinates of a camera at the origin that looks along -z (Mildenhall et al. 2020, appendix C); None for no
            such change.
    """

    near: float = 2.0
    far: float = 6.0
    coarse: int = 64
    fine: int = 128
    linear_disparity: bool = False
    white: bool = True
    density_noise: float = 0.0
    ndc: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        require_ranges(
            self, "NeRF's", near=(0.0, 1e6), far=(0.0, 1e6), coarse=(3, 4096), fine=(0, 4096), ndc=(1e-6, 1e6)
        )
        require_ranges(self, "NeRF's", density_noise=(0.0, 1e6))
        if not 0 <= self.near < self.far:
            raise InputError(f"NeRF's rays go from {self.near} to {self.far}; near must be below far.")
        if self.linear_disparity and self.near <= 0:
            raise InputError("Samples that are even in disparity need near above 0.")

    @property
    def rays(self) -> RaySampling:
        """The same as the pipeline takes it."""
        return RaySampling(
            coarse=self.coarse,
            fine=self.fine,
            spread="disparity" if self.linear_disparity else "linear",
            strata="ends",
            intervals="next",
            last="endless",
            importance="inner",
            background=(float(self.white),) * 3,
        )


@dataclass(frozen=True)
class NerfConfig:
    """A NeRF of one scene.

    Attributes:
        network: sizes of the coarse and of the fine network.
        sampling: of rays.
        up: the axis of the network's own world that points up; the house's world has y up.
        bounds: lower and upper corner of the box, in the network's world, outside which there is nothing.
        sphere: centre and radius in the network's world: rays begin where they enter it, `sampling` counts from there,
            and rays that miss it see the background; None for rays that begin at their origins.
    """

    network: FrequencyNetwork = field(default_factory=FrequencyNetwork)
    sampling: TwoPass = field(default_factory=TwoPass)
    up: Literal["y", "z"] = "z"
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]] = ((-1.5, -1.5, -1.5), (1.5, 1.5, 1.5))
    sphere: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        require_ranges(self, "NeRF's", sphere=(-1e6, 1e6))
        for low, high in zip(*self.bounds, strict=True):
            if not -1e6 <= low < high <= 1e6:
                raise InputError(f"NeRF's bounds go from {low} to {high}; the lower must be below the upper.")
        if self.sphere is not None and not self.sphere[3] > 0:
            raise InputError(f"NeRF's sphere has the radius {self.sphere[3]}; it must be positive.")
