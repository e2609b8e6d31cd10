"""A category of made objects: eggs of two colors, rendered exactly, in the layout of ShapeNet's renderings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monoform.camera import Camera, look_at, z_up_from_y_up

FOCAL = 131.25 / 128


def write_eggs(root: Path, *, train: int, test: int, views: int, size: int) -> Path:
    """Folders `shapenet/cars_train` and `shapenet/cars_test`, of different eggs."""
    for split, numbers in {"train": range(train), "test": range(train, train + test)}.items():
        for number in numbers:
            folder = root / "shapenet" / f"cars_{split}" / f"{number:04d}"
            for name in ("rgb", "pose"):
                (folder / name).mkdir(parents=True)
            half = size / 2
            folder.joinpath("intrinsics.txt").write_text(
                f"{FOCAL * size} {half} {half} 0.\n0. 0. 0.\n1.\n{size} {size}\n"
            )
            cameras = _cameras(number, views, size)
            for view, pose in enumerate(z_up_from_y_up(cameras.world_from_camera)):
                Image.fromarray(_picture(number, cameras, view)).save(folder / "rgb" / f"{view:06d}.png")
                words = " ".join(f"{value:.9g}" for value in pose.flatten().tolist())
                (folder / "pose" / f"{view:06d}.txt").write_text(words)
    return root


def _cameras(number: int, views: int, size: int) -> Camera:
    """On the upper half of a sphere."""
    draw = np.random.default_rng(1000 + number)
    yaw, height = draw.uniform(0, 2 * np.pi, views), draw.uniform(0.1, 0.7, views)
    level = np.sqrt(1 - height**2)
    place = 1.3 * np.stack((level * np.cos(yaw), height, level * np.sin(yaw)), axis=1)
    pose = look_at(torch.from_numpy(place).float(), (0.0, 0.0, 0.0))
    intrinsics = torch.tensor([[FOCAL * size, 0, size / 2], [0, FOCAL * size, size / 2], [0, 0, 1]])
    return Camera(pose, intrinsics.expand(views, 3, 3), size, size)


def _picture(number: int, cameras: Camera, view: int) -> np.ndarray:
    """The nearer hit of each ray with an ellipsoid; its front is of one color, its back of another."""
    draw = np.random.default_rng(number)
    axes = np.array([draw.uniform(0.3, 0.45), draw.uniform(0.18, 0.3), draw.uniform(0.18, 0.3)])
    colors = draw.uniform(0, 220, (2, 3))
    origins, directions = (each[view].double().numpy() for each in cameras.rays())
    o, d = origins / axes, directions / axes
    a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(1) - 1
    inside = b * b - a * c
    depth = (-b - np.sqrt(inside.clip(0))) / a
    x = o[:, 0] + depth * d[:, 0]
    flat = np.where((inside > 0)[:, None], np.where(x[:, None] > 0, colors[0], colors[1]), 255.0)
    return flat.reshape(cameras.height, cameras.width, 3).astype(np.uint8)
