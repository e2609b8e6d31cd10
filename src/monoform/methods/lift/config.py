"""Sizes of `lift`."""

from __future__ import annotations

from dataclasses import dataclass


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
    """

    image_size: int = 96
    channels: tuple[int, ...] = (32, 64, 128, 192)
    attention: int = 2
    heads: int = 8
    dropout: float = 0.05
