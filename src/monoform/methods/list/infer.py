"""LIST as a method: a photo with its mask to a surface, and to the camera that sees it there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...devices import CPU, device_of, hosted, to_device
from ...errors import InputError
from ...inversion.silhouette_pose import MaskFit, looking, orbit_rotations, pose_from_pixels
from ...mesh import Mesh, largest
from ...mesh.sdf_grid import UNSURE, Distance, dense_values, estimated_slope, sparse_values, surface_of
from ...scene import Photo, Provenance, Reconstruction, View
from ...scene.joined_views import joined
from ...scene.outline import Outline
from ...scene.photo_camera import photo_camera, working_intrinsics
from ...scene.placing import placing
from ...scene.single_view import single_view
from ...training.weights import pretrained
from ...weights import shipped
from ..base import MethodCard, Reconstructor
from .config import ListConfig, ListOptions
from .fast import FastDistances
from .field import ListField
from .localize import network_query, project
from .model import Encoding, ListNet, build
from .packed import windows_of

CITATION = """@inproceedings{arshad2023list,
  title = {{LIST}: Learning Implicitly from Spatial Transformers for Single-View {3D} Reconstruction},
  author = {Arshad, Mohammad Samiul and Beksi, William J.},
  booktitle = {ICCV},
  year = {2023}
}"""
SHIPPED = shipped()["list"]
MARGIN = 1.15  # of the picture around the object where the network does not say what it was trained on
NODES = 128  # along the box at least, in which the network is asked: as published, and finer than what small ones see
NO_RESIDUALS = "The pose is that whose silhouette overlaps the mask most: an overlap has no residuals."
POINTS = 600  # of the surface, for the first camera


class List(Reconstructor):
    """An implicit surface by a network that needs no camera; the camera is found afterwards."""

    several_views: ClassVar[bool] = True
    config_class: ClassVar[type] = ListOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="list",
        summary="an implicit surface from one photo without a camera, for objects of the kind the weights know",
        needs="its small weights, which ship with monoform, or converted ones (--set weights=DIR)",
        license="Apache-2.0; published weights: see their card",
        weights="list",
        size=SHIPPED.megabytes,
        citation=(CITATION,),
    )

    def __init__(self, config: ListOptions | None = None) -> None:
        self.config = config or ListOptions()
        self.net = network(self.config.weights or str(SHIPPED.folder))

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The surface that the network predicts from the photo; of several photos each alone, then joined.

        Args:
            views: one photo with its mask, with its intrinsics where known; or several with their cameras, in a world
                whose origin is the object's center.
            generator: not needed, nothing here is random.

        Raises:
            InputError: a view has no mask, one of several no camera, or the network sees no object.
        """
        if len(views) > 1:
            alone = partial(self._alone, generator=generator)
            return joined(views, alone, self._provenance(), parts=self.config.parts)
        view, silhouette = single_view(views, "list")
        photo = view.photo
        parts = self.config.parts or silhouette.parts
        with torch.inference_mode(False), torch.no_grad():
            intrinsics = working_intrinsics(photo, view.camera, math.radians(self.config.fov)).float().clone()
            window, picture = self._picture(photo)
            device = device_of(self.net)
            seen = self.net.encode(picture.to(device))
            distance = hosted(FastDistances(self.net, seen), device)
            seen = to_device(seen, CPU)
            slope = self._slope(distance)
            nodes = max(NODES, self.net.config.network.volume_nodes)
            grid = sparse_values(
                distance, nodes, half_side=self.net.config.network.half_side, slope=slope, coarse=UNSURE
            )
            surface = largest(surface_of(grid), n=parts)
            center, scale = placing(surface.vertices)
            assert photo.mask is not None
            world = Mesh(scale * (surface.vertices - center), surface.faces)
            pose = self._pose(seen, surface, world, window, photo, intrinsics[0].numpy().astype(np.float64))
            camera = Camera(torch.from_numpy(pose)[None].float(), intrinsics, *photo.size)
            field = ListField(
                distance=grid.between,
                center=torch.from_numpy(center).float(),
                scale=scale,
                slope=slope,
                limits=torch.from_numpy(_limits(world)).float(),
                camera=camera,
                photo=torch.from_numpy(photo.filled()).float().permute(2, 0, 1).contiguous(),
                outline=Outline.of(photo.mask, camera) if self.config.carve else None,
            )
        return Reconstruction(
            field=field,
            views=(View(photo, photo_camera(camera, photo), NO_RESIDUALS),),
            provenance=self._provenance(),
            parts=parts,
            texture="baked",
            capabilities=frozenset({"geometry", "camera"}),
        )

    def _alone(self, view: View, *, generator: torch.Generator) -> Reconstruction:
        return self.reconstruct([view], generator=generator)

    def _provenance(self) -> Provenance:
        source = {"source": self.config.weights or SHIPPED.title}
        return Provenance("list", self.config, weights=source, citation=(CITATION,))

    def _picture(self, photo: Photo) -> tuple[Float[np.ndarray, " 3"], Float[Tensor, "1 3 s s"]]:
        """The window (left, top, side in working pixels) and the network's input."""
        config = self.net.config
        margin = self.config.margin or config.margin or MARGIN
        assert photo.mask is not None
        window = windows_of(torch.from_numpy(photo.mask)[None], margin)[0].numpy().astype(np.float64)
        return window, picture_of(photo, window, config.image_size)

    def _slope(self, distance: Distance) -> float:
        """How fast the network's distances change near the surface; a true distance changes as fast as the way."""
        network = self.net.config.network
        first = dense_values(distance, max(17, network.volume_nodes // 4 + 1), half_side=network.half_side)
        return float(np.clip(1.2 * estimated_slope(first), 1.0, 6.0))

    def _pose(
        self,
        seen: Encoding,
        surface: Mesh,
        world: Mesh,
        window: Float[np.ndarray, " 3"],
        photo: Photo,
        intrinsics: Float[np.ndarray, "3 3"],
    ) -> Float[np.ndarray, "4 4"]:
        """World-from-camera, by the localisation network's projection and the mask."""
        config = self.net.config
        some = np.random.default_rng(0).permutation(len(surface.vertices))[:POINTS]
        query = network_query(torch.from_numpy(surface.vertices[some]).float()[None], config.network.half_side)
        on_map = project(query, seen.matrix)[0].numpy().astype(np.float64)
        step = (config.image_size - 1) / (config.network.map_side - 1)
        pixels = (step * on_map + 0.5) / config.image_size * window[2] + window[:2]
        solved = pose_from_pixels(world.vertices[some], pixels, intrinsics)
        assert photo.mask is not None
        fit = MaskFit(world, photo.mask > 0.5, intrinsics)
        candidates = [] if solved is None else [solved]
        if config.frame == "object":
            candidates += orbit_rotations()
        else:
            candidates += [looking(0.0, height) for height in (0.0, 0.2, 0.4)]
        rotation = fit.best(candidates, turn=0.15)
        pose = np.eye(4)
        pose[:3, :3] = rotation.T
        pose[:3, 3] = -rotation.T @ fit.place(rotation)
        return pose


def picture_of(photo: Photo, window: Float[np.ndarray, " 3"], size: int) -> Float[Tensor, "1 3 s s"]:
    """The window of a photo on black, each pixel the mean of what it covers."""
    assert photo.mask is not None
    left, top, side = window
    shown = photo.cropped(*photo.in_original(left, top, side, side), size=(4 * size, 4 * size))
    assert shown.mask is not None
    colored = (shown.rgb * shown.mask[..., None]).astype(np.float32)
    small = cv2.resize(colored, (size, size), interpolation=cv2.INTER_AREA).clip(0, 1)
    return torch.from_numpy(small).permute(2, 0, 1)[None].contiguous()


def _limits(world: Mesh) -> Float[np.ndarray, "2 3"]:
    low, high = world.vertices.min(0), world.vertices.max(0)
    room = 0.03 * float((high - low).max())
    return np.stack((low - room, high + room))


def network(folder: str) -> ListNet:
    """The network of a folder of weights, for inference.

    Raises:
        InputError: it is not there, damaged, or the first stage alone.
    """
    net = pretrained(build, ListConfig, folder)
    if not isinstance(net, ListNet):
        raise InputError(f"{folder} holds LIST's first stage alone, which makes no surface: give a whole LIST.")
    return net
