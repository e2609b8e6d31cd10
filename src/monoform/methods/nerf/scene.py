"""A trained scene as a folder: its field, its renderer, its cameras."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, cameras_from_transforms, from_opengl, transforms_from_cameras
from ...data.capture import Capture, CaptureSplit, CaptureView
from ...data.captures.transforms import UP_AXIS
from ...errors import InputError
from ...inputs import read_json
from ...nn.field import Field
from ...outputs import atomic_file
from ...renamed import renamed
from ...render.camera_render import camera_colors
from ...render.ray_renderer import RayRenderer
from ...scene import Provenance, Reconstruction
from ...training.weights import CONFIG, load_pretrained
from .frequency_config import NerfConfig
from .hash_config import HashConfig
from .hash_model import HashField, HashScene
from .hash_render import HashRenderer
from .model import NerfField, NerfNet, NerfRenderer

CAMERAS = "transforms.json"
FACING = 1024  # pixels of the width of the camera of a scene that tells none


@renamed(centre="center")
@dataclass(frozen=True, eq=False)
class Scene:
    """A radiance field of a capture.

    Attributes:
        folder: it was read from.
        net: what was trained.
        views: the photos that it was trained and judged with, with house cameras in the scene's world; none for a
            converted checkpoint. A photo's file may have been moved since.
        center: of the content, in the world.
        radius: of the content, in the world.
    """

    folder: Path
    net: HashScene | NerfNet
    views: tuple[CaptureView, ...]
    center: tuple[float, float, float]
    radius: float

    @classmethod
    def of(
        cls,
        folder: Path,
        net: HashScene | NerfNet,
        capture: Capture,
        center: tuple[float, float, float],
        radius: float,
    ) -> Scene:
        """A scene that has just been trained."""
        return cls(folder, net, capture.views, center, radius)

    @property
    def field(self) -> Field:
        """Geometry and colour in the world."""
        return HashField(self.net) if isinstance(self.net, HashScene) else NerfField(self.net)

    @property
    def facing(self) -> Camera | None:
        """The camera that a scene in normalised device coordinates was made around; None for any other scene."""
        scale = None if isinstance(self.net, HashScene) else self.net.config.sampling.ndc
        if scale is None:
            return None
        # Only the photos' shape is known of their size, as it is all that the scales tell.
        width, height = FACING, max(4, round(FACING * scale[0] / scale[1]))
        matrix = [[0.5 * scale[0] * width, 0.0, 0.5 * width], [0.0, 0.5 * scale[1] * height, 0.5 * height], [0, 0, 1.0]]
        return Camera(from_opengl(torch.eye(4))[None], torch.tensor(matrix)[None], width, height)

    def renderer(self, *, samples: int = 0) -> RayRenderer:
        """What rays see of the scene.

        Args:
            samples: along the diameter of a hash-grid scene's sphere, before empty space is left out; 0 for the scene's
                own number. Of a frequency network: coarse and as many fine ones.
        """
        if isinstance(self.net, HashScene):
            return HashRenderer(self.net, samples)
        from dataclasses import replace

        own = self.net.config.sampling
        return NerfRenderer(self.net, replace(own, coarse=samples, fine=samples) if samples else None)

    def of_split(self, *splits: CaptureSplit) -> list[CaptureView]:
        """The views of some splits: train, val, test."""
        return [view for view in self.views if view.split in splits]

    @torch.no_grad()
    def render(self, camera: Camera) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w"]]:
        """Picture on the scene's background, sRGB 0..1, and coverage, of one camera."""
        seen = camera_colors(self.renderer(), camera.to(next(self.net.parameters()).device))
        shape = (camera.height, camera.width)
        return seen.rgb.reshape(*shape, 3).cpu(), seen.alpha.reshape(shape).cpu()

    def reconstruction(self) -> Reconstruction:
        """The scene as a reconstruction that draws itself: of no photo, in the scene's own world."""
        return Reconstruction(self.field, (), Provenance("nerf"), renderer=self.renderer())


def scene_folder(path: str | Path) -> Path:
    """The folder with the scene's config.json: the one given, or `weights` in it."""
    path = Path(path)
    for folder in (path, path / "weights"):
        if (folder / CONFIG).is_file():
            return folder
    raise InputError(f"{path} is no scene: there is no {CONFIG} in it; train one with monoform train scene.")


def load_scene(path: str | Path, *, device: torch.device | str = "cpu") -> Scene:
    """A scene that `monoform train scene` or `monoform convert --method nerf` wrote.

    Raises:
        InputError: the folder holds no scene, or a damaged one.
    """
    folder = scene_folder(path)
    kind = read_json(folder / CONFIG).get("architecture")
    views, sphere = _read_cameras(folder)
    if kind == "HashScene":
        hashed, config = load_pretrained(HashScene, HashConfig, folder, device=device)
        hashed.occupancy.unpack()
        return Scene(folder, hashed, views, *(sphere or (config.center, config.radius)))
    if kind == "NerfNet":
        net, _ = load_pretrained(NerfNet, NerfConfig, folder, device=device)
        low, high = NerfField(net).bounds.cpu()
        x, y, z = (0.5 * (low + high)).tolist()
        return Scene(folder, net, views, *(sphere or ((x, y, z), 0.5 * float((high - low).max()))))
    raise InputError(f"{folder / CONFIG} is of the architecture {kind!r}, which is no scene.")


def write_cameras(folder: Path, capture: Capture, center: tuple[float, float, float], radius: float) -> None:
    """The cameras in nerfstudio's format, z up, with the split of each photo and where the photos are."""
    content = transforms_from_cameras([(view.name, view.camera) for view in capture.views])
    for frame, view in zip(content["frames"], capture.views, strict=True):
        frame["split"] = view.split
        frame["file_path"] = str(view.image.resolve())
        if view.mask is not None:
            frame["mask_path"] = str(view.mask.resolve())
    content |= {UP_AXIS: "z", "content_centre_y_up": list(center), "content_radius": radius}
    with atomic_file(folder / CAMERAS) as file:
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _read_cameras(folder: Path) -> tuple[tuple[CaptureView, ...], tuple[tuple[float, float, float], float] | None]:
    file = folder / CAMERAS
    if not file.is_file():
        return (), None
    content = read_json(file)
    views = []
    cameras = cameras_from_transforms(content)
    for frame, (name, camera) in zip(content["frames"], cameras, strict=True):
        split = frame.get("split", "train")
        if split not in ("train", "val", "test"):
            raise InputError(f"{file}: {name} has the split {split!r}.")
        mask = frame.get("mask_path")
        views.append(
            CaptureView(Path(name).name, Path(name), split, camera, Path(mask) if isinstance(mask, str) else None)
        )
    return tuple(views), _sphere(content, file)


def _sphere(content: dict[str, Any], file: Path) -> tuple[tuple[float, float, float], float] | None:
    if "content_radius" not in content:
        return None
    try:
        x, y, z = (float(value) for value in content["content_centre_y_up"])
        return (x, y, z), float(content["content_radius"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{file} has no usable content_centre_y_up and content_radius.") from error
