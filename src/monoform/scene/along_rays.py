"""A view's guess moved and stretched along its camera's rays, so that other views' masks show its outline.

One photo tells how far away and how thick an object is up to a shift and a factor; its own outline is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..camera import Camera
from ..nn.field import Field
from .photo_camera import working_camera
from .reconstructed import View

SIDE = 48  # pixels of the longer side of the masks that are looked at
DRAWN, KEPT = 60_000, 5_000  # points of the box, and of the solid at most
SHIFTS = ((-0.24, -0.16, -0.08, 0.0, 0.08, 0.16, 0.24), (-0.05, -0.025, 0.0, 0.025, 0.05))  # world units
FACTORS = ((0.4, 0.6, 0.8, 1.0, 1.3, 1.7), (0.85, 1.0, 1.18))
SHIFT_COSTS, FACTOR_COSTS = 0.02, 0.01  # of the overlap: what changes nothing else stays as it is


@dataclass(frozen=True)
class Stretch:
    """Distances r from a camera become middle + shift + factor (r - middle).

    Attributes:
        middle: of the solid, in world units.
        shift: in world units.
        factor: of its thickness.
    """

    middle: float
    shift: float = 0.0
    factor: float = 1.0

    def after(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Distances of what lay at `distance`."""
        return self.middle + self.shift + self.factor * (distance - self.middle)

    def before(self, distance: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Distances of what lies at `distance` now."""
        return self.middle + (distance - self.middle - self.shift) / self.factor


def moved(
    points: Float[Tensor, "n 3"], eye: Float[Tensor, " 3"], stretch: Stretch, *, back: bool = False
) -> Float[Tensor, "n 3"]:
    """Points after a stretch along the rays from `eye`, or before it."""
    rays = points - eye
    distance = rays.norm(dim=-1, keepdim=True).clamp_min(1e-9)
    return eye + rays / distance * (stretch.before(distance) if back else stretch.after(distance))


@dataclass(frozen=True, eq=False, repr=False)
class StretchedField(Field):
    """A signed distance stretched along rays; it changes by no more than the way.

    Attributes:
        inner: the field before.
        eye: from which the rays go.
        stretch: along them.
    """

    inner: Field
    eye: Float[Tensor, " 3"]
    stretch: Stretch

    @property
    def kind(self) -> Literal["density", "sdf"]:
        """Of the field."""
        return self.inner.kind

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box around the field's, its corners moved."""
        corners = torch.cartesian_prod(*self.inner.bounds.T)
        there = moved(corners, self.eye, self.stretch)
        return torch.stack((there.amin(0), there.amax(0)))

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance, about in world units."""
        return self.inner.geometry(moved(points, self.eye, self.stretch, back=True)) * min(self.stretch.factor, 1.0)

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n c"]:
        """Of the field."""
        return self.inner.values(moved(points, self.eye, self.stretch, back=True), directions)


@dataclass(frozen=True, eq=False)
class SmallMask:
    """A photo's mask of few pixels, with its camera."""

    camera: Camera
    mask: Bool[np.ndarray, "h w"]

    @classmethod
    def of(cls, view: View) -> SmallMask:
        """The mask of a view whose camera is known."""
        assert view.camera is not None and view.photo.mask is not None
        camera = working_camera(view.camera, view.photo)
        share = SIDE / max(camera.width, camera.height)
        size = max(8, round(share * camera.width)), max(8, round(share * camera.height))
        mask = cv2.resize(view.photo.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return cls(camera.resized(*size), mask > 0.5)

    def overlap(self, solid: Float[Tensor, "n 3"]) -> float:
        """IoU of the mask and the outline of points of a solid."""
        pixels, depth = (each[0] for each in self.camera.project(solid[None]))
        column, row = pixels[depth > 0].floor().long().unbind(-1)
        height, width = self.mask.shape
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        shown = np.zeros(self.mask.shape, np.uint8)
        shown[row[inside].numpy(), column[inside].numpy()] = 1
        closed = cv2.morphologyEx(shown, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
        return float((closed & self.mask).sum() / max(1, (closed | self.mask).sum()))


def fitted(
    field: Field, box: Float[Tensor, "2 3"], eye: Float[Tensor, " 3"], others: Sequence[SmallMask]
) -> Stretch | None:
    """The stretch with which a view's solid fits the other views' masks best; None where it has no inside.

    Args:
        field: a signed distance.
        box: around its solid.
        eye: the view's camera.
    """
    solid = inside_of(field, box)
    if not len(solid):
        return None
    distance = (solid - eye).norm(dim=-1)
    best = Stretch(float(0.5 * (distance.min() + distance.max())))
    most = _worth(solid, eye, best, others)
    for shifts, factors in zip(SHIFTS, FACTORS, strict=True):
        start = best
        for shift, factor in product(shifts, factors):
            tried = Stretch(start.middle, start.shift + shift, start.factor * factor)
            worth = _worth(solid, eye, tried, others)
            if worth > most:
                best, most = tried, worth
    return best


def inside_of(field: Field, box: Float[Tensor, "2 3"]) -> Float[Tensor, "n 3"]:
    """Points of a solid, drawn evenly, `KEPT` at most.

    Args:
        field: a signed distance.
        box: around it.
    """
    drawn = torch.rand(DRAWN, 3, generator=torch.Generator().manual_seed(0))
    points = box[0] + drawn * (box[1] - box[0])
    return points[field.geometry(points) < 0][:KEPT]


def _worth(solid: Tensor, eye: Tensor, stretch: Stretch, others: Sequence[SmallMask]) -> float:
    there = moved(solid, eye, stretch)
    overlap = float(np.mean([each.overlap(there) for each in others]))
    return overlap - SHIFT_COSTS * abs(stretch.shift) - FACTOR_COSTS * abs(float(np.log(stretch.factor)))
