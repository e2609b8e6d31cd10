"""LIST's answer as a field in the world, coloured by the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...mesh.sdf_grid import Distance
from ...nn.field import Field
from ...scene.outline import Outline
from ...scene.photo_colors import photo_colors


@dataclass(frozen=True, eq=False, repr=False)
class ListField(Field):
    """world = scale (box - centre), inside the sphere of radius 0.5.

    Attributes:
        distance: signed distances in the unit box.
        center: of the object in the box.
        scale: of the object in the box.
        slope: by which distances are divided, so that they change by no more than the way.
        limits: lower and upper corner of the object in the world, with a margin.
        camera: of the working photo.
        photo: its colours, continued beyond the mask; 0..1.
        outline: of the mask, beyond which there is nothing; None where it does not carve.
    """

    kind: ClassVar[Literal["sdf"]] = "sdf"

    distance: Distance
    center: Float[Tensor, " 3"]
    scale: float
    slope: float
    limits: Float[Tensor, "2 3"]
    camera: Camera
    photo: Float[Tensor, "3 h w"]
    outline: Outline | None = None

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """A box around the object."""
        return self.limits

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance in world units, negative inside; smaller where the network exaggerates."""
        found = self.scale / self.slope * self.distance(points / self.scale + self.center)
        return found if self.outline is None else torch.maximum(found, -self.outline.world(points))

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """The photo's colour where the camera sees the point, or would see it through the object."""
        del directions
        return photo_colors(points, self.camera, self.photo)
