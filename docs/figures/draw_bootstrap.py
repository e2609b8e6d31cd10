"""The pictures of docs/bootstrap.md: samples, one of them all around, and photos being refined.

    python docs/figures/draw_bootstrap.py CARS [WEIGHTS]

CARS is a folder of `monoform prepare renders --layout p3d`, of whose test objects photos are made; WEIGHTS a folder
with generator and encoder, those that ship where it is left out.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import cast

import numpy as np
import torch
from PIL import Image

from monoform.camera import Camera, look_at, spherical_position
from monoform.methods import make
from monoform.methods.bootstrap.cameras import camera_of
from monoform.methods.bootstrap.infer import SHIPPED, Bootstrap
from monoform.methods.bootstrap.inversion_options import InversionOptions
from monoform.methods.bootstrap.invert import invert

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "benchmarks" / "generators"))
from bootstrap_inversion import photographed  # noqa: E402

SAMPLES, COLUMNS, AROUND, PHOTOS, STEPS, ZOOM = 24, 12, 12, 5, (0, 10, 30, 100), 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cars", type=Path)
    parser.add_argument("weights", nargs="?", default=str(SHIPPED.folder))
    asked = parser.parse_args()
    method = cast(Bootstrap, make("bootstrap", weights=asked.weights))
    save(samples(method), "bootstrap_samples.jpg")
    save(refined(method, asked.cars), "bootstrap_refined.jpg")


def save(rows: list[np.ndarray], name: str) -> None:
    """Rows of pictures 0..1, twice as large."""
    whole = Image.fromarray(np.rint(255 * np.concatenate(rows).clip(0, 1)).astype(np.uint8))
    whole = whole.resize((ZOOM * whole.width, ZOOM * whole.height), Image.Resampling.NEAREST)
    whole.save(HERE / name, quality=90)


@torch.no_grad()
def samples(method: Bootstrap) -> list[np.ndarray]:
    """The first samples from cameras of the training, not chosen; the first of them all around; and its normals."""
    net, scene = method.net, method.net.config.scene
    size = net.config.resolution
    z = torch.stack([method.latent(torch.Generator().manual_seed(seed)) for seed in range(SAMPLES)])
    poses, focals = torch.tensor(scene.poses[:SAMPLES]).reshape(-1, 4, 4), torch.tensor(scene.pose_focals[:SAMPLES])
    seen = net.render(net.styles(net.map(z)), camera_of(poses, focals, (size, size))).rgb / 2 + 0.5
    rows = [np.concatenate(list(row.numpy()), axis=1) for row in seen.split(COLUMNS)]
    azimuth = torch.arange(AROUND) * (2 * math.pi / AROUND)
    motion = look_at(spherical_position(azimuth, torch.full_like(azimuth, math.radians(15)), 3.7)).float()
    cameras = Camera.from_fov(motion, 2 * math.atan(0.5 / 1.2), size, size)
    turned = net.render(net.styles(net.map(z[:1])).expand(AROUND, -1, -1), cameras).rgb / 2 + 0.5
    return [*rows, np.concatenate(list(turned.numpy()), axis=1)]


def refined(method: Bootstrap, cars: Path) -> list[np.ndarray]:
    """Photo; renders by its camera after 0, 10, 30 and 100 steps; two unseen views after 100 beside their truth."""
    net, rows = method.net, []
    size = net.config.resolution
    for view in photographed(cars, PHOTOS, net):
        draws = torch.Generator().manual_seed(0)
        told, cameras = method.encoded(view.square, None, draws)
        assert told.latent is not None
        shown = [view.square.rgb / 2 + 0.5]
        for steps in STEPS:
            options = InversionOptions(steps=steps, counting="object")
            target = view.square.target(None, torch.device("cpu"))
            found = invert(net, target, told.latent, cameras, method.objective, options, generator=draws)
            with torch.no_grad():
                camera = camera_of(found.world_from_camera, found.focal, (size, size))
                shown.append(net.render(found.styles, camera).rgb[0] / 2 + 0.5)
        for number, truth in enumerate(view.unseen, start=1):
            with torch.no_grad():
                shown += [truth, net.render(found.styles, view.cameras[number]).rgb[0] / 2 + 0.5]
        rows.append(torch.cat(shown, dim=1).numpy())
    return rows


if __name__ == "__main__":
    main()
