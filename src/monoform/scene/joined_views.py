"""Several views of one object, each reconstructed alone: the guess that fits all masks best, within all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity, grid_sample

from ..camera import Camera
from ..errors import InputError
from ..mesh import extract, largest
from ..mesh.raycast import caster_of
from ..nn.field import Field
from .along_rays import SmallMask, StretchedField, fitted, inside_of, moved
from .common_camera import in_common_world
from .outline import Outline
from .photo_camera import working_camera
from .reconstructed import Provenance, View
from .reconstruction import Reconstruction
from .single_view import cleaned

ROOM = 0.02  # world units around the object
LOOK = 128  # cells along the object at which a view's own surface is found, to know what it sees
SIDE = 256  # pixels of the longer side of what it sees
SLACK = 0.005  # world units beyond a mask that are not carved
UNSEEN = 0.2  # what a view's color counts behind the surface that it sees, against 1 in front of it
SOFT = 0.03  # world units behind the surface over which it falls to that
SIDED = 6  # power of the share of a view in the colors
GIVEN = "The pose is given: none is fitted."


@dataclass(frozen=True, eq=False)
class OwnView:
    """What a view says of the object, in the common world.

    Attributes:
        field: signed distance and color, as it guesses them alone.
        camera: that sees it, of the size of `distance`.
        distance: along unit rays to its own surface; infinity where it sees none.
        surface: points of its surface.
    """

    field: Field
    camera: Camera
    distance: Float[Tensor, "h w"]
    surface: Float[Tensor, "n 3"]

    @property
    def box(self) -> Float[Tensor, "2 3"]:
        """Lower and upper corner of its surface."""
        return torch.stack((self.surface.amin(0), self.surface.amax(0)))

    @classmethod
    def of(cls, found: Reconstruction) -> OwnView:
        """What a reconstruction of one view says."""
        camera = found.camera
        shrunk = min(1.0, SIDE / max(camera.width, camera.height))
        small = camera.resized(max(8, round(camera.width * shrunk)), max(8, round(camera.height * shrunk)))
        mesh = largest(extract(found.field, resolution=LOOK), n=found.parts)
        origins, directions = (rays[0].double().numpy() for rays in small.rays())
        hits = caster_of(mesh).cast(origins, directions)
        distance = np.where(hits.hit, hits.t, np.inf).reshape(small.height, small.width)
        surface = torch.from_numpy(mesh.vertices).float()
        return cls(found.field, small, torch.from_numpy(distance).float(), surface)

    def fitted_to(self, others: Sequence[SmallMask]) -> OwnView:
        """The same, moved and stretched along its rays until other views' masks show its outline."""
        eye = self.camera.position[0]
        stretch = fitted(self.field, self.box, eye, others)
        if stretch is None:
            return self
        field, surface = StretchedField(self.field, eye, stretch), moved(self.surface, eye, stretch)
        return OwnView(field, self.camera, stretch.after(self.distance), surface)

    def trust(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """How far its guess is seen and not imagined: 1 before its surface and outside its mask, `UNSEEN` behind."""
        pixels, depth = (each[0] for each in self.camera.project(points[None]))
        coords = 2 * pixels / pixels.new_tensor([self.camera.width, self.camera.height]) - 1
        inside = (depth > 0) & (coords.abs() <= 1).all(-1)
        far = self.distance.clamp_max(1e6)[None, None]
        seen = grid_sample(far, coords.nan_to_num()[None, None], mode="nearest", align_corners=False)[0, 0, 0]
        behind = (points - self.camera.position[0]).norm(dim=-1) - seen
        trust = UNSEEN + (1 - UNSEEN) * torch.exp(-behind.clamp_min(0) / SOFT)
        return torch.where(inside, trust, UNSEEN)

    def side(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Whether points lie on the camera's side of the object's center: 1, or on the other: next to 0."""
        cosine = cosine_similarity(points, self.camera.position, dim=-1)
        return (0.5 + 0.5 * cosine).clamp_min(1e-3) ** SIDED


@dataclass(frozen=True, eq=False, repr=False)
class JoinedField(Field):
    """The guess of one view within the masks of all, in the colors of those that see a point.

    Attributes:
        views: what they say.
        chosen: number of the view whose guess of the shape is taken.
        outlines: of the masks.
        limits: lower and upper corner of a box around the object.
    """

    kind: ClassVar[Literal["sdf"]] = "sdf"

    views: tuple[OwnView, ...]
    chosen: int
    outlines: tuple[Outline, ...]
    limits: Float[Tensor, "2 3"]

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """The box."""
        return self.limits

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Signed distance, about in world units, negative inside."""
        found = self.views[self.chosen].field.geometry(points)
        for outline in self.outlines:
            found = torch.maximum(found, -outline.world(points) - SLACK)
        return found

    def values(
        self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None
    ) -> Float[Tensor, "n 3"]:
        """sRGB 0..1, of those that see the point and on whose side of the object it lies."""
        del directions
        trusts = torch.stack([view.trust(points) * view.side(points) for view in self.views])[..., None]
        told = torch.stack([view.field.values(points)[:, :3] for view in self.views])
        return ((trusts * told).sum(0) / trusts.sum(0)).clamp(0, 1)


def joined(
    views: Sequence[View], alone: Callable[[View], Reconstruction], provenance: Provenance, *, parts: int = 0
) -> Reconstruction:
    """One object from photos whose cameras are known, of which each is reconstructed alone first.

    What a view guesses is turned into the common world. How far away and how thick the object is, one photo does not
    tell: its center is taken to be as far as the world's origin, and is then moved and stretched along the rays until
    it fits the other photos' masks (`along_rays`). Of these guesses the one that fits all masks best is taken, and what
    lies outside a mask is carved away (Laurentini 1994); the texture is painted from all photos. Averages of the
    guesses are worse than one photo's: their errors are not alike, and what is thin vanishes between them.

    Args:
        views: photos with masks and cameras, in a world whose origin is the object's center.
        alone: reconstructs a view whose camera tells the intrinsics alone.
        provenance: of the result.
        parts: separate solids of the object; 0: as many as most masks show.

    Raises:
        InputError: a view lacks its mask or its camera, or cannot be used.
    """
    placed, kept, counted = [], [], []
    for number, view in enumerate(views, start=1):
        if view.photo.mask is None or view.camera is None:
            raise InputError(
                f"View {number} ({view.photo.name}) lacks its mask or its camera: several views need both."
            )
        photo, silhouette = cleaned(view.photo)
        camera = view.camera
        known = Camera(torch.eye(4)[None], camera.intrinsics, camera.width, camera.height)
        found = alone(View(photo, known))
        placed.append(OwnView.of(in_common_world(found, camera)))
        kept.append(View(photo, camera, view.covariance if not isinstance(view.covariance, str) else GIVEN))
        counted.append(silhouette.parts)
    masks = [SmallMask.of(view) for view in kept]
    told = [
        each.fitted_to([mask for other, mask in enumerate(masks) if other != number])
        for number, each in enumerate(placed)
    ]
    fits = [_fit(each, masks) for each in told]
    outlines = tuple(_outline(view) for view in kept)
    field = JoinedField(tuple(told), int(np.argmax(fits)), outlines, _limits(told))
    return Reconstruction(
        field=field,
        views=tuple(kept),
        provenance=provenance,
        parts=parts or int(np.median(counted)),
        texture="baked",
        capabilities=frozenset({"geometry", "color"}),
    )


def _fit(view: OwnView, masks: Sequence[SmallMask]) -> float:
    """Mean IoU of a guess's outline and the masks."""
    solid = inside_of(view.field, view.box)
    return float(np.mean([mask.overlap(solid) for mask in masks])) if len(solid) else 0.0


def _outline(view: View) -> Outline:
    assert view.photo.mask is not None and view.camera is not None
    return Outline.of(view.photo.mask, working_camera(view.camera, view.photo))


def _limits(views: Sequence[OwnView]) -> Float[Tensor, "2 3"]:
    """A box around all that a view takes for the object, with a margin."""
    low, high = (torch.stack([view.box[end] for view in views]) for end in (0, 1))
    return torch.stack((low.amin(0) - ROOM, high.amax(0) + ROOM))
