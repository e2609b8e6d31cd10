"""`lift`: from a photo with its mask to shape, camera and appearance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import torch
from jaxtyping import Float

from ...camera import Camera
from ...errors import InputError
from ...scene import Photo, Provenance, Reconstruction, View, read_silhouette
from ...scene.outline import signed_distance, squared_half_thickness
from ...scene.photo_camera import photo_camera, working_intrinsics
from ...training.weights import load_pretrained
from ..base import MethodCard, Reconstructor
from .config import LiftConfig
from .crop import Crop, CropFrame, around, frame_of
from .field import REACH, FrameSolid, LiftField
from .model import LiftNet

SHIPPED = Path(__file__).parents[2] / "weights" / "lift"
OUTLINE = 384
MEASURE = 56


@dataclass(frozen=True)
class LiftOptions:
    """How the network is used.

    Attributes:
        weights: folder or hub id of the network; empty: the weights that ship with monoform.
        fov: vertical field of view of the photo in degrees, used where neither EXIF nor `focal` tells it.
        upright: whether the solid is turned upright by the elevation that the network sees; else the photo's up is up.
        fill: whether pixels of the mask behind which the network puts nothing get a thin solid.
    """

    weights: str = ""
    fov: float = 35.0
    upright: bool = True
    fill: bool = True


class Lift(Reconstructor):
    """A network's guess of the solid behind the photo, kept to the photo's mask; texture from the photo."""

    config_class: ClassVar[type] = LiftOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="lift",
        summary="a small network's guess of shape and back, kept to the photo's outline, the photo as texture",
        needs="its weights",
        licence="Apache-2.0",
        weights="lift",
        size=10.0,
        citation=(),
    )

    def __init__(self, config: LiftOptions | None = None) -> None:
        self.config = config or LiftOptions()
        if not 1 <= self.config.fov <= 120:
            raise InputError(f"lift's fov is {self.config.fov}; it must lie in 1..120.")
        self.net = _network(self.config.weights or str(SHIPPED))

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The solid behind the first photo.

        Args:
            views: one photo with its mask, with its intrinsics where known.
            generator: not needed: the guess is not random.

        Raises:
            InputError: there is not exactly one view, or it has no mask.
        """
        del generator
        if len(views) != 1:
            raise InputError(f"lift works from one photo, not from {len(views)}.")
        photo = views[0].photo
        if photo.mask is None:
            raise InputError("lift needs the object's mask: let matting.segment find one, or give one.")
        silhouette = read_silhouette(photo.mask)
        photo = photo.with_mask(silhouette.mask, str(photo.mask_origin), silhouette.notices())
        intrinsics = working_intrinsics(photo, views[0].camera, math.radians(self.config.fov)).float()
        camera = Camera(torch.eye(4)[None], intrinsics, *photo.size)
        with torch.no_grad():
            field = self._field(photo, camera)
        return Reconstruction(
            field=field,
            views=(View(photo, photo_camera(field.camera, photo)),),
            provenance=Provenance("lift", self.config, weights={"source": self.config.weights or "monoform/lift"}),
            parts=silhouette.parts,
        )

    def _field(self, photo: Photo, camera: Camera) -> LiftField:
        assert photo.mask is not None
        crop = around(torch.from_numpy(photo.mask)[None])
        frame = frame_of(camera, crop, torch.ones(1))
        crops, outline = crop_channels(photo, crop, self.net.config.image_size)
        features = self.net.encode(crops)
        solid = FrameSolid(self.net, features, crops, outline)
        if self.config.fill:
            solid = solid.with_core(float(frame.unit[0]))
        centre, radius = _extent(solid, camera, crop, frame)
        elevation = float(self.net.elevations(features)[0]) if self.config.upright else 0.0
        upright = _upright(elevation)
        scale = 0.49 / radius
        to_frame = frame.rotation[0].T
        pose = torch.eye(4)
        pose[:3, :3] = upright @ to_frame
        at_camera = -(to_frame @ frame.origin[0]) / frame.unit[0]
        pose[:3, 3] = scale * upright @ (at_camera - centre)
        placed = Camera(pose[None], camera.intrinsics, camera.width, camera.height)
        return LiftField(solid, placed, crop, upright, scale, -scale * upright @ centre)


def crop_channels(photo: Photo, crop: Crop, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's input (1, 6, size, size), and the distance to the outline (1, 1, 384, 384), in half sides."""
    assert photo.mask is not None
    image = torch.from_numpy(np.concatenate((photo.rgb, photo.mask[..., None]), axis=2)).permute(2, 0, 1)[None]
    half = float(crop.half[0])
    # Averages before sampling: a crop that is much larger than its cells would alias.
    sigma = max(half * 2 / size / 2 - 0.5, 0.0)
    soft = cv2.GaussianBlur(image[0].permute(1, 2, 0).numpy(), (0, 0), sigma) if sigma > 0.1 else None
    source = image if soft is None else torch.from_numpy(soft).permute(2, 0, 1)[None]
    small = crop.cut(source.float(), size)
    large = crop.cut(image[:, 3:].float(), OUTLINE)[0, 0].numpy()
    outline = signed_distance(large) * 2 / OUTLINE
    shape = torch.from_numpy(shape_pixels(small[0, 3].numpy()) * 2 / size)[None]
    crops = torch.cat((small[:, :3] * small[:, 3:], small[:, 3:], shape), 1)
    return crops, torch.from_numpy(outline).float()[None, None]


def shape_pixels(mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "2 h w"]:
    """Distance to the outline and half thickness of the inflated outline, in pixels."""
    distance = signed_distance(mask)
    squared = squared_half_thickness(distance, smoothing=1.0)
    return np.stack((distance, np.sqrt(np.maximum(squared, 0)))).astype(np.float32)


def _extent(solid: FrameSolid, camera: Camera, crop: Crop, frame: CropFrame) -> tuple[torch.Tensor, float]:
    """Centre and radius of the solid in the network's frame, from a coarse grid."""
    steps = torch.linspace(-REACH, REACH, MEASURE)
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


@lru_cache(maxsize=2)
def _network(folder: str) -> LiftNet:
    """The network of a folder of weights, ready for use."""
    return load_pretrained(LiftNet, LiftConfig, folder)[0].requires_grad_(False)
