"""Scenes in which a photo can find its place: any reconstruction, and trained scenes."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..camera import Camera
from ..data import CaptureView
from ..errors import InputError
from ..matting import segment
from ..methods import SceneBounds, create
from ..renamed import old_names, renamed
from ..render.camera_render import camera_colors
from ..render.mesh_rays import MeshRenderer
from ..render.ray_renderer import RayRenderer, background_of
from ..scene import Photo, Reconstruction, View, load
from ..scene.result_files import RESULT, result_in
from .pose_errors import PoseErrors, read_pose_errors

if TYPE_CHECKING:
    from ..methods.nerf import Scene as TrainedScene

SOURCE_METHOD = "pixelnerf"
OVERVIEW = 48  # pixels of the longer side of the picture that tells how far away a forward-facing scene is
BESIDE = 0.25  # of that distance: how far from the middle a forward-facing scene's cameras are sought, too
WHITE = 0.98  # share of a photo's border that is pure white where the photo shows an object on white


@renamed(surroundings="scene_bounds")
@dataclass(frozen=True, eq=False)
class PoseTarget:
    """A scene, and what is known of it.

    Attributes:
        renderer: of its rays.
        scene_bounds: where in the world.
        bare: whether it shows one object on a plain background, so that photos have to be masked.
        start: of a photo, a camera to begin with where none is given; None where nothing is known.
        kind: for the record.
        views: the scene's own photos with their cameras.
        endless: whether the scene goes on beyond its photos, so that none shows most of it.
        errors: what its own photos tell of poses found in it; None where that was not measured.
    """

    renderer: RayRenderer
    scene_bounds: SceneBounds
    bare: bool
    start: Callable[[Photo], Camera] | None
    kind: str
    views: tuple[CaptureView, ...] = ()
    endless: bool = False
    errors: PoseErrors | None = None


def scene_of(reconstruction: Reconstruction, *, kind: str = "result") -> PoseTarget:
    """Any reconstruction as a scene: its object, by the method's own renderer where it has one, else by its mesh.

    The camera of its photo, where it has one, is where a search begins.
    """
    renderer = reconstruction.ray_renderer()
    if isinstance(renderer, MeshRenderer):
        corners = torch.from_numpy(renderer.mesh.vertices).double()
    else:
        corners = reconstruction.field.bounds.double().cpu()
    low, high = corners.amin(0), corners.amax(0)
    middle = 0.5 * (low + high)
    away = (corners - middle).norm(dim=-1) if isinstance(renderer, MeshRenderer) else 0.5 * (high - low)
    scene_bounds = SceneBounds(
        center=tuple(middle.tolist()),
        radius=float(away.max()),
        background=background_of(renderer) or (0.0, 0.0, 0.0),
    )
    start = None
    if reconstruction.has_camera:
        own = reconstruction.camera

        def start(photo: Photo) -> Camera:
            return own.resized(photo.width, photo.height)

    return PoseTarget(renderer, scene_bounds, bare=True, start=start, kind=kind)


def open_scene(folder: str | Path, *, device: str = "cpu") -> PoseTarget:
    """The scene of a folder: what `monoform reconstruct` has written, or `monoform train scene`, or a conversion.

    Raises:
        InputError: the folder holds none of these.
    """
    folder = result_in(folder)
    if (folder / RESULT).is_file():
        return scene_of(load(folder))
    scene = load_trained(folder, device=device)
    scene.net.requires_grad_(False)
    cameras = [view.camera for view in scene.views if view.split == "train"]
    sizes = {(camera.width, camera.height, camera.model) for camera in cameras}
    known = Camera.concatenate(cameras) if len(sizes) == 1 else None
    found = scene_of(scene.reconstruction(), kind="nerf")
    if scene.facing is not None:
        return facing_target(found, scene.facing)
    x, y, z = (float(value) for value in torch.as_tensor(scene.center).reshape(3))
    scene_bounds = replace(found.scene_bounds, center=(x, y, z), radius=float(scene.radius), cameras=known)
    errors = read_pose_errors(scene.folder)
    return replace(found, scene_bounds=scene_bounds, bare=False, views=scene.views, errors=errors)


def facing_target(found: PoseTarget, facing: Camera) -> PoseTarget:
    """A forward-facing scene in normalised device coordinates: sought from the middle of its cameras and beside it.

    Args:
        facing: the camera in the middle, of any size.
    """
    longest = max(facing.width, facing.height)
    small = facing.resized(max(4, OVERVIEW * facing.width // longest), max(4, OVERVIEW * facing.height // longest))
    seen = camera_colors(found.renderer, small).distance * (small.rays()[1][0] @ small.world_from_camera[0, :3, 2])
    depth = float(seen[seen > 0].median()) if bool((seen > 0).any()) else 1.0
    places = [(x * BESIDE * depth, y * BESIDE * depth) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    poses = facing.world_from_camera.repeat(len(places), 1, 1)
    poses[:, :2, 3] += poses.new_tensor(places)
    around = replace(facing, world_from_camera=poses, intrinsics=facing.intrinsics.repeat(len(places), 1, 1))
    ahead = facing.position[0] + depth * facing.world_from_camera[0, :3, 2]
    x, y, z = ahead.tolist()
    bounds = replace(found.scene_bounds, center=(x, y, z), radius=0.5 * depth, cameras=around)

    def start(photo: Photo) -> Camera:
        return facing.resized(photo.width, photo.height)

    return replace(found, scene_bounds=bounds, bare=False, start=start, endless=True)


def load_trained(folder: Path, *, device: str = "cpu") -> TrainedScene:
    """A scene that `monoform train scene` or a conversion has written.

    Raises:
        InputError: the folder holds none.
    """
    from ..methods.nerf import load_scene

    try:
        return load_scene(folder, device=device)
    except InputError as error:
        raise InputError(
            f"{str(error).rstrip('.')}; a scene is a folder that monoform reconstruct, monoform train scene or "
            "monoform convert --method nerf has written."
        ) from error


def object_photo(photo: Photo, *, matting: str = "auto", device: str = "cpu") -> Photo:
    """The photo with the mask of its object; around one on plain white, what is not white.

    Raises:
        InputError: no object can be told from the background.
    """
    if photo.mask is not None:
        return photo
    border = np.concatenate((photo.rgb[0], photo.rgb[-1], photo.rgb[:, 0], photo.rgb[:, -1]))
    if (border.min(-1) >= 1.0).mean() > WHITE:
        mask = (photo.rgb.min(-1) < 1.0).astype(np.float32)
        if mask.any():
            return photo.with_mask(mask, "white")
    return segment(photo, backend=matting, device=device)


def cut_out(photo: Photo) -> Photo:
    """The photo with all but its object transparent."""
    if photo.mask is None:
        return photo
    rgba = photo.rgba.copy()
    rgba[..., 3] = photo.mask
    return replace(photo, rgba=rgba)


def source_scene(
    photo: str | Path,
    weights: str = "",
    *,
    method: str = SOURCE_METHOD,
    mask: str | None = None,
    matting: str = "auto",
    device: str = "cpu",
    batch_statistics: bool = False,
) -> PoseTarget:
    """The object of one photo as a method reconstructs it.

    With pixelNeRF this is iNeRF's published job (Yen-Chen et al. 2021, section 4.3).

    Args:
        weights: folder or hub id of the method's network; empty: the weights that ship with monoform.
        method: any that reconstructs from one photo.
        batch_statistics: of pixelNeRF: its encoder stays in training mode, as in the official script.

    Raises:
        InputError: there is no such method, it cannot use the weights, or the photo shows no object.
    """
    options = {"weights": weights} if weights else {}
    # As published: what pixelNeRF guesses, and not only within the photo's outline.
    maker = create(method, device=device, **options, **({"carve": False} if method == SOURCE_METHOD else {}))
    if batch_statistics and method == SOURCE_METHOD:
        maker.net = copy.deepcopy(maker.net)  # type: ignore[attr-defined]
        maker.net.encoder.train()  # type: ignore[attr-defined]
    own = object_photo(Photo.open(photo, mask=mask), matting=matting, device=device)

    def seen(one: Photo) -> Reconstruction:
        with torch.no_grad():
            return maker.reconstruct([View(one)], generator=torch.Generator().manual_seed(0))

    found = seen(own)
    if not found.has_camera:
        raise InputError(f"The method {method} gives no camera of the source photo; choose another one.")
    guessed = found.camera

    def start(other: Photo) -> Camera:
        """The source's own camera for photos of its size (as published), else that of the object in the photo."""
        return guessed if (other.width, other.height) == (own.width, own.height) else seen(other).camera

    return replace(scene_of(found, kind=method), start=start)


__getattr__ = old_names(__name__, {"KnownScene": "PoseTarget"})
