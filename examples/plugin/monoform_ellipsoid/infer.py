"""The method that the entry point names; train.py and evaluate.py beside it say how it is trained and measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from monoform import Camera, InputError
from monoform.devices import device_of
from monoform.methods import Generator, MethodCard, Reconstructor
from monoform.scene import Photo, Provenance, Reconstruction, View
from monoform.scene.photo_camera import photo_camera, working_intrinsics
from monoform.scene.single_view import single_view
from monoform.training import load_pretrained

from .field import REACH, EllipsoidField
from .masks import square_of
from .model import EllipsoidConfig, EllipsoidNet


@dataclass(frozen=True)
class EllipsoidOptions:
    """How the method is used: `monoform models ellipsoid` lists these, `--set NAME=VALUE` sets them.

    Attributes:
        weights: folder that `monoform train ellipsoid` wrote.
        depth: radius along the line of sight, in the smaller half axes of the ellipse.
        fov: vertical field of view of the photo in degrees, where neither EXIF nor `focal` tells it.
    """

    weights: str = ""
    depth: float = 1.0
    fov: float = 35.0

    def __post_init__(self) -> None:
        if not 0.1 <= self.depth <= 10:
            raise InputError(f"ellipsoid's depth is {self.depth}; it must lie in 0.1..10.")


class Ellipsoid(Reconstructor, Generator):
    """The ellipsoid behind a mask, of the object's mean color."""

    config_class: ClassVar[type] = EllipsoidOptions
    card: ClassVar[MethodCard] = MethodCard(
        "ellipsoid", "the ellipsoid behind a photo: an example", "weights that you train", "Apache-2.0", None, 0.0, ()
    )

    def __init__(self, config: EllipsoidOptions | None = None) -> None:
        self.config = config or EllipsoidOptions()
        self.net = None  # samples need none
        if self.config.weights:
            self.net = load_pretrained(EllipsoidNet, EllipsoidConfig, self.config.weights)[0].requires_grad_(False)

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The ellipsoid whose silhouette is about the mask.

        Raises:
            InputError: there is not one photo with a mask, or no weights were given.
        """
        del generator
        if self.net is None:
            raise InputError("ellipsoid needs weights: train them, and give --set weights=FOLDER.")
        view, silhouette = single_view(views, "ellipsoid")
        photo = view.photo
        assert photo.mask is not None
        square, place = square_of(photo.mask, self.net.config.size)
        # What the network is given goes to where the network is.
        across, down = self.net(square[None].to(device_of(self.net)))[0].tolist()
        shares = torch.tensor([across, down, self.config.depth * min(across, down)])
        color = torch.from_numpy(photo.rgb[photo.mask > 0.5].mean(axis=0)).float()
        field = EllipsoidField.of_shares(shares, color)
        camera = self._camera(photo, view.camera, place, pixels=float(place[2] * max(across, down)))
        return Reconstruction(
            field=field,
            views=(View(photo, photo_camera(camera, photo)),),
            provenance=Provenance("ellipsoid", self.config, weights={"source": self.config.weights}),
            parts=silhouette.parts,
            texture="projected",
        )

    def latent(self, generator: torch.Generator) -> Float[Tensor, " 6"]:
        """What a sample is made of: three logarithms of radii, three of color."""
        return torch.randn(6, generator=generator)

    def generate(self, latent: Float[Tensor, " 6"], *, generator: torch.Generator) -> Reconstruction:
        """The ellipsoid of a latent: a shape with a color, without photo or camera."""
        del generator
        field = EllipsoidField.of_shares((0.5 * latent[:3]).exp(), torch.sigmoid(latent[3:]))
        return Reconstruction(field, provenance=Provenance("ellipsoid", self.config))

    def _camera(self, photo: Photo, known: Camera | None, place: Float[np.ndarray, " 3"], *, pixels: float) -> Camera:
        """Of the working image, in front of the object: REACH is seen as so many pixels, the origin in its middle."""
        intrinsics = working_intrinsics(photo, known, math.radians(self.config.fov))
        distance = float(intrinsics[0, 0, 0]) * REACH / pixels
        middle = intrinsics[0].inverse() @ torch.tensor([place[0], place[1], 1.0], dtype=intrinsics.dtype)
        pose = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=intrinsics.dtype))
        pose[:3, 3] = -distance * (pose[:3, :3] @ middle)
        return Camera(pose[None].float(), intrinsics.float(), *photo.size)
