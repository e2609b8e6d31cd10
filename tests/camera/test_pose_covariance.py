"""The covariance of a solved pose, against what happens to poses that are solved again and again."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monoform.camera import Camera, se3_exp
from monoform.camera.lie import se3_log
from monoform.camera.pnp import PnpOptions, solve_pnp
from monoform.camera.pose_covariance import pose_covariance

NOISE, POINTS, TRIALS = 0.4, 120, 200


def scene() -> tuple[Camera, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand((POINTS, 3), generator=generator, dtype=torch.float64) - 0.5
    pose = se3_exp(torch.tensor([[0.2, -0.4, 0.1, 0.05, -0.1, -2.0]], dtype=torch.float64))
    intrinsics = torch.tensor([[[150.0, 0, 64], [0, 150.0, 64], [0, 0, 1]]], dtype=torch.float64)
    return Camera(pose, intrinsics, 128, 128), points


def test_it_is_the_spread_of_poses_solved_from_noisy_pixels() -> None:
    camera, points = scene()
    true = camera.project(points[None])[0]
    generator = torch.Generator().manual_seed(1)
    pixels = true + NOISE * torch.randn((TRIALS, POINTS, 2), generator=generator, dtype=torch.float64)
    found = solve_pnp(
        points.expand(TRIALS, -1, -1),
        pixels,
        torch.ones(TRIALS, POINTS),
        camera.intrinsics.expand(TRIALS, 1, 3, 3),
        options=PnpOptions(samples=0),
    )
    solved = torch.linalg.inv(found.camera_from_world[:, 0])
    motions = se3_log(torch.linalg.inv(camera.world_from_camera) @ solved)
    spread = motions.T.cov()
    told = torch.stack(
        [
            pose_covariance(
                Camera(solved[k : k + 1], camera.intrinsics, 128, 128), points, pixels[k], torch.ones(POINTS)
            )
            for k in range(20)
        ]
    ).mean(dim=0)
    ratio = told.diagonal() / spread.diagonal()
    assert ratio.min() > 0.7 and ratio.max() < 1.4
    scale = spread.diagonal().rsqrt()
    assert ((told - spread) * scale[:, None] * scale).abs().max() < 0.4, "and so are the correlations"


def test_wrong_points_do_not_make_a_sure_pose_unsure() -> None:
    camera, points = scene()
    pixels = camera.project(points[None])[0][0]
    pixels = pixels + NOISE * torch.randn(pixels.shape, generator=torch.Generator().manual_seed(2)).double()
    clean = pose_covariance(camera, points, pixels, torch.ones(POINTS))
    pixels[:10] += 40.0
    spoiled = pose_covariance(camera, points, pixels, torch.ones(POINTS))
    assert clean is not None and spoiled is not None
    assert spoiled.diagonal().tolist() == pytest.approx(clean.diagonal().tolist(), rel=0.6)


def test_what_the_image_does_not_fix_has_none() -> None:
    camera, points = scene()
    seen = camera.project(points[None])[0][0]
    line = torch.linspace(-0.4, 0.4, POINTS).double()[:, None] * torch.tensor([1.0, 0.5, 0.2]).double()
    assert pose_covariance(camera, line, camera.project(line[None])[0][0] + 0.1, torch.ones(POINTS)) is None
    assert pose_covariance(camera, points, seen, torch.zeros(POINTS)) is None
    flat = replace(camera, model="orthographic")
    told = pose_covariance(flat, points, flat.project(points[None])[0][0] + 0.1, torch.ones(POINTS))
    assert told is None, "an orthographic camera may be anywhere along its axis"
