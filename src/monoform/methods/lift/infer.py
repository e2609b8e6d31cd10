"""`lift`: from a photo with its mask to shape, camera and appearance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...scene import Photo, Provenance, Reconstruction, View
from ...scene.crop import Crop, around
from ...scene.joined_views import joined
from ...scene.outline import signed_distance, without_stairs
from ...scene.photo_camera import photo_camera, working_intrinsics
from ...scene.placing import placing
from ...scene.single_view import single_view
from ...training.weights import pretrained
from ...workers import one_thread
from ..base import MethodCard, Reconstructor
from .augmented_crops import AugmentedCrops, augmented_crops, predictions
from .config import SHIPPED, SHIPPED_WORD, LiftConfig, LiftOptions, weights_folder
from .crop import CropFrame, frame_of
from .field import FrameSolid, LiftField
from .mirror import mirrored
from .model import LiftNet, Surfaces
from .refine import refine

CITATION = """@software{monoform,
  title = {monoform: shape, camera and appearance from one photo},
  author = {{The monoform authors}},
  year = {2026},
  license = {Apache-2.0}
}"""
NO_FIT = "The shape is made in the axes of its photo's camera: no pose is fitted."
OUTLINE = 384
PAINT = 512
AUGMENTATIONS = 8


class Lift(Reconstructor):
    """A network's guess of the solid behind the photo, refined on the photo and kept to its mask."""

    several_views: ClassVar[bool] = True
    config_class: ClassVar[type] = LiftOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="lift",
        summary="a small network's guess of shape and back, refined on the photo, the photo as texture",
        needs="its weights, which ship with monoform",
        license="Apache-2.0",
        weights="lift",
        size=SHIPPED.megabytes,
        citation=(CITATION,),
    )

    def __init__(self, config: LiftOptions | None = None) -> None:
        self.config = config or LiftOptions()
        self.net = pretrained(LiftNet, LiftConfig, weights_folder(self.config.weights))

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The solid behind the photo; with several hypotheses the best, the others as its alternatives.

        Of several photos each is reconstructed alone, and what they say is joined.

        Args:
            views: one photo with its mask, with its intrinsics where known; or several with their cameras, in a world
                whose origin is the object's center.
            generator: of the hypotheses after the first.

        Raises:
            InputError: a view has no mask, or one of several no camera.
        """
        if len(views) > 1:
            alone = partial(self._alone, generator=generator)
            return joined(views, alone, self._provenance(None))
        view, silhouette = single_view(views, "lift")
        photo = view.photo
        with torch.inference_mode(False), torch.no_grad(), one_thread():
            intrinsics = working_intrinsics(photo, view.camera, math.radians(self.config.fov)).float().clone()
            camera = Camera(torch.eye(4)[None], intrinsics, *photo.size)
            crop = around(torch.from_numpy(photo.mask)[None])
            outline = outline_of(photo, crop)
            front = crop.cut(torch.from_numpy(photo.filled()).float().permute(2, 0, 1)[None], PAINT)
            crops = augmented_crops(photo, crop, self.net.config.crop_size, self._augmentations(), generator=generator)
            found = [
                self._reconstruction(surfaces, front, photo, camera, crop, outline, silhouette.parts, fit)
                for surfaces, fit in self._hypotheses(crops, generator, camera)
            ]
        return replace(found[0], alternatives=tuple(found[1:]))

    def _alone(self, view: View, *, generator: torch.Generator) -> Reconstruction:
        return self.reconstruct([view], generator=generator)

    def _provenance(self, fit: dict[str, float] | None) -> Provenance:
        return Provenance(
            "lift",
            self.config,
            weights={"source": SHIPPED.title if self.config.weights in ("", SHIPPED_WORD) else self.config.weights},
            citation=self.card.citation,
            fit=fit,
        )

    def _augmentations(self) -> int:
        return AUGMENTATIONS if self.config.refine else 1

    def _hypotheses(
        self, crops: AugmentedCrops, generator: torch.Generator, camera: Camera
    ) -> list[tuple[Surfaces, dict[str, float]]]:
        """Predictions and figures of their fits, the best first."""
        found = []
        slope = float(crops.crop.half[0] / camera.intrinsics[0, 1, 1])
        for number in range(self.config.seeds):
            predicted = predictions(self.net, crops, dropped=number > 0, generator=generator)
            certainty: dict[str, float] = {}
            if self.config.mirror:
                predicted, sure = mirrored(predicted, crops.pixels[:1], slope)
                certainty = {"mirror": round(sure, 3)}
            fitted, loss = refine(predicted, crops.pixels[:1], self.config.refine)
            found.append((fitted, {"loss": round(loss, 5)} | certainty))
        return sorted(found, key=lambda pair: pair[1]["loss"])

    def _reconstruction(
        self,
        surfaces: Surfaces,
        front: Float[Tensor, "1 3 p p"],
        photo: Photo,
        camera: Camera,
        crop: Crop,
        outline: Float[Tensor, "1 1 t t"],
        parts: int,
        fit: dict[str, float],
    ) -> Reconstruction:
        elevation = float(surfaces.elevation[0]) if self.config.upright else 0.0
        field = place(FrameSolid.of(surfaces, front, outline), camera, crop, elevation)
        return Reconstruction(
            field=field,
            views=(View(photo, photo_camera(field.camera, photo), NO_FIT),),
            provenance=self._provenance(fit),
            parts=parts,
            texture="continued",
        )


def place(solid: FrameSolid, camera: Camera, crop: Crop, elevation: float) -> LiftField:
    """The solid in the world: in the sphere of radius 0.5, upright for a camera that looks down at `elevation`."""
    frame = frame_of(camera, crop, torch.ones(1))
    reached = _reached(solid, camera, crop, frame)
    place, scale = placing(reached.numpy())
    center = torch.from_numpy(place)
    upright = _upright(elevation)
    to_frame = frame.rotation[0].T
    pose = torch.eye(4)
    pose[:3, :3] = upright @ to_frame
    at_camera = -(to_frame @ frame.origin[0]) / frame.unit[0]
    pose[:3, 3] = scale * upright @ (at_camera - center)
    placed = Camera(pose[None], camera.intrinsics, camera.width, camera.height)
    return LiftField(solid, placed, crop, upright, scale, -scale * upright @ center)


def outline_of(photo: Photo, crop: Crop) -> Float[Tensor, "1 1 t t"]:
    """Distance to the mask's outline in half sides of the crop, positive inside."""
    assert photo.mask is not None
    mask = crop.cut(torch.from_numpy(photo.mask).float()[None, None], OUTLINE)
    pixel = OUTLINE / (2 * float(crop.half[0]))
    smooth = without_stairs(signed_distance(mask[0, 0].numpy()), pixel)
    return torch.from_numpy(smooth * 2 / OUTLINE).float()[None, None]


def _reached(solid: FrameSolid, camera: Camera, crop: Crop, frame: CropFrame) -> Float[Tensor, "n 3"]:
    """Points of the front and the back, in the network's frame."""
    inside = solid.outline[0, 0] > 0
    if not inside.any():
        raise InputError("lift finds no object in this mask: it is too small; give a larger photo of the object.")
    origin, directions = camera.rays(crop.grid(OUTLINE)[:, inside])
    start, ahead = frame.from_world(origin)[0], directions[0] @ frame.rotation[0]
    steps = (torch.arange(OUTLINE) + 0.5) * 2 / OUTLINE - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    depths = solid.depths(torch.stack((columns, rows), -1)[inside])
    ways = (depths - start[:, 2:]) / ahead[:, 2:]
    return torch.cat([start + way[:, None] * ahead for way in ways.unbind(dim=1)])


def _upright(elevation: float) -> torch.Tensor:
    """World-from-frame rotation for a camera that looks down on the object at `elevation` radians."""
    cosine, sine = math.cos(elevation), math.sin(elevation)
    return torch.tensor([[1.0, 0.0, 0.0], [0.0, -cosine, -sine], [0.0, sine, -cosine]])
