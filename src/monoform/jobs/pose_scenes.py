"""Scenes in which a photo can find its place: results, trained scenes, and one photo seen through pixelNeRF."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..camera import Camera
from ..errors import InputError
from ..matting import segment
from ..methods import Surroundings
from ..render.mesh_rays import MeshRenderer
from ..render.ray_renderer import RayColors, RayRenderer
from ..scene import Photo, View, load
from ..scene.result import RESULT

WHITE = 0.98  # share of a photo's border that is pure white where the photo shows an object on white


@dataclass(frozen=True, eq=False)
class SceneView:
    """One of a scene's own photos: its file, the split it is in, its camera in pixels of the file, its mask's file."""

    image: Path
    split: str
    camera: Camera
    mask: Path | None = None


@dataclass(frozen=True, eq=False)
class KnownScene:
    """A scene, and what is known of it.

    Attributes:
        renderer: of its rays; surroundings: where in the world.
        bare: whether it shows one object on a plain background, so that photos have to be masked.
        start: of a photo, a camera to begin with where none is given; None where nothing is known.
        kind: for the record.
        views: the scene's own photos with their cameras.
    """

    renderer: RayRenderer
    surroundings: Surroundings
    bare: bool
    start: Callable[[Photo], Camera] | None
    kind: str
    views: tuple[SceneView, ...] = ()


def open_scene(folder: str | Path) -> KnownScene:
    """The scene of a folder: what `monoform reconstruct` has written, or `monoform train scene`, or a conversion.

    Raises:
        InputError: the folder holds none of these.
    """
    folder = Path(folder)
    if (folder / RESULT).is_file():
        return _of_result(folder)
    from ..methods.nerf import load_scene

    try:
        scene = load_scene(folder)
    except InputError as error:
        raise InputError(
            f"{error} A scene is a folder that monoform reconstruct, monoform train scene or monoform convert --method "
            "nerf has written."
        ) from error
    scene.net.requires_grad_(False)
    views = tuple(SceneView(Path(view.image), view.split, view.camera, view.mask) for view in scene.views)
    cameras = [view.camera for view in views if view.split == "train"]
    sizes = {(camera.width, camera.height, camera.model) for camera in cameras}
    known = Camera.concatenate(cameras) if len(sizes) == 1 else None
    centre = tuple(float(value) for value in torch.as_tensor(scene.centre).reshape(3))
    surroundings = Surroundings(
        centre=centre,  # type: ignore[arg-type]
        radius=float(scene.radius),
        cameras=known,
        background=_plain_background(scene.net.config),
    )
    return KnownScene(scene.renderer(), surroundings, bare=False, start=None, kind="nerf", views=views)


def _plain_background(config: object) -> tuple[float, float, float]:
    """What transparent parts of a photo are laid on."""
    white = getattr(config, "background", None) == "white" or getattr(getattr(config, "sampling", None), "white", False)
    return (1.0, 1.0, 1.0) if white else (0.0, 0.0, 0.0)


def _of_result(folder: Path) -> KnownScene:
    found = load(folder)
    mesh = found.mesh()
    low, high = (torch.from_numpy(mesh.vertices).double().amin(0), torch.from_numpy(mesh.vertices).double().amax(0))
    middle = 0.5 * (low + high)
    surroundings = Surroundings(
        centre=tuple(middle.tolist()),
        radius=float((torch.from_numpy(mesh.vertices).double() - middle).norm(dim=-1).max()),
    )
    start = None
    if "camera" in found.capabilities:
        own = found.camera

        def start(photo: Photo) -> Camera:
            return own.resized(photo.width, photo.height)

    return KnownScene(MeshRenderer(mesh), surroundings, bare=True, start=start, kind="result")


def object_photo(photo: Photo, *, matting: str = "auto") -> Photo:
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
    return segment(photo, backend=matting)


def cut_out(photo: Photo) -> Photo:
    """The photo with all but its object transparent."""
    if photo.mask is None:
        return photo
    rgba = photo.rgba.copy()
    rgba[..., 3] = photo.mask
    return replace(photo, rgba=rgba)


@dataclass(frozen=True, eq=False)
class _SourceRenderer:
    """Rays in our world as pixelNeRF sees its source photo's object."""

    net: object
    encoded: object
    scale: float
    near: float
    far: float

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        from ..methods.pixelnerf.render import render

        limits = origins.new_tensor([self.near, self.far]).expand(len(origins), 2)
        rays = torch.cat((origins / self.scale, directions, limits), dim=-1)[None]
        seen = render(self.net, self.encoded, rays, generator=generator, points_per_call=1 << 15).best  # type: ignore[arg-type]
        alpha = seen.alpha[0]
        distance = seen.depth[0] / alpha.clamp_min(1e-6) * (alpha > 0)
        return RayColors(seen.rgb[0], alpha, distance.detach() * self.scale)


def source_scene(photo: str | Path, weights: str = "", *, mask: str | None = None, matting: str = "auto") -> KnownScene:
    """The object of one photo as pixelNeRF guesses it: iNeRF's published job (Yen-Chen et al. 2021, section 4.3).

    Args:
        weights: folder or hub id of the network; empty: the small weights that ship with monoform.

    Raises:
        InputError: the weights cannot be used, or the photo shows no object.
    """
    from ..methods.pixelnerf.config import PixelNerfConfig
    from ..methods.pixelnerf.infer import weights_folder
    from ..methods.pixelnerf.model import PixelNerfNet
    from ..methods.pixelnerf.source_views import RADIUS, source_views
    from ..training.weights import load_pretrained

    net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, weights_folder(weights))
    net.eval().requires_grad_(False)
    own = object_photo(Photo.open(photo, mask=mask), matting=matting)
    with torch.inference_mode(False), torch.no_grad():
        source = source_views([View(own)], config, margin=1.3, elevation=0.0)
        encoded = net.encode(source.images, source.cameras)

    def start(other: Photo) -> Camera:
        """The source's own camera for photos of its size (as published), else that of the object in the photo."""
        if (other.width, other.height) == (own.width, own.height):
            return source.photo_cameras[0]
        return source_views([View(other)], config, margin=1.3, elevation=0.0).photo_cameras[0]

    white = 1.0 if config.sampling.white else 0.0
    renderer = _SourceRenderer(net, encoded, source.scale, config.domain.near, config.domain.far)
    surroundings = Surroundings(radius=RADIUS, background=(white, white, white))
    return KnownScene(renderer, surroundings, bare=True, start=start, kind="pixelnerf")
