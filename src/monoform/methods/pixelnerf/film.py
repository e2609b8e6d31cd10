"""Films around an object of a data set, from given source views of it, or around the object of a photo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from ...camera import Camera
from ...data.posed.objects import PosedObject
from ...devices import device_of, to_device
from ...errors import InputError
from ...outputs import atomic_file, save_picture
from ...ranges import LARGEST_SEED, require_range
from ...render.video import drawn, write_video
from ...scene import Photo, View
from .cameras import from_published, published_rays, real_car_path, scan_path
from .config import PixelNerfConfig, for_evaluation
from .evaluate import encode_object, to_bytes
from .fast import FastOptions, render_image
from .model import PixelNerfNet
from .source_views import source_views


@dataclass(frozen=True)
class FilmOptions:
    """The way of the camera and the film.

    Attributes:
        path: "circle" around the object, or "scan", the published way before a scene of DTU.
        frames: of the circle; a scan has 6 for every 5 of them.
        elevation: radians, negative from above.
        radius: of the circle in world units; 0 for the middle of near and far.
        scale: size of the frames, of the source views'.
        fps: frames in a second.
        depth: whether a film of the depths is written beside it: white at near, black at far and where nothing is.
        seed: of the samples, where the original's are random.
        render: what the renderer leaves out.
    """

    path: Literal["circle", "scan"] = "circle"
    frames: int = 40
    elevation: float = -0.17453293
    radius: float = 0.0
    scale: float = 1.0
    fps: float = 30.0
    depth: bool = False
    seed: int = 0
    render: FastOptions = field(default_factory=FastOptions)

    def __post_init__(self) -> None:
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        if self.frames < 1 or (self.path == "scan" and self.frames < 5):
            raise InputError(f"The film has {self.frames} frames; give at least 1 for a circle and 5 for a scan.")
        if self.radius < 0 or not 0 < self.scale <= 4:
            raise InputError(f"The radius is {self.radius} and the scale {self.scale}; use 0 or more, and 0..4.")


def photo_object(photo: Photo, config: PixelNerfConfig, *, margin: float = 1.3) -> PosedObject:
    """A photo with a mask as the source view of an object, taken as those of the network's training were.

    Args:
        margin: side of the square around the object, in longest sides of the object.

    Raises:
        InputError: the photo has no mask.
    """
    source = source_views([View(photo, None)], config, margin=margin, elevation=0.0)
    domain, white = config.domain, float(config.sampling.white)
    boxes = {"masks": None, "boxes": None}
    return PosedObject(
        "photo", "", (0,), source.images[0], source.cameras, **boxes, near=domain.near, far=domain.far, background=white
    )


def write_film(net: PixelNerfNet, source: PosedObject, path: str | Path, options: FilmOptions | None = None) -> Path:
    """Write a film (.mp4, .gif, .webp or .apng) of the object, and beside it NAME_sources.png with its source views.

    Raises:
        InputError: the suffix of the path is unknown, or a file cannot be written.
    """
    options, path = options or FilmOptions(), Path(path)
    pictures = to_bytes(net, torch.cat(list(source.images), dim=1))
    depths: list[np.ndarray] = []
    with atomic_file(sources_beside(path)) as draft, atomic_file(path) as film:  # all files or none
        save_picture(Image.fromarray(pictures), draft, marked=True)
        write_video(frames(net, source, options, depths), film, fps=options.fps)
        if options.depth:
            write_video((np.repeat(one[..., None], 3, axis=2) for one in depths), depth_beside(path), fps=options.fps)
    return path


def sources_beside(film: Path) -> Path:
    """Where the source views of a film go."""
    return film.with_name(f"{film.stem}_sources.png")


def depth_beside(film: Path) -> Path:
    """Where the film of the depths goes."""
    return film.with_name(f"{film.stem}_depth{film.suffix}")


def frames(
    net: PixelNerfNet, source: PosedObject, options: FilmOptions, depths: list[np.ndarray] | None = None
) -> Iterator[np.ndarray]:
    """The frames, one after another.

    Args:
        depths: takes the depths of each frame that is made, (h, w) bytes: 255 at near, 0 at far and where nothing is.
    """
    device = device_of(net)
    field = encode_object(net, to_device(source, device), options.render)
    generator = torch.Generator().manual_seed(options.seed) if net.config.compat.random_rendering else None
    sampling = for_evaluation(net.config).sampling

    def draw(camera: Camera) -> np.ndarray:
        rays = published_rays(camera, source.near, source.far)[0].to(device)
        seen = render_image(net, field, rays, sampling=sampling, generator=generator, options=options.render)
        if depths is not None:
            distance = seen.depth / seen.alpha.clamp_min(1e-6)
            bright = seen.alpha * (source.far - distance) / (source.far - source.near)
            depths.append((255 * bright.clamp(0, 1)).round().byte().cpu().numpy())
        return to_bytes(net, seen.rgb.clamp(0, 1).cpu())

    return drawn(draw, film_cameras(source, options))


def film_cameras(source: PosedObject, options: FilmOptions) -> Sequence[Camera]:
    """Where the film is taken from, with the intrinsics of the first source view."""
    if options.path == "scan":
        poses = scan_path(options.frames)
    else:
        radius = options.radius or 0.5 * (source.near + source.far)
        poses = real_car_path(options.frames, options.elevation, radius)
    own = source.cameras[0]
    placed = from_published(poses, own.width, own.height, 1.0)
    cameras = Camera(placed.world_from_camera, own.intrinsics.expand(len(poses), 3, 3), own.width, own.height)
    width, height = max(1, int(own.width * options.scale)), max(1, int(own.height * options.scale))
    return list(cameras.resized(width, height))
