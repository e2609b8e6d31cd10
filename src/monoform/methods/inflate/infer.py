"""`inflate`: from a photo with its mask to a reconstruction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import torch

from ...camera import Camera
from ...scene import Photo, Provenance, Reconstruction, View
from ...scene.outline import signed_distance, squared_half_thickness
from ...scene.photo_camera import photo_camera, working_intrinsics
from ...scene.placing import front_rotation
from ...scene.silhouette import mask_box
from ...scene.single_view import single_view
from ..base import MethodCard, Reconstructor
from .config import InflateConfig
from .model import InflateField

CITATION = """@inproceedings{igarashi1999teddy,
  title = {Teddy: A Sketching Interface for {3D} Freeform Design},
  author = {Igarashi, Takeo and Matsuoka, Satoshi and Tanaka, Hidehiko},
  booktitle = {SIGGRAPH},
  year = {1999}
}"""


class Inflate(Reconstructor):
    """Silhouette to a round, symmetric solid, the photo on its front and mirrored behind; no weights."""

    config_class: ClassVar[type] = InflateConfig
    card: ClassVar[MethodCard] = MethodCard(
        name="inflate",
        summary="silhouette to a round solid, exact in the photo's camera; needs no weights",
        needs="nothing",
        license="Apache-2.0",
        weights=None,
        size=0.0,
        citation=(CITATION,),
    )

    def __init__(self, config: InflateConfig | None = None) -> None:
        self.config = config or InflateConfig()

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """A solid whose silhouette in the photo's camera is the mask.

        Args:
            views: one photo with its mask. Its camera's intrinsics are used where it has one; its pose is set anew:
                the object lies at the origin, in the sphere of radius 0.5, the photo is taken from the front (+z).
            generator: not needed, nothing here is random.

        Raises:
            InputError: there is not exactly one view, or it has no mask.
        """
        del generator
        view, silhouette = single_view(views, "inflate")
        photo = view.photo
        field = self._field(photo, view.camera)
        camera = photo_camera(field.camera, photo)
        return Reconstruction(
            field=field,
            views=(View(photo, camera, "The shape is made in the axes of its photo's camera: no pose is fitted."),),
            provenance=Provenance(method="inflate", config=self.config, citation=self.card.citation),
            parts=silhouette.parts,
            texture="projected",
        )

    def _field(self, photo: Photo, known: Camera | None) -> InflateField:
        config, mask = self.config, photo.mask
        assert mask is not None
        first_column, first_row, last_column, last_row = mask_box(mask > 0.5)
        extent = max(last_column - first_column, last_row - first_row)
        cell = max(1.0, extent / config.detail)
        margin = math.ceil(0.06 * extent) + 4
        left, top = first_column - margin, first_row - margin
        shape = (last_row + margin - top, last_column + margin - left)
        window = np.zeros(shape, np.float32)
        x, y = max(left, 0), max(top, 0)
        part = mask[y : top + shape[0], x : left + shape[1]]
        window[y - top : y - top + part.shape[0], x - left : x - left + part.shape[1]] = part
        size = (max(1, round(shape[1] / cell)), max(1, round(shape[0] / cell)))
        distance = cv2.resize(signed_distance(window) / cell, size, interpolation=cv2.INTER_AREA)
        squared = squared_half_thickness(distance, smoothing=config.smoothing * extent / cell) * cell**2
        camera, unit, normal = self._place(photo, known, squared, (left, top), cell)
        gradient = np.hypot(*np.gradient(squared, cell))
        return InflateField(
            camera=camera,
            squared=torch.from_numpy(squared).float(),
            slope=torch.from_numpy(gradient).float(),
            origin=(float(left), float(top)),
            cell=cell,
            normal=normal,
            unit=unit,
            thickness=config.thickness,
            image=torch.from_numpy(photo.filled()).permute(2, 0, 1).contiguous(),
        )

    def _place(
        self, photo: Photo, known: Camera | None, squared: np.ndarray, origin: tuple[int, int], cell: float
    ) -> tuple[Camera, float, torch.Tensor]:
        """The camera in working pixels, world units per pixel, and the normal of the middle plane.

        The object's centre in the photo becomes the world's origin and the ray to it the world's -z axis.
        """
        width, height = photo.size
        intrinsics = working_intrinsics(photo, known, math.radians(self.config.fov))
        inverse = np.linalg.inv(intrinsics[0].numpy())
        pixels = (np.argwhere(squared > 0)[:, ::-1] + 0.5) * cell + np.array(origin)
        center = 0.5 * (pixels.min(0) + pixels.max(0))
        ray = torch.from_numpy(inverse @ np.array([*center, 1.0]))
        rotation = front_rotation(ray / ray.norm())
        # With the camera at distance 1 from the middle plane: where the plane is hit, and how thick the solid is.
        directions = np.c_[pixels, np.ones(len(pixels))] @ inverse.T @ rotation.numpy().T
        in_plane = np.linalg.norm(directions[:, :2] / directions[:, 2:], axis=1)
        focal = float(intrinsics[0, 0, 0])
        half = np.sqrt(squared[squared > 0]) * self.config.thickness / focal
        radius = np.hypot(in_plane * (1 + half), half).max()
        distance = 0.495 / float(radius)
        pose = torch.eye(4, dtype=torch.float64)
        pose[:3, :3] = rotation
        pose[2, 3] = distance
        camera = Camera(pose[None].float(), intrinsics.float(), width, height)
        return camera, distance / focal, torch.tensor([0.0, 0.0, -1.0])
