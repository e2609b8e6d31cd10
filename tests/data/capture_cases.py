"""Tiny captures of a painted ball, written in the layouts of other programs."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monoform.camera import (
    Camera,
    colmap_from_cameras,
    look_at,
    quaternion_from_rotation,
    spherical_position,
    to_opengl,
    transforms_from_cameras,
)
from monoform.render.bounds import ray_sphere

RADIUS = 0.45


def orbit_cameras(n: int = 9, *, width: int = 24, height: int = 20, distance: float = 2.0) -> list[Camera]:
    """Around the origin, at several heights, each a batch of one."""
    azimuth = torch.arange(n, dtype=torch.float64) * 2.4
    elevation = 0.9 * torch.sin(1.7 * torch.arange(n, dtype=torch.float64))
    poses = look_at(spherical_position(azimuth, elevation, distance)).float()
    focal = 1.6 * width
    matrix = torch.tensor([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])
    return [Camera(pose[None], matrix[None], width, height) for pose in poses]


def ball_picture(camera: Camera) -> np.ndarray:
    """RGBA of a ball whose colour is a function of the place on it; transparent elsewhere, bytes."""
    origins, directions = (rays[0] for rays in camera.rays())
    near, _, hit = ray_sphere(origins, directions, RADIUS)
    points = origins + near[:, None] * directions
    rgb = 0.5 + 0.45 * torch.sin(torch.tensor([5.0, 7.0, 6.0]) * points + torch.tensor([0.0, 1.0, 2.0]))
    rgba = torch.cat((rgb, torch.ones(len(rgb), 1)), dim=1) * hit[:, None]
    return np.rint(255 * rgba.reshape(camera.height, camera.width, 4).numpy()).astype(np.uint8)


def write_photos(folder: Path, cameras: list[Camera], names: list[str], *, alpha: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for camera, name in zip(cameras, names, strict=True):
        picture = ball_picture(camera)
        if not alpha:
            rest = 1 - picture[..., 3:] / 255.0
            picture = np.rint(picture[..., :3] + 255 * rest * [0.1, 0.05, 0.1]).astype(np.uint8)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(folder / name)


def write_transforms(root: Path, cameras: list[Camera], *, world_up: str = "z", alpha: bool = True, **more) -> None:
    names = [f"images/{number:02d}.png" for number in range(len(cameras))]
    write_photos(root, cameras, names, alpha=alpha)
    content = transforms_from_cameras(list(zip(names, cameras, strict=True)), world_up=world_up)
    (root / "transforms.json").write_text(json.dumps(content | more))


def write_blender(root: Path, cameras: list[Camera]) -> None:
    for split, own in (("train", cameras[:-2]), ("val", cameras[-2:-1]), ("test", cameras[-1:])):
        names = [f"./{split}/r_{number}" for number in range(len(own))]
        write_photos(root, own, [f"{name}.png" for name in names])
        content = transforms_from_cameras(list(zip(names, own, strict=True)))
        angle = 2 * float(torch.atan(0.5 * own[0].width / own[0].intrinsics[0, 0, 0]))
        frames = [{key: frame[key] for key in ("file_path", "transform_matrix")} for frame in content["frames"]]
        (root / f"transforms_{split}.json").write_text(json.dumps({"camera_angle_x": angle, "frames": frames}))


def write_llff(root: Path, cameras: list[Camera], bounds: np.ndarray) -> None:
    write_photos(root / "images", cameras, [f"im{number:02d}.png" for number in range(len(cameras))], alpha=False)
    rows = []
    for camera, limits in zip(cameras, bounds, strict=True):
        pose = to_opengl(camera.world_from_camera)[0].double().numpy()
        right, up, back, center = pose[:3].T
        hwf = [camera.height, camera.width, float(camera.intrinsics[0, 0, 0])]
        rows.append([*np.stack([-up, right, back, center, hwf], axis=1).flatten(), *limits])
    np.save(root / "poses_bounds.npy", np.array(rows))


def write_colmap(root: Path, cameras: list[Camera], points: np.ndarray, *, binary: bool) -> None:
    names = [f"{number:02d}.png" for number in range(len(cameras))]
    write_photos(root / "images", cameras, names, alpha=False)
    folder = root / "sparse" / "0"
    folder.mkdir(parents=True)
    if not binary:
        files = colmap_from_cameras(list(zip(names, cameras, strict=True)))
        for name, text in zip(("cameras", "images"), files, strict=True):
            (folder / f"{name}.txt").write_text(text)
        lines = [f"{number} {x} {y} {z} 10 20 30 0.5 1 2" for number, (x, y, z) in enumerate(points.tolist())]
        (folder / "points3D.txt").write_text("# points\n" + "\n".join(lines) + "\n")
        return
    for name, data in zip(("cameras", "images", "points3D"), binary_model(names, cameras, points), strict=True):
        (folder / f"{name}.bin").write_bytes(data)


def binary_model(names: list[str], cameras: list[Camera], points: np.ndarray) -> tuple[bytes, bytes, bytes]:
    """As COLMAP writes it: little-endian counts and records."""
    first, second = [struct.pack("<Q", len(cameras))], [struct.pack("<Q", len(cameras))]
    for number, (name, camera) in enumerate(zip(names, cameras, strict=True), start=1):
        (fx, _, cx), (_, fy, cy), _ = camera.intrinsics[0].tolist()
        first.append(struct.pack("<iiQQ4d", number, 1, camera.width, camera.height, fx, fy, cx, cy))
        motion = camera.camera_from_world[0].double()
        pose = [*quaternion_from_rotation(motion[:3, :3]).tolist(), *motion[:3, 3].tolist()]
        features = struct.pack("<Qddqddq", 2, 1.0, 2.0, -1, 3.0, 4.0, 7)
        second.append(struct.pack("<i7di", number, *pose, number) + name.encode() + b"\0" + features)
    third = [struct.pack("<Q", len(points))]
    for number, (x, y, z) in enumerate(points.tolist()):
        third.append(struct.pack("<Q3d3Bd", number, x, y, z, 1, 2, 3, 0.5) + struct.pack("<Qii", 1, 4, 5))
    return b"".join(first), b"".join(second), b"".join(third)


def surface_points(n: int = 400) -> np.ndarray:
    draws = np.random.default_rng(0).normal(size=(n, 3))
    return RADIUS * draws / np.linalg.norm(draws, axis=1, keepdims=True)
