"""Options of `lift`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LiftConfig:
    """The network's sizes.

    Attributes:
        image_size: side of the crop that the encoder sees, in pixels.
        fine: channels of the feature map that points look up, kept thin: looking up costs as much as the network.
        middle: channels of the map at an eighth of the crop's size.
        code: numbers in the global code.
        width: channels of the point network.
        blocks: residual blocks of the point network.
        octaves: frequencies of the encoding of a point's position.
    """

    image_size: int = 96
    fine: int = 32
    middle: int = 64
    code: int = 256
    width: int = 160
    blocks: int = 3
    octaves: int = 5
