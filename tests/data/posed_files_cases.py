"""Tiny posed data sets, written by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monoform.camera import look_at, spherical_position, to_opengl, z_up_from_y_up

SIZE = 12


def poses(count: int, distance: float = 1.3) -> torch.Tensor:
    """Ours: around the origin, world Y up."""
    azimuth = torch.arange(count, dtype=torch.float64) * 0.7
    return look_at(spherical_position(azimuth, 0.3 + 0.1 * azimuth, distance))


def picture(number: int, *, blank: bool = False) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    if not blank:
        image[3:9, 2 + number % 3 : 8] = (10 * (number % 25) + 5, 100, 254)
    return image


def write_srn(root: Path, names: tuple[str, ...], *, views: int = 3, blank: tuple[str, ...] = ()) -> Path:
    """A folder like cars_test."""
    for name in names:
        for folder in ("rgb", "pose"):
            (root / name / folder).mkdir(parents=True)
        (root / name / "intrinsics.txt").write_text(f"13.5 6. 6. 0.\n\n0. 0. 0.\n1.\n{SIZE} {SIZE}\n\n")
        for view, pose in enumerate(z_up_from_y_up(poses(views))):
            Image.fromarray(picture(view, blank=name in blank)).save(root / name / "rgb" / f"{view:06d}.png")
            words = " ".join(f"{value:.9g}" for value in pose.flatten().tolist())
            (root / name / "pose" / f"{view:06d}.txt").write_text(words)
    return root


def write_dvr(root: Path, category: str, names: tuple[str, ...], *, views: int = 3, masks: bool = True) -> Path:
    """One category and its list of test objects."""
    for name in names:
        folder = root / category / name
        (folder / "image").mkdir(parents=True)
        arrays = {}
        for view, pose in enumerate(poses(views, 2.5).numpy()):
            Image.fromarray(picture(view)).save(folder / "image" / f"{view:04d}.png")
            arrays |= {f"world_mat_{view}": np.linalg.inv(pose)[:3], f"camera_mat_{view}": np.diag([3.0, 3.0, 1, 1])}
            if masks:
                (folder / "mask").mkdir(exist_ok=True)
                mask = (picture(view) != 255).all(-1).astype(np.uint8) * 255
                Image.fromarray(mask).save(folder / "mask" / f"{view:04d}.png")
        np.savez(folder / "cameras.npz", **arrays)
    (root / category / "softras_test.lst").write_text("\n".join(["", *names, " ", ""]))
    return root


def write_scene(folder: Path, *, views: int = 2) -> Path:
    """A scene of two objects; the last view is empty, the first half transparent."""
    folder.mkdir(parents=True)
    frames = []
    for view, pose in enumerate(to_opengl(z_up_from_y_up(poses(views, 6.0))).tolist()):
        alpha = np.zeros((SIZE, SIZE, 1), np.uint8)
        alpha[2:5, 4:9] = 0 if view == views - 1 else 51
        color = np.full((SIZE, SIZE, 3), 100, np.uint8)
        Image.fromarray(np.concatenate((color, alpha), axis=-1)).save(folder / f"view_{view}_obj.png")
        frames.append({"file_path": f"/somewhere/else/view_{view}", "transform_matrix": pose})
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.7, "frames": frames}))
    return folder
