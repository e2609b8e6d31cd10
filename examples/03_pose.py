"""Find the camera of a picture: reconstruct an object, look at it from a secret place, and find that place again.

    python examples/03_pose.py [PHOTO] [OUT]

Writes OUT/photo.png, OUT/scene (the reconstruction) and OUT/pose: camera.json, overlay.png, convergence.mp4 and .png.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import monoform
from monoform.camera import Camera
from monoform.jobs.estimate_pose import PoseOptions, estimate_to_folder
from monoform.jobs.pose_scenes import open_scene
from monoform.methods.inerf import random_starts


def secret_camera(camera: Camera) -> Camera:
    """The photo's camera, smaller, and turned about the object by up to 35 degrees."""
    generator = torch.Generator().manual_seed(4)
    pose = random_starts(
        camera.world_from_camera[0], 1, largest_angle=math.radians(35), largest_offset=0.1, generator=generator
    )
    small = camera.resized(400, round(400 * camera.height / camera.width))
    return replace(small, world_from_camera=pose)


def main(photo: str, out: Path) -> None:
    """Reconstruct, look, find."""
    mask = Path(photo).with_name(f"{Path(photo).stem}_mask.png")
    result = monoform.reconstruct(photo, method="inflate", mask=str(mask) if mask.is_file() else None)
    result.save(out / "scene")
    camera = secret_camera(result.camera)
    Image.fromarray(np.round(result.render(camera).rgb * 255).astype(np.uint8)).save(out / "photo.png")

    scene = open_scene(out / "scene")
    found = estimate_to_folder(str(out / "photo.png"), out / "pose", scene, PoseOptions(), truth=camera)
    print(f"believed: {found.estimate.converged}, {found.seconds:.1f} s")
    for name, value in found.errors.items():
        print(f"  {name}: {value:.4f}")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    place = Path(arguments[1] if len(arguments) > 1 else "pose_example")
    place.mkdir(parents=True, exist_ok=True)
    main(arguments[0] if arguments else str(Path(__file__).with_name("coffee.jpg")), place)
