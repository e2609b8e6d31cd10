"""The paper's optimizer of poses against ours, from the same starts and with the same model of brightness.

    python benchmarks/pose_smooth.py [--starts 4] [--angle 20] [--steps 300] [--rays 1024] [--threads 1]

The field is smooth: a soft egg of density, painted in slow waves, nothing that two views of it could disagree on. Both
optimizers go from each start alone and take the colors as they are. Printed are the share of starts that end within 2
degrees and 2 % of the camera's distance, medians of the errors, and processor seconds until 2 degrees.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from monoform.camera import Camera, look_at
from monoform.methods import PoseEstimate, SceneBounds
from monoform.methods.inerf import Inerf, InerfOptions, PhotometricAdam, random_starts
from monoform.metrics.pose import rotation_error, translation_error
from monoform.nn import Field
from monoform.render import RaySampling
from monoform.render.camera_render import camera_colors
from monoform.render.ray_renderer import FieldRenderer
from monoform.scene import Photo

AXES = (0.36, 0.26, 0.3)


@dataclass(frozen=True)
class SoftEgg(Field):
    """Density that fades over a tenth of the egg, in colors that change slowly."""

    kind: ClassVar[Literal["density"]] = "density"
    representative_direction: ClassVar[None] = None

    @property
    def bounds(self) -> Tensor:
        return 1.3 * torch.tensor([[-1.0] * 3, [1.0] * 3]) * torch.tensor(AXES)

    def geometry(self, points: Tensor) -> Tensor:
        return 40.0 * torch.sigmoid((1.0 - (points / points.new_tensor(AXES)).norm(dim=-1)) / 0.05)

    def values(self, points: Tensor, directions: Tensor | None = None) -> Tensor:
        x, y, z = points.unbind(-1)
        waves = torch.sin(6 * x + 2 * y), torch.cos(7 * y - 4 * z), torch.sin(6 * z + 3 * x)
        return 0.5 + 0.35 * torch.stack(waves, dim=-1)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=4)
    parser.add_argument("--angle", type=float, default=20.0)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--rays", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    renderer = FieldRenderer(SoftEgg(), RaySampling(coarse=24, fine=12))
    true = Camera.from_fov(look_at(torch.tensor([[0.8, 0.6, 1.2]])), 0.7, 128, 96)
    picture = camera_colors(renderer, true).rgb.reshape(true.height, true.width, 3).numpy()
    descent = PhotometricAdam(steps=asked.steps, rays=asked.rays, sampling="object")
    alone = InerfOptions(starts=1, elsewhere=False, gain=0.0, longest=128)
    options = {"lm": alone, "adam": replace(alone, optimizer="adam", descent=descent)}
    poses = random_starts(
        true.world_from_camera[0],
        asked.starts,
        largest_angle=math.radians(asked.angle),
        largest_offset=0.1,
        generator=torch.Generator().manual_seed(0),
    )
    print("| optimizer | within 2 degrees, 2 % | median degrees | median % | processor seconds to 2 degrees |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, each in options.items():
        rows = [row_of(each, renderer, picture, true, pose) for pose in poses]
        angles, shares, seconds = np.array(rows).T
        right = ((angles < 2) & (shares < 2)).sum()
        medians = " | ".join(f"{np.median(values):.3g}" for values in (angles, shares, seconds))
        print(f"| {name} | {right} of {len(rows)} | {medians} |", flush=True)


def row_of(
    options: InerfOptions, renderer: FieldRenderer, picture: np.ndarray, true: Camera, start: Tensor
) -> tuple[float, float, float]:
    """Degrees and percent of the distance off at the end, and processor seconds until 2 degrees; infinity for never."""
    begun, used = time.perf_counter(), time.process_time()
    found = Inerf(options).estimate(
        Photo.open(picture),
        renderer,
        replace(true, world_from_camera=start[None]),
        scene_bounds=SceneBounds(radius=0.4),
        generator=torch.Generator().manual_seed(0),
    )
    share = (time.process_time() - used) / (time.perf_counter() - begun)
    pose = found.camera.world_from_camera
    distance = float(true.world_from_camera[0, :3, 3].norm())
    moved = float(translation_error(pose, true.world_from_camera)[0])
    turned = math.degrees(float(rotation_error(pose, true.world_from_camera)[0]))
    return turned, 100 * moved / distance, share * seconds_to(found, true, 2.0)


def seconds_to(found: PoseEstimate, true: Camera, degrees: float) -> float:
    """When the angle fell below so many degrees and stayed there."""
    angles = torch.rad2deg(rotation_error(found.path, true.world_from_camera.to(found.path).expand_as(found.path)))
    above = (angles >= degrees).nonzero()
    first = int(above[-1]) + 1 if len(above) else 0
    return float(found.seconds[first]) if first < len(found.path) else math.inf


if __name__ == "__main__":
    main()
