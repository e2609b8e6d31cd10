"""Renders of one object as a capture, in the layout of NeRF's synthetic scenes (Mildenhall et al. 2020)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from ...camera import Camera, look_at, spherical_position, transforms_from_cameras
from ...outputs import atomic_folder, save_picture

DISTANCE, RADIUS = 4.0, 1.2  # of the cameras, and of the object, in the units of the published scenes
FIELD_OF_VIEW = 0.6911112  # radians, that of the published scenes
TURNS = 5  # of the held-out cameras' spiral


def scene_cameras(train: int, test: int, size: int, *, generator: np.random.Generator) -> Camera:
    """Cameras over the upper half of a sphere: scattered ones to train on, then a spiral of those that are held out."""
    share = (torch.arange(test, dtype=torch.float64) + 0.5) / test
    azimuth = torch.cat((torch.from_numpy(generator.uniform(0, 2 * math.pi, train)), 2 * math.pi * TURNS * share))
    height = torch.cat((torch.from_numpy(generator.uniform(0, 1, train)), share))
    pose = look_at(spherical_position(azimuth, torch.asin(height), DISTANCE)).float()
    return Camera.from_fov(pose, FIELD_OF_VIEW, size, size)


def write_scene_object(
    folder: Path,
    images: UInt8[np.ndarray, "v h w 3"],
    alpha: Float[np.ndarray, "v h w"],
    cameras: Camera,
    test: int,
) -> None:
    """`train`, `test`, `transforms_train.json` and `transforms_test.json`; the folder appears when it is whole.

    Args:
        images: over white; written with their alpha and the object's own colors.
        test: how many of the last views are held out.
    """
    views = range(len(images))
    first = len(images) - test
    with atomic_folder(folder) as partial:
        for use, numbers in (("train", views[:first]), ("test", views[first:])):
            (partial / use).mkdir()
            for place, view in enumerate(numbers):
                picture = Image.fromarray(_with_alpha(images[view], alpha[view]))
                save_picture(picture, partial / use / f"r_{place}.png")
            _write_cameras(partial / f"transforms_{use}.json", use, [cameras[view] for view in numbers])


def _write_cameras(file: Path, use: str, cameras: Sequence[Camera]) -> None:
    content = transforms_from_cameras([(f"./{use}/r_{place}", camera) for place, camera in enumerate(cameras)])
    file.write_text(json.dumps({"camera_angle_x": FIELD_OF_VIEW, **content}, indent=1) + "\n", encoding="utf-8")


def _with_alpha(image: UInt8[np.ndarray, "h w 3"], alpha: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 4"]:
    """RGBA, not multiplied by alpha, of a picture over white."""
    share = alpha[..., None].astype(np.float32)
    own = (image / 255.0 - (1.0 - share)) / np.maximum(share, 1e-3)
    return np.rint(255.0 * np.clip(np.concatenate((own * (share > 0), share), axis=-1), 0.0, 1.0)).astype(np.uint8)
