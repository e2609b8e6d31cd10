"""Sizes of `lift`, and how it is used."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InputError
from ...ranges import require_ranges
from ...weights import shipped

SHIPPED = shipped()["lift"]
SHIPPED_WORD = "shipped"  # the weights that ship, where a folder of weights is asked for
STEPS = 2000  # of refinement, at most


def weights_folder(source: str) -> str:
    """The folder of weights, or hub id, that a word means: "" and "shipped" are those that ship."""
    return str(SHIPPED.folder) if source in ("", SHIPPED_WORD) else source


@dataclass(frozen=True)
class LiftConfig:
    """The network's sizes.

    Attributes:
        image_size: side of the crop that the encoder sees, in pixels; half of it is the side of the depth maps.
            Training begins with smaller crops: the network takes any multiple of sixteen.
        channels: of the feature maps at a half, a quarter, an eighth and a sixteenth of the crop's size.
        attention: transformer blocks on the coarsest map.
        heads: of their attention.
        dropout: share of the channels of the coarsest map that training leaves out, and hypotheses too.
        zoom: how many times finer the crop is from which EfficientNet-Lite0 tells features; 0 for a network without it,
            2 for one with it: the levels of both are then of the same size.
        hollows: whether the free stretch between front and back is told.
        mirrors: upright planes, half a turn in equal steps, of which the network tells whether they mirror the object.
        camera_outputs: 1, the camera's elevation; older weights have 2, and the second, its angle of view, is unused.
    """

    image_size: int = 96
    channels: tuple[int, ...] = (32, 64, 128, 192)
    attention: int = 2
    heads: int = 8
    dropout: float = 0.05
    zoom: int = 0
    hollows: bool = False
    mirrors: int = 0
    camera_outputs: int = 2

    def __post_init__(self) -> None:
        require_ranges(self, "lift's", image_size=(32, 1024), channels=(8, 2048), attention=(0, 64), heads=(1, 256))
        require_ranges(self, "lift's", dropout=(0.0, 0.2), zoom=(0, 2), mirrors=(0, 360), camera_outputs=(1, 2))
        if len(self.channels) != 4 or any(width % 8 for width in self.channels) or self.image_size % 16:
            raise InputError(
                f"lift's channels are {self.channels} and its image_size is {self.image_size}; give four multiples of "
                "8 and a multiple of 16."
            )
        if self.zoom == 1:
            raise InputError("lift's zoom is 1; give 2, or 0 for no backbone.")
        if self.channels[-1] % self.heads:
            raise InputError(f"lift's heads are {self.heads}, which do not divide its {self.channels[-1]} channels.")

    @property
    def crop_size(self) -> int:
        """Side of the crop that the whole network takes, in pixels."""
        return self.image_size * max(self.zoom, 1)


@dataclass(frozen=True)
class LiftOptions:
    """How the network is used.

    Attributes:
        refine: steps of refinement on the photo itself; 0 takes the first guess.
        seeds: hypotheses, ranked by how well they explain the photo; the first uses the whole network, others leave
            out random features.
        weights: folder or hub id of the network; empty or shipped: the weights that ship with monoform.
        fov: vertical field of view of the photo in degrees, used where neither EXIF nor `focal` tells it.
        mirror: whether a plane that mirrors the object, where one is found, tells the hidden side.
        upright: whether the solid is turned upright by the elevation that the network sees; else the photo's up is up.
    """

    refine: int = 40
    seeds: int = 1
    weights: str = ""
    fov: float = 35.0
    upright: bool = True
    mirror: bool = False

    def __post_init__(self) -> None:
        require_ranges(self, "lift's", refine=(0, STEPS), seeds=(1, 16), fov=(1, 120))
