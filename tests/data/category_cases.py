"""Tiny sets of photos of one category in the published layouts, written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.io import savemat
from tests.data import posed_files_cases

from monoform.camera import rotation_from_quaternion
from monoform.data.categories.run_lengths import RunLengthMask

WIDTH, HEIGHT = 40, 26
BOX = (8, 6, 27, 20)


def photo(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A box on a textured ground, and its mask."""
    columns, rows = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    image = np.stack((5 * columns, 9 * rows, np.full_like(rows, 20 * number)), axis=-1).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[BOX[1] : BOX[3] + 1, BOX[0] : BOX[2] + 1] = 1
    image[mask > 0, 2] = 200 - number
    return image, mask


def write_detections(root: Path, name: str = "p3d_car", count: int = 3, first: int = 0, **changes: Any) -> Path:
    """A list of detections whose last one has no camera; `changes` replace fields of the first entry."""
    kind, templates = ("imagenet", "multitpl") if name.startswith("imagenet") else ("p3d", "singletpl")
    entries = []
    for number in range(first, first + count):
        image, mask = photo(number)
        file = root / kind / "photos" / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
        entry = {"image_path": f"datasets/{kind}/photos/{number}.png", "bbox": np.array(BOX, np.float32)}
        entries.append(entry | {"mask": RunLengthMask.of(mask).entry()})
    entries[0].update(changes)
    folder = root / kind / name
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "detections.npy", np.array(entries, dtype=object), allow_pickle=True)
    draws = torch.Generator().manual_seed(first)
    used = count - 1
    poses = {
        "indices": torch.arange(used).flip(0),
        "z0": 0.2 * torch.randn(used, 1, generator=draws),
        "t": 0.1 * torch.randn(used, 2, generator=draws),
        "s": 0.7 + 0.1 * torch.rand(used, 1, generator=draws),
        "R": torch.randn(used, 4, generator=draws),
    }
    torch.save(poses, folder / f"poses_estimated_{templates}_perspective.bin")
    return root


def structures(entries: list[dict]) -> np.ndarray:
    found = np.empty(len(entries), dtype=[(name, object) for name in entries[0]])
    for number, entry in enumerate(entries):
        found[number] = tuple(entry.values())
    return found


def write_birds(root: Path, count: int = 3, part: str = "train") -> Path:
    release = root / "cub" / "CUB_200_2011"
    images, cameras = [], []
    for number in range(count):
        image, mask = photo(number)
        path = f"{number:03d}.Bird/b{number}.png"
        file = release / "images" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
        box = dict(zip(("x1", "y1", "x2", "y2"), [edge + 1 for edge in BOX], strict=True))
        images.append({"rel_path": path, "mask": mask, "bbox": box})
        rotation = rotation_from_quaternion(torch.randn(4, generator=torch.Generator().manual_seed(number)).double())
        cameras.append({"scale": 9.0 + number, "trans": np.array([18.0, 13.0 + number]), "rot": rotation.numpy()})
    (release / "images.txt").write_text("".join(f"{n + 1} {each['rel_path']}\n" for n, each in enumerate(images)))
    (release / "image_class_labels.txt").write_text("".join(f"{n + 1} {2 * n + 1}\n" for n in range(count)))
    for place in ("data", "sfm"):
        (root / "cub" / place).mkdir(exist_ok=True)
    savemat(root / f"cub/data/{part}_cub_cleaned.mat", {"images": structures(images)})
    savemat(root / f"cub/sfm/anno_{part}.mat", {"sfm_anno": structures(cameras)}, do_compression=True)
    return root


def write_carla(root: Path, count: int = 2) -> Path:
    poses = root / "carla" / "carla_poses"
    poses.mkdir(parents=True)
    for number, pose in enumerate(posed_files_cases.poses(count, 5.0).numpy()):
        Image.fromarray(np.full((32, 32, 3), 255 - number, np.uint8)).save(root / "carla" / f"{number}.png")
        np.save(poses / f"{number}_extrinsics.npy", (pose @ np.diag([1, -1, -1, 1]))[:3])
    np.save(poses / "intrinsics.npy", np.array([[[[40.0, 0, 16], [0, 40, 16], [0, 0, 1]]]]))
    return root
