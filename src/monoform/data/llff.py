"""Captures in the layout of LLFF: poses_bounds.npy and folders of photos (Mildenhall et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from ..camera import Camera, from_opengl
from ..errors import InputError
from ..inputs import read_array
from .capture import SUFFIXES, Capture, CaptureView, image_size

NEAREST = 0.75  # depth at which the nearest surface comes to lie, as 1 / NEAREST


@dataclass(frozen=True, eq=False)
class LlffPoses:
    """Cameras as published code uses them: OpenGL axes, scaled, recentred.

    Attributes:
        poses: camera to world; hwf: height, width and focal length in pixels of the photos that were chosen.
        bounds: nearest and farthest depth of each.
    """

    poses: Float[np.ndarray, "v 4 4"]
    hwf: Float[np.ndarray, "v 3"]
    bounds: Float[np.ndarray, "v 2"]


def read_poses_bounds(
    file: str | Path,
    *,
    factor: float = 1.0,
    size: tuple[int, int] | None = None,
    nearest: float | None = NEAREST,
    recentre: bool = True,
    spherify: bool = False,
) -> LlffPoses:
    """The cameras of a poses_bounds.npy in a world of their own.

    Args:
        factor: by which the photos are smaller than those that the file speaks of.
        size: (width, height) of the photos; None for what the file says, divided by the factor.
        nearest: scale the world so that the nearest depth becomes 1 / nearest; None leaves it.
        recentre: turn and move the world so that the mean camera becomes its axes.
        spherify: of photos all around an object: move the world to the place that they look at, with z upwards, and
            scale it so that the cameras are at distance 1 in the mean square.

    Raises:
        InputError: the file is missing or holds something else.
    """
    rows = _rows(Path(file))
    poses, hwf = rows[:, :15].reshape(-1, 3, 5)[:, :, :4], rows[:, :15].reshape(-1, 3, 5)[:, :, 4].copy()
    bounds = rows[:, 15:17].astype(np.float64)
    if size is not None:
        hwf[:, 0], hwf[:, 1], hwf[:, 2] = size[1], size[0], hwf[:, 2] / factor
    else:
        hwf /= factor
    # Their columns are down, right, backward; OpenGL's are right, up, backward.
    turned = np.concatenate([poses[:, :, 1:2], -poses[:, :, 0:1], poses[:, :, 2:4]], axis=2)
    square = np.tile(np.eye(4), (len(turned), 1, 1))
    square[:, :3] = turned
    if nearest is not None:
        scale = 1.0 / (bounds.min() * nearest)
        square[:, :3, 3] *= scale
        bounds = bounds * scale
    if recentre:
        square = np.linalg.inv(_mean_pose(square)) @ square
    if spherify:
        square, bounds = _spherified(square, bounds)
    return LlffPoses(square, hwf, bounds)


def open_llff(root: Path) -> Capture:
    """Photos of `images` or, where that is not there, of the largest `images_N`."""
    folder, factor = _images(root)
    files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)
    if not files:
        raise InputError(f"{folder} has no photo; put them there as PNG or JPEG.")
    size = image_size(files[0])
    read = read_poses_bounds(root / "poses_bounds.npy", factor=factor, size=size)
    if len(read.poses) != len(files):
        raise InputError(f"{root / 'poses_bounds.npy'} has {len(read.poses)} cameras for {len(files)} photos.")
    views = []
    for file, pose, (height, width, focal) in zip(files, read.poses, read.hwf, strict=True):
        intrinsics = torch.tensor([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])
        camera = Camera(from_opengl(torch.from_numpy(pose)).float()[None], intrinsics[None].float(), *size)
        views.append(CaptureView(file.name, file, "train", camera))
    return Capture(root, "llff", tuple(views), near_far=torch.from_numpy(read.bounds).float())


def _rows(file: Path) -> Float[np.ndarray, "v 17"]:
    rows = read_array(file, advice="write it again")
    if rows.ndim != 2 or rows.shape[1] != 17 or not len(rows) or rows.dtype.kind != "f":
        raise InputError(f"{file} has the shape {rows.shape}; LLFF writes 17 numbers for each photo.")
    rows = rows.astype(np.float64)
    if not np.isfinite(rows).all() or rows[:, 15:].min() <= 0 or rows[:, [4, 9, 14]].min() <= 0:
        raise InputError(f"{file} has depths, sizes or focal lengths that are not positive and finite.")
    return rows


def _images(root: Path) -> tuple[Path, float]:
    folders = {1: root / "images"} if (root / "images").is_dir() else {}
    for folder in root.glob("images_*"):
        number = folder.name.removeprefix("images_")
        if folder.is_dir() and number.isdigit() and int(number) > 0:
            folders.setdefault(int(number), folder)
    if not folders:
        raise InputError(f"{root} has no folder images (nor images_8 and the like).")
    factor = min(folders)
    return folders[factor], float(factor)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _mean_pose(poses: Float[np.ndarray, "v 4 4"]) -> Float[np.ndarray, "4 4"]:
    """At the mean position, looking along the mean axis, with the mean upward direction as far as that allows."""
    backward, upward = _unit(poses[:, :3, 2].sum(axis=0)), poses[:, :3, 1].sum(axis=0)
    right = _unit(np.cross(upward, backward))
    mean = np.eye(4)
    mean[:3, :3] = np.stack([right, _unit(np.cross(backward, right)), backward], axis=1)
    mean[:3, 3] = poses[:, :3, 3].mean(axis=0)
    return mean


def _spherified(
    poses: Float[np.ndarray, "v 4 4"], bounds: Float[np.ndarray, "v 2"]
) -> tuple[Float[np.ndarray, "v 4 4"], Float[np.ndarray, "v 2"]]:
    from .capture import looked_at

    centre = looked_at(torch.from_numpy(poses[:, :3, 3]), torch.from_numpy(poses[:, :3, 2])).numpy()
    upward = _unit((poses[:, :3, 3] - centre).mean(axis=0))
    first = _unit(np.cross([0.1, 0.2, 0.3], upward))
    world = np.eye(4)
    world[:3, :3] = np.stack([first, _unit(np.cross(upward, first)), upward], axis=1)
    world[:3, 3] = centre
    moved = np.linalg.inv(world) @ poses
    scale = 1.0 / np.sqrt((moved[:, :3, 3] ** 2).sum(axis=1).mean())
    moved[:, :3, 3] *= scale
    return moved, bounds * scale
