"""Render meshes into captures whose poses are known, for `benchmarks/pose_calibration.py`.

    python benchmarks/pose_captures.py MESH ... -o OUT [--train 48 --test 10 --size 256]

Each mesh becomes a folder OUT/NAME with transparent photos and a transforms.json: cameras evenly random on a sphere, at
distances that vary by a fifth, rolled a little and not quite pointed at the center. The light goes with the camera,
each photo has an exposure of its own and noise, so that a scene trained on them errs as one of real photos does.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from monoform.camera import Camera, look_at, so3_exp
from monoform.camera.transforms_json import transforms_from_cameras
from monoform.mesh import Mesh, load
from monoform.render.mesh import render_mesh

FOV = math.radians(35.0)
EXPOSURE = 0.08  # deviation of the logarithm of a photo's gain
NOISE = 0.01


def capture(mesh: Mesh, out: Path, train: int, test: int, size: int, seed: int) -> None:
    """Write one."""
    random = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    named = []
    for number in range(train + test):
        name = f"{'train' if number < train else 'test'}_{number:03d}.png"
        camera = camera_around(random, mesh, size)
        seen = render_mesh(mesh, camera, shading="lit", samples=3)
        gain, alpha = math.exp(random.normal(0.0, EXPOSURE)), seen.alpha[..., None]
        own = (seen.rgb - (1.0 - alpha)) / np.maximum(alpha, 1e-3)  # without the white behind it
        colors = np.clip(own * gain + random.normal(0.0, NOISE, seen.rgb.shape), 0.0, 1.0)
        rgba = np.concatenate((colors, alpha), axis=-1)
        Image.fromarray(np.rint(255 * rgba).astype(np.uint8)).save(out / name)
        named.append((name, camera))
    content = transforms_from_cameras(named)
    content["train_filenames"] = [name for name, _ in named if name.startswith("train")]
    content["test_filenames"] = [name for name, _ in named if name.startswith("test")]
    (out / "transforms.json").write_text(json.dumps(content), encoding="utf-8")


def camera_around(random: np.random.Generator, mesh: Mesh, size: int) -> Camera:
    """A camera that has the whole mesh before it."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    center, radius = 0.5 * (low + high), 0.5 * float(np.linalg.norm(high - low))
    height, azimuth = random.uniform(-0.5, 0.9), random.uniform(0.0, 2 * math.pi)
    flat = math.sqrt(1.0 - height**2)
    direction = np.array([flat * math.sin(azimuth), height, flat * math.cos(azimuth)])
    eye = center + direction * radius / math.sin(FOV / 2) * random.uniform(0.95, 1.2)
    target = center + random.normal(0.0, 0.06 * radius, 3)
    pose = look_at(torch.from_numpy(eye)[None], tuple(target.tolist()))
    pose[:, :3, :3] = pose[:, :3, :3] @ so3_exp(torch.tensor([[0.0, 0.0, random.normal(0.0, 0.1)]]).to(pose))
    return Camera.from_fov(pose, FOV, size, size)


def main() -> None:
    """Render all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("meshes", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--train", type=int, default=48)
    parser.add_argument("--test", type=int, default=10)
    parser.add_argument("--size", type=int, default=256)
    asked = parser.parse_args()
    for seed, path in enumerate(asked.meshes):
        capture(load(path), asked.out / path.stem, asked.train, asked.test, asked.size, seed)
        print(asked.out / path.stem, flush=True)


if __name__ == "__main__":
    main()
