"""Draw docs/figures/pose.gif and pose_curve.png from the folder that examples/03_pose.py has written.

python examples/03_pose.py && python docs/figures/draw_pose.py pose_example docs/figures
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from PIL import Image

from monoform.camera import Camera
from monoform.jobs.estimate_pose import PoseOptions, estimate_pose
from monoform.jobs.pose_pictures import animation
from monoform.jobs.pose_scenes import open_scene
from monoform.scene.result_files import read_json


def main(made: Path, out: Path) -> None:
    """Find the pose once more, and keep the frames as a GIF of few colours."""
    scene = open_scene(made / "scene")
    start = Camera.from_dict(read_json(made / "scene" / "camera.json"))
    found = estimate_pose(str(made / "photo.png"), scene, PoseOptions(start=start.resized(*found_size(made))))
    frames = [
        Image.fromarray((frame * 255).astype("uint8")).quantize(48)
        for frame in animation(found.photo, found.estimate, scene, 12)
    ]
    frames[0].save(out / "pose.gif", save_all=True, append_images=frames[1:], duration=250, loop=0, optimize=True)
    shutil.copy(made / "pose" / "convergence.png", out / "pose_curve.png")


def found_size(made: Path) -> tuple[int, int]:
    """Width and height of the picture."""
    return Image.open(made / "photo.png").size


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
