"""`lift`: from a photo with its mask to shape, camera and appearance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...scene import Photo, Provenance, Reconstruction, View, read_silhouette
from ...scene.outline import signed_distance
from ...scene.photo_camera import photo_camera, working_intrinsics
from ...training.weights import load_pretrained
from ..base import MethodCard, Reconstructor
from .config import LiftConfig
from .crop import Crop, CropFrame, around, frame_of, with_outlines
from .field import FrameSolid, LiftField
from .model import LiftNet, Volumes, mean_of
from .refine import refine

SHIPPED = Path(__file__).parents[2] / "weights" / "lift"
OUTLINE = 384
MEASURE = 56


@dataclass(frozen=True)
class LiftOptions:
    """How the network is used.

    Attributes:
        refine: steps of refinement on the photo itself; 0 takes the first guess.
        seeds: hypotheses, ranked by how well they explain the photo; the first uses the whole network, others leave
            out random features.
        weights: folder or hub id of the network; empty: the weights that ship with monoform.
        fov: vertical field of view of the photo in degrees, used where neither EXIF nor `focal` tells it.
        upright: whether the solid is turned upright by the elevation that the network sees; else the photo's up is up.
        fill: whether pixels of the mask behind which the network puts nothing get a thin solid.
    """

    refine: int = 40
    seeds: int = 1
    weights: str = ""
    fov: float = 35.0
    upright: bool = True
    fill: bool = True


class Lift(Reconstructor):
    """A network's guess of the solid behind the photo, refined on the photo and kept to its mask."""

    config_class: ClassVar[type] = LiftOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="lift",
        summary="a small network's guess of shape and back, refined on the photo, the photo as texture",
        needs="its weights, which ship with monoform",
        licence="Apache-2.0",
        weights="lift",
        size=10.0,
        citation=(),
    )

    def __init__(self, config: LiftOptions | None = None) -> None:
        self.config = config or LiftOptions()
        _check(self.config)
        self.net = _network(self.config.weights or str(SHIPPED))

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The solid behind the first photo; with several hypotheses the best, the others as its alternatives.

        Args:
            views: one photo with its mask, with its intrinsics where known.
            generator: of the hypotheses after the first.

        Raises:
            InputError: there is not exactly one view, or it has no mask.
        """
        if len(views) != 1:
            raise InputError(f"lift works from one photo, not from {len(views)}.")
        photo = views[0].photo
        if photo.mask is None:
            raise InputError("lift needs the object's mask: let matting.segment find one, or give one.")
        silhouette = read_silhouette(photo.mask)
        photo = photo.with_mask(silhouette.mask, str(photo.mask_origin), silhouette.notices())
        with torch.inference_mode(False), torch.no_grad():
            intrinsics = working_intrinsics(photo, views[0].camera, math.radians(self.config.fov)).float().clone()
            camera = Camera(torch.eye(4)[None], intrinsics, *photo.size)
            crop = around(torch.from_numpy(photo.mask)[None])
            crops, outline = crop_channels(photo, crop, self.net.config.image_size)
            ranked = self._hypotheses(crops, generator)
            found = [
                self._reconstruction(volumes, photo, camera, crop, outline, silhouette.parts, loss)
                for volumes, loss in ranked
            ]
        return replace(found[0], alternatives=tuple(found[1:]))

    def _hypotheses(self, crops: Float[Tensor, "1 6 s s"], generator: torch.Generator) -> list[tuple[Volumes, float]]:
        """Answers and their losses, the best first: each the mean of what the crop and its mirror image say."""
        count = self.config.seeds
        both = torch.cat((crops, crops.flip(-1))).repeat(count, 1, 1, 1)
        levels = [level.repeat(count, 1, 1, 1) for level in self.net.encode(both[:2])]
        levels[-1] = torch.cat((levels[-1][:2], self.net.dropped(levels[-1][2:], generator)))
        refined = refine(self.net, both, levels, self.config.refine)
        volumes = [mean_of(refined.volumes[2 * k], refined.volumes[2 * k + 1].mirrored()) for k in range(count)]
        losses = refined.loss.reshape(count, 2).mean(dim=1).tolist()
        return sorted(zip(volumes, losses, strict=True), key=lambda pair: pair[1])

    def _reconstruction(
        self, volumes: Volumes, photo: Photo, camera: Camera, crop: Crop, outline: Tensor, parts: int, loss: float
    ) -> Reconstruction:
        field = self._field(volumes, camera, crop, outline)
        return Reconstruction(
            field=field,
            views=(View(photo, photo_camera(field.camera, photo)),),
            provenance=Provenance(
                "lift",
                self.config,
                weights={"source": self.config.weights or "monoform/lift"},
                fit={"loss": round(loss, 5)},
            ),
            parts=parts,
        )

    def _field(self, volumes: Volumes, camera: Camera, crop: Crop, outline: Tensor) -> LiftField:
        frame = frame_of(camera, crop, torch.ones(1))
        solid = FrameSolid(volumes, outline)
        if self.config.fill:
            solid = solid.with_core(float(frame.unit[0]))
        centre, radius = _extent(solid, camera, crop, frame)
        upright = _upright(float(volumes.camera[0, 0]) if self.config.upright else 0.0)
        scale = 0.49 / radius
        to_frame = frame.rotation[0].T
        pose = torch.eye(4)
        pose[:3, :3] = upright @ to_frame
        at_camera = -(to_frame @ frame.origin[0]) / frame.unit[0]
        pose[:3, 3] = scale * upright @ (at_camera - centre)
        placed = Camera(pose[None], camera.intrinsics, camera.width, camera.height)
        return LiftField(solid, placed, crop, upright, scale, -scale * upright @ centre)


def crop_channels(photo: Photo, crop: Crop, size: int) -> tuple[Float[Tensor, "1 6 s s"], Float[Tensor, "1 1 t t"]]:
    """The network's input, and the distance to the outline in half sides of the crop."""
    assert photo.mask is not None
    half = float(crop.half[0])
    image = np.concatenate((photo.rgb * photo.mask[..., None], photo.mask[..., None]), axis=2).astype(np.float32)
    # Averages before sampling: a crop that is much larger than its cells would alias.
    sigma = max(half * 2 / size / 2 - 0.5, 0.0)
    soft = cv2.GaussianBlur(image, (0, 0), sigma) if sigma > 0.1 else image
    crops = crop.cut(torch.from_numpy(soft).permute(2, 0, 1)[None], size)
    mask = torch.from_numpy(photo.mask).float()[None, None]
    outline = signed_distance(crop.cut(mask, OUTLINE)[0, 0].numpy()) * 2 / OUTLINE
    return with_outlines(crops), torch.from_numpy(outline).float()[None, None]


def _extent(solid: FrameSolid, camera: Camera, crop: Crop, frame: CropFrame) -> tuple[torch.Tensor, float]:
    """Centre and radius of the solid in the network's frame, from a coarse grid."""
    reach = 1.1 * max(1.0, solid.volumes.reach)
    steps = torch.linspace(-reach, reach, MEASURE)
    grid = torch.cartesian_prod(steps, steps, steps)
    uv = crop.places(camera, frame.to_world(grid[None]))[0]
    inside = grid[solid.geometry(grid, uv) < 0.5 * float(steps[1] - steps[0])]
    if len(inside) == 0:
        raise InputError("lift finds no solid behind this mask: look at it, or use --method inflate.")
    centre = 0.5 * (inside.amin(0) + inside.amax(0))
    return centre, float((inside - centre).norm(dim=1).max()) + float(steps[1] - steps[0])


def _upright(elevation: float) -> torch.Tensor:
    """World-from-frame rotation for a camera that looks down on the object at `elevation` radians."""
    cosine, sine = math.cos(elevation), math.sin(elevation)
    return torch.tensor([[1.0, 0.0, 0.0], [0.0, -cosine, -sine], [0.0, sine, -cosine]])


def _check(options: LiftOptions) -> None:
    ranges = {"refine": (0, 2000), "seeds": (1, 16), "fov": (1, 120)}
    for name, (low, high) in ranges.items():
        value = getattr(options, name)
        if not low <= value <= high:
            raise InputError(f"lift's {name} is {value}; it must lie in {low}..{high}.")


@lru_cache(maxsize=2)
def _network(folder: str) -> LiftNet:
    """The network of a folder of weights, ready for use and for gradients of its features."""
    with torch.inference_mode(False):
        return load_pretrained(LiftNet, LiftConfig, folder)[0].requires_grad_(False)
