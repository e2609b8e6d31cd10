"""TripoSR as a method: a photo with its mask to a field, its surface, and the camera that sees it as the photo does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ...camera import Camera
from ...devices import device_of
from ...errors import InputError
from ...inversion.silhouette_pose import MaskFit, looking
from ...mesh import Mesh, extract, largest
from ...mesh.isosurface import NoSurfaceError
from ...mesh.texture import to_bytes
from ...metrics import mask_iou
from ...render import render_mesh
from ...scene import Photo, Provenance, Reconstruction, View
from ...scene.photo_camera import photo_camera, working_intrinsics
from ...scene.placing import placing
from ...scene.single_view import cleaned, single_view
from ..base import MethodCard, Reconstructor
from .cameras import FACING, world_from_network
from .config import TripoSrOptions
from .field import PlacedVolume, TripoSrField, TripoSrRays
from .fused import placed_in_world
from .photo_square import network_picture
from .planes import FoldedVolume, PlaneVolume
from .published import network
from .refine import refined
from .renders import Renders

CITATION = """@article{tochilkin2024triposr,
  title = {{TripoSR}: Fast {3D} Object Reconstruction from a Single Image},
  author = {Tochilkin, Dmitry and Pankratz, David and Liu, Zexiang and Huang, Zixuan and Letts, Adam and
    Li, Yangguang and Liang, Ding and Laforte, Christian and Jampani, Varun and Cao, Yan-Pei},
  journal = {arXiv preprint arXiv:2403.02151},
  year = {2024}
}"""
FIRST_LOOK = 96  # cells along the cube, where the object lies in it
ROOM = 0.03  # around it, in its longest sides
RIM = 4  # pixels around what is covered by more than half that may be soft
ELEVATIONS = (0.0, 0.2, 0.4)  # of the camera, that are tried; radians
SHARES = (1.0, 0.5, 0.25)  # of a refinement, that are tried
SLACK = 0.005  # of the overlap with the mask, that a refinement may cost
TURN = 0.15  # radians about these that are looked at first
NO_RESIDUALS = "The pose is that whose silhouette overlaps the mask most: an overlap has no residuals."
GIVEN = "The pose is given: none is fitted."


class TripoSr(Reconstructor):
    """A tri-plane radiance field by a transformer that needs no camera; the camera is found afterwards.

    Attributes:
        kind: how the planes are asked.
    """

    kind: ClassVar[type[PlaneVolume]] = FoldedVolume
    several_views: ClassVar[bool] = True
    config_class: ClassVar[type] = TripoSrOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="triposr",
        summary="a radiance field and its mesh from one photo of any everyday object, by a large transformer",
        needs="its weights (1.7 GB), fetched once from the hub, or their folder (--weights DIR)",
        license="MIT",
        weights=None,
        size=0.0,
        citation=(CITATION,),
    )

    def __init__(self, config: TripoSrOptions | None = None) -> None:
        self.config = config or TripoSrOptions()
        self.net = network(self.config.weights)

    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """The field that the network predicts from the photo; from several photos the mean of their fields.

        Args:
            views: one photo with its mask, with its intrinsics where known; or several with their cameras, in a world
                whose origin is the object's center.
            generator: of the rays of a refinement.

        Raises:
            InputError: the views cannot be used, or the network sees nothing in them.
        """
        with torch.inference_mode(False), torch.no_grad():
            if len(views) > 1:
                return self._fused([self._checked(view, number) for number, view in enumerate(views, start=1)])
            view, silhouette = single_view(views, "triposr")
            photo, parts = view.photo, self.config.parts or silhouette.parts
            intrinsics = working_intrinsics(photo, view.camera, math.radians(self.config.fov)).float().clone()
            volume = self.volume(photo)
            rotation = world_from_network(self.config.facing)
            surface = self.first_look(volume, rotation, parts)
            center, scale = placing(surface.vertices)
            placed = PlacedVolume(volume, rotation, scale, torch.from_numpy(center).float() @ rotation)
            world = Mesh(scale * (surface.vertices - center), surface.faces)
            camera = Camera(self.pose(world, photo, intrinsics[0])[None], intrinsics, *photo.size)
        fit = None
        if self.config.refine:
            planes, fit = refined(placed, camera, photo, self.config.refine, self.config.threshold, generator)
            placed, surface, fit["share"] = self._on_the_photo(placed, surface, planes, camera, photo, parts)
        limits = _box(scale * (surface.vertices - center))
        return self._reconstruction(
            (placed,), (View(photo, photo_camera(camera, photo), NO_RESIDUALS),), parts, limits, fit
        )

    def volume(self, photo: Photo) -> PlaneVolume:
        """What the network sees in a photo with its mask, in its own cube."""
        picture = network_picture(bytes_of(photo), self.config.foreground, self.net.config.image_size)
        device = device_of(self.net)
        coarser = torch.autocast(device.type, torch.bfloat16) if self.config.precision == "bfloat16" else nullcontext()
        with coarser:
            planes = self.net(picture.to(device))[0].float()
        if not bool(torch.isfinite(planes).all()):
            raise InputError("The network gives numbers that are not finite: its weights are damaged; get them again.")
        return self.kind(planes, self.net.decoder, self.net.config.rendering, self.config.chunk)

    def first_look(self, volume: PlaneVolume, rotation: Float[Tensor, "3 3"], parts: int) -> Mesh:
        """The surface on a coarse grid of the cube, turned into the world's axes.

        Raises:
            InputError: nothing is as dense as the threshold.
        """
        whole = PlacedVolume(volume, rotation, 1.0, torch.zeros(3))
        radius = volume.rendering.radius
        device = volume.planes.device
        box = torch.tensor([[-radius] * 3, [radius] * 3], device=device)
        level = self.config.threshold / whole.way
        try:
            found = extract(TripoSrField((whole,), box, level), resolution=FIRST_LOOK, level=level)
        except NoSurfaceError as error:
            raise InputError(
                f"The network sees nothing in this photo that is as dense as {self.config.threshold:g}: give another "
                "photo, or a lower threshold (--set threshold=10)."
            ) from error
        return largest(found, n=parts)

    def pose(self, world: Mesh, photo: Photo, intrinsics: Float[Tensor, "3 3"]) -> Float[Tensor, "4 4"]:
        """World-from-camera by which the surface's silhouette is the mask, near to where the network takes it to be."""
        assert photo.mask is not None
        fit = MaskFit(world, photo.mask > 0.5, intrinsics.numpy().astype(np.float64))
        turn = math.radians(FACING[self.config.facing])
        rotation = fit.best([looking(turn, height) for height in ELEVATIONS], turn=TURN)
        pose = torch.eye(4)
        pose[:3, :3] = torch.from_numpy(rotation.T)
        pose[:3, 3] = torch.from_numpy(-rotation.T @ fit.place(rotation))
        return pose

    def _on_the_photo(
        self,
        placed: PlacedVolume,
        surface: Mesh,
        planes: Float[Tensor, "3 f q q"],
        camera: Camera,
        photo: Photo,
        parts: int,
    ) -> tuple[PlacedVolume, Mesh, float]:
        """Refined planes, the largest share of their change with which the surface still covers the photo's object as
        well as before, their surface, and that share: rays that look right may end before the threshold's density."""
        volume, start = placed.volume, placed.volume.planes
        before = self._overlap(placed, surface, camera, photo)
        for share in SHARES:
            found = self.kind(start + share * (planes - start), volume.decoder, volume.rendering, self.config.chunk)
            try:
                seen = self.first_look(found, placed.rotation, parts)
            except InputError:
                continue
            after = replace(placed, volume=found)
            if self._overlap(after, seen, camera, photo) >= before - SLACK:
                return after, seen, share
        return placed, surface, 0.0

    def _overlap(self, placed: PlacedVolume, surface: Mesh, camera: Camera, photo: Photo) -> float:
        """IoU of a surface of the network's, in its place in the world, with the photo's mask."""
        assert photo.mask is not None
        center = (placed.center @ placed.rotation.T).cpu().numpy()
        world = Mesh(placed.scale * (surface.vertices - center), surface.faces)
        return float(mask_iou(render_mesh(world, camera).mask, photo.mask > 0.5))

    def _checked(self, view: View, number: int) -> View:
        photo, camera = view.photo, view.camera
        if photo.mask is None or camera is None:
            raise InputError(f"View {number} ({photo.name}) lacks its mask or its camera: several views need both.")
        return View(cleaned(photo)[0], camera, GIVEN)

    def _fused(self, views: Sequence[View]) -> Reconstruction:
        """The mean of the fields of photos whose cameras are known."""
        placed, corners = [], []
        for view in views:
            photo = view.photo
            volume, rotation = self.volume(photo), world_from_network("+z")
            surface = self.first_look(volume, rotation, self.config.parts or 1)
            found, vertices = placed_in_world(volume, rotation, surface, view)
            placed.append(found)
            corners.append(vertices)
        joined = Mesh(np.concatenate(corners), np.zeros((0, 3), np.int64))
        limits = _box(joined.vertices)
        return self._reconstruction(tuple(placed), tuple(views), self.config.parts or 1, limits, None)

    def _reconstruction(
        self,
        placed: tuple[PlacedVolume, ...],
        views: tuple[View, ...],
        parts: int,
        limits: Float[np.ndarray, "2 3"],
        fit: dict[str, float] | None,
    ) -> Reconstruction:
        device = placed[0].volume.planes.device
        way = float(np.exp(np.mean([math.log(each.way) for each in placed])))  # as densities are averaged
        level = self.config.threshold / way
        field = TripoSrField(placed, torch.from_numpy(limits).float().to(device), level, self.config.smooth)
        painted = {"texture": "baked", "field": "field", "vertices": "vertices"}
        own = Renders(placed[0].volume, self.config.renders) if self.config.renders else None
        return Reconstruction(
            field=field,
            level=level,
            views=views,
            provenance=Provenance(
                "triposr",
                self.config,
                weights={"source": self.config.weights, "world": f"y up, the photo's side to {self.config.facing}"},
                citation=(CITATION,),
                fit=fit,
            ),
            parts=parts,
            texture=painted[self.config.paint],
            renderer=TripoSrRays(placed[0]) if len(placed) == 1 else None,
            capabilities=frozenset({"geometry", "color"} | ({"camera"} if len(placed) == 1 else set())),
            own_files=own,
        )


def bytes_of(photo: Photo) -> UInt8[np.ndarray, "h w 4"]:
    """A photo's colors with the coverage of its mask, without what is faint away from the object.

    The release takes the box of all that is not fully transparent: a haze that networks for masks leave would make the
    object small in its picture.
    """
    assert photo.mask is not None
    near = cv2.dilate((photo.mask > 0.5).astype(np.uint8), np.ones((2 * RIM + 1, 2 * RIM + 1), np.uint8))
    return to_bytes(np.concatenate((photo.rgb, (photo.mask * near)[..., None]), axis=2))


def _box(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "2 3"]:
    low, high = points.min(0), points.max(0)
    room = ROOM * float((high - low).max())
    return np.stack((low - room, high + room))
