"""The six channels of the published films: what one camera sees, as numbers and as pictures."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from .cameras import look_at, on_sphere, rays
from .model import RealFusionField
from .rendering import Look, render_chunks, unit_light

CHANNELS = ("rgb", "opacity", "depth", "normals", "textureless")
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
