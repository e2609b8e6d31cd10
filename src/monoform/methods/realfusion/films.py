"""The six films of the published program: what cameras around the object see, as numbers and as pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from ...camera import Camera
from ...progress import work
from ...render.video import write_video
from .cameras import look_at, on_sphere, rays
from .model import RealFusionField
from .photo_square import PhotoSquare
from .rendering import Look, render_chunks, unit_light

CHANNELS = ("rgb", "opacity", "depth", "normals", "textureless")
ABOUT = {
    "rgb": "the field from all around, without light",
    "opacity": "how much of the white behind is covered",
    "depth": "where the light ends, from the box's near side to its far side",
    "normals": "directions of the surface in the world, (n + 1) / 2",
    "textureless": "the shape alone, lit from the camera",
    "grid": "the photo and all films side by side",
}
COLUMNS = 3  # of the sheet, whose first tile is the photo
FPS, QUALITY = 25.0, 8.0  # of the published films
LIT = 0.1  # ambient share of the channel without colors


def orbit_poses(frames: int, elevation: float, radius: float, *, mirrored: bool = False) -> Float[Tensor, "f 4 4"]:
    """Cameras around the object from the photo's on; the elevation in degrees above the horizon."""
    azimuth = torch.arange(frames) * (2.0 * math.pi / frames)
    polar = torch.full_like(azimuth, math.radians(90.0 - elevation))
    return look_at(on_sphere(polar, azimuth, radius), mirrored=mirrored)


@torch.no_grad()
def channels(
    field: RealFusionField, pose: Float[Tensor, "4 4"], fov: float, size: int
) -> dict[str, Float[Tensor, "size size c"]]:
    """What a camera sees over white: colors, coverage, depth within the box, normals, and the lit shape alone.

    Args:
        pose: world-from-camera.
        fov: vertical field of view in degrees.
        size: pixels of a side.
    """
    origins, directions = (each[0] for each in rays(pose[None], fov, size, size))
    plain = render_chunks(field, origins, directions, Look("albedo", 1.0, background=1.0))
    lit = Look("textureless", LIT, unit_light(origins), background=1.0)
    shape = render_chunks(field, origins, directions, lit)
    found = {
        "rgb": plain.image.clamp(0.0, 1.0),
        "opacity": plain.alpha[:, None],
        "depth": plain.depth[:, None],
        "normals": plain.normals,
        "textureless": shape.image.clamp(0.0, 1.0),
    }
    return {name: values.reshape(size, size, -1) for name, values in found.items()}


def pictures(
    found: dict[str, Float[Tensor, "size size c"]], photo: Float[Tensor, "h w 3"], *, centered_normals: bool = True
) -> dict[str, UInt8[np.ndarray, "a b 3"]]:
    """Pictures of the channels, and "grid", all of them beside the photo.

    Args:
        found: of `channels`.
        photo: 0..1, resized without a filter.
        centered_normals: show (n + 1) / 2; otherwise n, as published, where only positive numbers mean anything.
    """
    size = len(found["rgb"])
    shown = {name: values.expand(-1, -1, 3) for name, values in found.items()}
    if centered_normals:
        shown["normals"] = 0.5 * (shown["normals"] + 1.0)
    small = functional.interpolate(photo.permute(2, 0, 1)[None], (size, size), mode="bilinear", align_corners=False)
    tiles = [small[0].permute(1, 2, 0), *(shown[name] for name in CHANNELS)]
    rows = [torch.cat(tiles[start : start + COLUMNS], dim=1) for start in range(0, len(tiles), COLUMNS)]
    shown["grid"] = torch.cat(rows, dim=0)
    return {name: (values.clamp(0.0, 1.0) * 255.0).to(torch.uint8).numpy() for name, values in shown.items()}


@dataclass(frozen=True, eq=False)
class Films:
    """Writes film_CHANNEL.mp4 into a result's folder; see `OwnFiles`.

    Attributes:
        field: in evaluation mode.
        square: of the photo, whose camera the films begin with.
        elevation: of this camera, in degrees.
        frames: of each film.
        size: their side in pixels.
    """

    field: RealFusionField
    square: PhotoSquare
    elevation: float
    frames: int
    size: int

    def __call__(self, folder: Path, camera: Camera | None) -> Mapping[str, str]:
        del camera
        radius, photo = float(self.square.pose[:3, 3].norm()), self.square.over_white()
        mirrored = self.field.config.mirrored
        poses = orbit_poses(self.frames, self.elevation, radius, mirrored=mirrored)
        flip = torch.tensor([-1.0 if mirrored else 1.0, 1.0, 1.0])
        if mirrored:  # the other way round in the field is the same way round in the world
            poses = torch.cat((poses[:1], poses[1:].flip(0)))
        with ExitStack() as stack:
            kept = {name: stack.enter_context(TemporaryFile(dir=folder)) for name in ABOUT}
            shapes: dict[str, tuple[int, ...]] = {}
            with work("filming the field", len(poses), unit="frame") as show:
                for number, pose in enumerate(poses.to(self.field.encoder.embeddings), start=1):
                    found = channels(self.field, pose, self.square.fov, self.size)
                    found = {name: values.cpu() for name, values in found.items()}
                    found["normals"] = found["normals"] * flip
                    for name, picture in pictures(found, photo).items():
                        shapes[name] = picture.shape
                        kept[name].write(picture.tobytes())
                    show(number)
            for name, file in kept.items():
                write_video(frames_of(file, shapes[name]), folder / f"film_{name}.mp4", fps=FPS, quality=QUALITY)
        return {f"film_{name}.mp4": about for name, about in ABOUT.items()}


def frames_of(file: IO[bytes], shape: tuple[int, ...]) -> Iterator[UInt8[np.ndarray, "a b 3"]]:
    """Pictures that were written one after the other, from the first on; only one is in memory."""
    file.seek(0)
    while data := file.read(math.prod(shape)):
        yield np.frombuffer(data, np.uint8).reshape(shape)
