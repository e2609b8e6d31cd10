"""One object as LIST learns from it: a picture, a cloud on its surface, points with signed distances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from ...errors import InputError
from .samples import drawn_counts

Draw = Callable[[int, int], np.ndarray]
"""(rows, count) -> that many row numbers, with replacement."""


@dataclass(frozen=True)
class DrawOptions:
    """What is drawn of an object.

    Attributes:
        fractions: of `total`, drawn at each offset from the surface; they need not add up to 1.
        total: number of points that the fractions are of.
    """

    fractions: tuple[float, ...] = (0.45, 0.44, 0.10)
    total: int = 32_768

    def __post_init__(self) -> None:
        if self.total < 1 or min(self.fractions, default=-1) < 0 or sum(self.counts) == 0:
            raise InputError(f"Points are drawn by fractions {self.fractions} of {self.total}: that gives none.")

    @property
    def counts(self) -> list[int]:
        """Points at each offset."""
        return drawn_counts(self.fractions, self.total)


@dataclass(frozen=True, eq=False)
class ShapeItem:
    """A picture and points of its object.

    Attributes:
        picture: sRGB bytes, black around the object where it was cut out.
        cloud: points, even over the surface.
        points: in the unit box.
        sdf: of `points`, negative inside.
    """

    picture: UInt8[np.ndarray, "h w 3"]
    cloud: Float[np.ndarray, "m 3"]
    points: Float[np.ndarray, "n 3"]
    sdf: Float[np.ndarray, " n"]


@runtime_checkable
class ShapeObjects(Protocol):
    """A data set of shapes with pictures."""

    def __len__(self) -> int: ...

    def item(self, index: int, options: DrawOptions, draw: Draw) -> ShapeItem:
        """One object with a picture and points drawn by `draw`."""
        ...


def drawn_near(
    near: Sequence[Float[np.ndarray, "_ 4"]], counts: Sequence[int], draw: Draw
) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, " n"]]:
    """Rows of every offset's points, drawn with replacement in the order of the offsets.

    Raises:
        InputError: there are not as many offsets as counts.
    """
    if len(near) != len(counts):
        raise InputError(f"There are points at {len(near)} offsets and fractions for {len(counts)}; give as many.")
    rows = np.concatenate([part[draw(len(part), count)] for part, count in zip(near, counts, strict=True)])
    return np.ascontiguousarray(rows[:, :3]), np.ascontiguousarray(rows[:, 3])


def drawing(generator: torch.Generator) -> Draw:
    """Draws of a torch generator."""

    def draw(rows: int, count: int) -> np.ndarray:
        return torch.randint(rows, (count,), generator=generator).numpy()

    return draw


def resized(pixels: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "rows columns 3"]:
    """A picture as a square of so many pixels, whatever its shape, as Pix3D's are brought to one; 0 leaves it."""
    if side in (0, pixels.shape[0]) and side in (0, pixels.shape[1]):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))


def as_tensor(picture: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 h w"]:
    """A picture as the networks take it."""
    return torch.from_numpy(picture.astype(np.float32) / np.float32(255)).permute(2, 0, 1).contiguous()
