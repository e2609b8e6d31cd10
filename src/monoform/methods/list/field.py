"""LIST's answer as a field in the world, coloured by the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from ...camera import Camera
from ...nn.field import Field
from .grid import Distance


@dataclass(frozen=True, eq=False)
class ListField(Field):
    """world = scale (box - centre), inside the sphere of radius 0.5.

    Attributes:
        distance: signed distances in the unit box. centre, scale: of the object in it. slope: by which distances are
            divided, so that they change by no more than the way.
        limits: lower and upper corner of the object in the world, with a margin.
        camera: of the working photo. photo: its colours, continued beyond the mask; 0..1.
        outline: distance to the mask's outline in pixels, positive inside, beyond which there is nothing; None where
            the mask does not cut.
    """

    distance: Distance
    centre: Float[Tensor, " 3"]
    scale: float
    slope: float
    limits: Float[Tensor, "2 3"]
    camera: Camera
    photo: Float[Tensor, "3 h w"]
    outline: Float[Tensor, "h w"] | None = None

    @property
    def kind(self) -> Literal["density", "sdf"]:
        """A signed distance."""
        return "sdf"

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """A box around the object."""
        return self.limits

    @property
    def representative_direction(self) -> None:
        """Colours do not depend on the direction."""
        return None

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in world units, negative inside; smaller where the network exaggerates."""
        found = self.scale / self.slope * self.distance(points / self.scale + self.centre)
        return found if self.outline is None else torch.maximum(found, -self._within(points, self.outline))

    def _within(self, points: Float[Tensor, "n 3"], outline: Float[Tensor, "h w"]) -> Float[Tensor, " n"]:
        """How far points are inside the cone of the mask, about, in world units."""
        pixels, depth = self.camera.project(points[None])
        size = pixels.new_tensor([self.camera.width, self.camera.height])
        inside = torch.minimum(pixels[0].nan_to_num().clamp_min(0), size)
        places = 2 * inside / size - 1
        found = grid_sample(outline[None, None], places[None, None], padding_mode="border", align_corners=False)
        away = (pixels[0].nan_to_num() - inside).norm(dim=-1)
        per_pixel = depth[0] / self.camera.intrinsics[0, 0, 0]
        return torch.where(depth[0] > 0, (found[0, 0, 0] - away) * per_pixel, -1.0)

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """The photo's colour where the camera sees the point, or would see it through the object."""
        del directions
        pixels, _ = self.camera.project(points[None])
        size = pixels.new_tensor([self.camera.width, self.camera.height])
        places = (2 * pixels[0] / size - 1).clamp(-1, 1)
        found = grid_sample(self.photo[None], places[None, None], padding_mode="border", align_corners=False)
        return found[0, :, 0].mT
