"""Captures in the layout of LLFF: poses_bounds.npy and folders of photos (Mildenhall et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from ...camera import Camera, from_opengl
from ...camera.sphere import nearest_point
from ...errors import InputError
from ...inputs import listed, picture_orientation, picture_size, read_array
from ...inputs.listing import PICTURE_SUFFIXES
from ...inputs.photo_names import ENDINGS
from .capture import Capture, CaptureView
from .colmap import upright_turn
from .geometry import faces_inward
from .photos import camera_of_size, photo_folders

NEAREST = 0.75  # depth at which the nearest surface comes to lie, as 1 / NEAREST


@dataclass(frozen=True, eq=False)
class LlffPoses:
    """Cameras as published code uses them: OpenGL axes, scaled, recentred.

    Attributes:
        poses: camera to world.
        hwf: height, width and focal length in pixels of the photos that were chosen.
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
    recenter: bool = True,
    spherify: bool = False,
) -> LlffPoses:
    """The cameras of a poses_bounds.npy in a world of their own.

    Args:
        factor: by which the photos are smaller than those that the file speaks of.
        size: (width, height) of the photos; None for what the file says, divided by the factor.
        nearest: scale the world so that the nearest depth becomes 1 / nearest; None leaves it.
        recenter: turn and move the world so that the mean camera becomes its axes.
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
    if recenter:
        square = np.linalg.inv(_mean_pose(square)) @ square
    if spherify:
        square, bounds = _spherified(square, bounds)
    return LlffPoses(square, hwf, bounds)


def open_llff(root: Path) -> Capture:
    """Photos of `images` or, where that is not there, of the largest `images_N`.

    The world is scaled by the nearest depth, and its middle is that of the cameras, as in published code. Photos that
    face forward have the mean camera for its axes; photos all around something have no mean camera, and are upright.
    """
    file = root / "poses_bounds.npy"
    read = read_poses_bounds(file, recenter=False)
    files, factor = _photos(root, file, len(read.poses))
    raw = from_opengl(torch.from_numpy(read.poses))
    around = faces_inward(raw[:, :3, 3], raw[:, :3, 2], -raw[:, :3, 1])
    if not around:
        read = read_poses_bounds(file)
    size = picture_size(files[0])
    cameras = []
    for pose, (height, width, focal) in zip(read.poses, read.hwf, strict=True):
        own = Camera(
            from_opengl(torch.from_numpy(pose)).float()[None],
            torch.tensor([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])[None].float(),
            max(1, round(width)),
            max(1, round(height)),
        )
        if factor > 1 and abs(size[0] - width / factor) <= 1 and abs(size[1] - height / factor) <= 1:
            # As published: the number in the folder's name, whatever the sizes were rounded to.
            focal /= factor
            matrix = torch.tensor([[focal, 0.0, 0.5 * size[0]], [0.0, focal, 0.5 * size[1]], [0.0, 0.0, 1.0]])
            own = Camera(own.world_from_camera, matrix[None].float(), *size)
        cameras.append(camera_of_size(own, size, files[0]))
    if around:
        turn = upright_turn(cameras, [picture_orientation(photo) for photo in files])
        middle = torch.stack([camera.world_from_camera[0, :3, 3] for camera in cameras]).mean(dim=0)
        for camera in cameras:
            camera.world_from_camera[0, :3, 3] -= middle
            camera.world_from_camera[:, :3] = turn @ camera.world_from_camera[:, :3]
    views = tuple(CaptureView(file.name, file, "train", camera) for file, camera in zip(files, cameras, strict=True))
    return Capture(root, "llff", views, near_far=torch.from_numpy(read.bounds).float())


def _photos(root: Path, file: Path, count: int) -> tuple[list[Path], float]:
    """The photos of the first folder that has one for each camera, and the number in its name."""
    counts: list[tuple[int, str]] = []
    for folder in photo_folders(root):
        files = listed(folder, PICTURE_SUFFIXES) or listed(folder, ENDINGS)
        if len(files) == count:
            number = folder.name.removeprefix("images_")
            return files, float(number) if number.isdigit() and int(number) > 0 else 1.0
        if files:
            counts.append((len(files), folder.name))
    if not counts:
        raise InputError(f"{root} has no photo in images, nor in images_8 and the like; put them there.")
    raise InputError(f"{file} has {count} cameras for {counts[0][0]} photos in {counts[0][1]}.")


def _rows(file: Path) -> Float[np.ndarray, "v 17"]:
    rows = read_array(file, advice="write it again")
    if rows.ndim != 2 or rows.shape[1] != 17 or not len(rows) or rows.dtype.kind != "f":
        raise InputError(f"{file} has the shape {rows.shape}; LLFF writes 17 numbers for each photo.")
    rows = rows.astype(np.float64)
    if not np.isfinite(rows).all() or rows[:, 15:].min() <= 0 or rows[:, [4, 9, 14]].min() <= 0:
        raise InputError(f"{file} has depths, sizes or focal lengths that are not positive and finite.")
    return rows


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _mean_pose(poses: Float[np.ndarray, "v 4 4"]) -> Float[np.ndarray, "4 4"]:
    """Mean pose: the mean position and axis, and the mean upward direction made orthogonal to the axis."""
    backward, upward = _unit(poses[:, :3, 2].sum(axis=0)), poses[:, :3, 1].sum(axis=0)
    right = _unit(np.cross(upward, backward))
    mean = np.eye(4)
    mean[:3, :3] = np.stack([right, _unit(np.cross(backward, right)), backward], axis=1)
    mean[:3, 3] = poses[:, :3, 3].mean(axis=0)
    return mean


def _spherified(
    poses: Float[np.ndarray, "v 4 4"], bounds: Float[np.ndarray, "v 2"]
) -> tuple[Float[np.ndarray, "v 4 4"], Float[np.ndarray, "v 2"]]:
    center = nearest_point(torch.from_numpy(poses[:, :3, 3]), torch.from_numpy(poses[:, :3, 2]))[0].numpy()
    upward = _unit((poses[:, :3, 3] - center).mean(axis=0))
    first = _unit(np.cross([0.1, 0.2, 0.3], upward))
    world = np.eye(4)
    world[:3, :3] = np.stack([first, _unit(np.cross(upward, first)), upward], axis=1)
    world[:3, 3] = center
    moved = np.linalg.inv(world) @ poses
    scale = 1.0 / np.sqrt((moved[:, :3, 3] ** 2).sum(axis=1).mean())
    moved[:, :3, 3] *= scale
    return moved, bounds * scale
