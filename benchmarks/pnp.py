"""Cameras from coordinate maps: the batched solver against the published procedure through OpenCV.

    python benchmarks/pnp.py [--maps 100] [--size 32] [--seed 0] [--noise 0 0.01 0.03]

Each map shows an ellipsoid of other radii from another camera, rendered by the solution of a quadratic equation. Noise
is normal and of the same size in all three coordinates, in units of the largest radius. Outliers are pixels whose
coordinates are uniform in the object's box. Printed are the median rotation error in degrees, in brackets the share of
maps with less than 5 degrees, and the seconds for one map with 11 focal lengths.
"""

from __future__ import annotations

import argparse
import time
from itertools import product

import torch
from torch import Tensor

from monoform.camera import look_at, rotation_from_quaternion, to_opengl
from monoform.camera.pnp import PnpOptions
from monoform.methods.bootstrap.estimate_pose import PoseOptions, estimate_cameras, focal_guesses
from monoform.methods.bootstrap.pose_parameters import rotation_degrees

SOLVERS = {
    "published (OpenCV)": PoseOptions(published=True),
    "least squares": PoseOptions(PnpOptions(samples=0)),
    "robust, the default": PoseOptions(),
}


def ellipsoids(count: int, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Coordinate maps (n, h, w, 3), masks, the cameras' matrices with OpenGL's axes, focal lengths in widths."""
    radii = 0.3 + 0.7 * torch.rand(count, 3, generator=draw)
    radii[:, 0] = 1.0
    focal = 0.9 * (0.35 * torch.randn(count, generator=draw)).exp().clamp(0.5, 2.0)
    eye = torch.nn.functional.normalize(torch.randn(count, 3, generator=draw), dim=1)
    eye = eye * (2.6 * focal.clamp_min(0.75))[:, None]
    camera = look_at(eye, 0.1 * torch.randn(count, 3, generator=draw))
    roll = 0.3 * torch.randn(count, generator=draw)
    zero = torch.zeros_like(roll)
    quaternion = torch.stack([torch.cos(roll / 2), zero, zero, torch.sin(roll / 2)], dim=1)
    camera[:, :3, :3] = camera[:, :3, :3] @ rotation_from_quaternion(quaternion)
    places = torch.arange(size) / size - 0.5
    x, y = torch.meshgrid(places, places, indexing="xy")
    rays = torch.stack([x.expand(count, -1, -1) / focal[:, None, None], y / focal[:, None, None]], dim=-1)
    rays = torch.cat([rays, torch.ones_like(rays[..., :1])], dim=-1)
    directions = torch.einsum("nab,nhwb->nhwa", camera[:, :3, :3], rays) / radii[:, None, None]
    origins = (camera[:, :3, 3] / radii)[:, None, None]
    a, b = directions.square().sum(-1), (directions * origins).sum(-1)
    root = b.square() - a * (origins.square().sum(-1) - 1.0)
    depth = (-b - root.clamp_min(0).sqrt()) / a
    points = (origins + directions * depth[..., None]) * radii[:, None, None]
    return points, (root > 0).float(), to_opengl(camera), focal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=100)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--noise", type=float, nargs="+", default=[0.0, 0.01, 0.03])
    given = parser.parse_args()
    draw = torch.Generator().manual_seed(given.seed)
    points, mask, camera, focal = ellipsoids(given.maps, given.size, draw)
    guesses = focal_guesses(focal)
    print(f"{given.maps} maps of {given.size} x {given.size}, {int(mask.sum()) // given.maps} points each on average")
    print("| noise | outliers | focal length | " + " | ".join(SOLVERS) + " |")
    print("|---" * (3 + len(SOLVERS)) + "|")
    for noise, outliers in product(given.noise, (0.0, 0.3)):
        noisy = points + noise * torch.randn(points.shape, generator=draw)
        wrong = torch.rand(mask.shape, generator=draw) < outliers
        noisy = torch.where(wrong[..., None], 2 * torch.rand(points.shape, generator=draw) - 1, noisy)
        for known in (True, False):
            cells = []
            for options in SOLVERS.values():
                errors = torch.empty(given.maps)
                began = time.perf_counter()
                for n in range(given.maps):
                    one = slice(n, n + 1)
                    focals = focal[one].double() if known else guesses
                    found = estimate_cameras(noisy[one], mask[one], focals, options=options)
                    errors[n] = rotation_degrees(found.world_from_camera[:, 0].double(), camera[one].double())
                seconds = (time.perf_counter() - began) / given.maps
                cells.append(f"{float(errors.median()):.3f} ({float((errors < 5).float().mean()):.2f}) {seconds:.3f} s")
            print(f"| {noise} | {outliers} | {'known' if known else 'guessed'} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
