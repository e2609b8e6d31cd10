"""Poses as variables: conventions, gradients, and known poses found again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import pytest
import torch
from torch import Tensor

from monoform.camera import Camera, look_at, rigid_inverse, se3_exp, spherical_position
from monoform.inversion import Variable, fit, moved, moved_camera, silhouette_loss, zoomed
from monoform.metrics import rotation_error, translation_error
from monoform.training import Cosine


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def camera(count: int = 1, *, size: int = 48) -> Camera:
    azimuth = torch.linspace(0.3, 1.1, count, dtype=torch.float64)
    pose = look_at(spherical_position(azimuth, torch.full_like(azimuth, 0.35), 1.8))
    return Camera.from_fov(pose, math.radians(40), size, size)


def test_no_motion_is_the_start_itself() -> None:
    start = camera(3).world_from_camera
    for about in ("camera", "world"):
        assert torch.equal(moved(start, torch.zeros(3, 6).double(), about=about), start)


def test_about_the_camera_moves_along_its_own_axes() -> None:
    start = camera(2).world_from_camera
    ahead = moved(start, torch.tensor([0, 0, 0, 0, 0, 0.25]).double().expand(2, 6))
    assert torch.allclose(ahead[:, :3, 3], start[:, :3, 3] + 0.25 * start[:, :3, 2])
    assert torch.equal(ahead[:, :3, :3], start[:, :3, :3])
    turned = moved(start, torch.tensor([0.1, -0.2, 0.3, 0, 0, 0]).double().expand(2, 6))
    assert torch.allclose(turned[:, :3, 3], start[:, :3, 3])


def test_about_the_world_a_turn_is_an_orbit() -> None:
    start = camera().world_from_camera
    orbited = moved(start, torch.tensor([[0, 0.5, 0, 0, 0, 0]]).double(), about="world")
    expected = look_at(spherical_position(torch.tensor([0.8]).double(), torch.tensor([0.35]).double(), 1.8))
    assert torch.allclose(orbited, expected, atol=1e-12)


def test_both_conventions_reach_the_same_poses() -> None:
    start, tangent = camera().world_from_camera, 0.3 * random(1, 6)
    motion = rigid_inverse(start) @ moved(start, tangent, about="world")
    assert torch.allclose(start @ motion, se3_exp(tangent) @ start, atol=1e-12)


def test_a_zoom_scales_focal_lengths_only() -> None:
    intrinsics = torch.tensor([[[50.0, 2.0, 24.0], [0.0, 60.0, 20.0], [0.0, 0.0, 1.0]]]).double()
    found = zoomed(intrinsics, torch.tensor([math.log(2.0)]).double())
    assert torch.allclose(found[0], torch.tensor([[100.0, 4.0, 24.0], [0.0, 120.0, 20.0], [0.0, 0.0, 1.0]]).double())


@pytest.mark.parametrize("about", ["camera", "world"])
def test_gradients_are_those_of_finite_differences(about: Literal["camera", "world"]) -> None:
    seen, points = camera(2), 0.3 * random(2, 5, 3)

    def pixels(tangent: Tensor, log_zoom: Tensor) -> Tensor:
        return moved_camera(seen, tangent, log_zoom, about=about).project(points)[0]

    inputs = (0.1 * random(2, 6, seed=1)).requires_grad_(), (0.1 * random(2, seed=2)).requires_grad_()
    assert torch.autograd.gradcheck(pixels, inputs)
    at_zero = torch.zeros(2, 6).double().requires_grad_(), torch.zeros(2).double().requires_grad_()
    assert torch.autograd.gradcheck(pixels, at_zero)


POINTS = 0.3 * random(1, 30, 3, seed=6)


def reprojection_fit(start: Camera, seen: Tensor, rates: Mapping[str, float]) -> Camera:
    """The camera fitted to where the points were seen."""

    def reprojection(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        moving = moved_camera(start, values["tangent"][None], values["zoom"][None], about="world")
        return {"pixels": (moving.project(POINTS)[0] - seen).square().mean()}

    zero = {"tangent": torch.zeros(6).double(), "zoom": torch.zeros(()).double()}
    variables = [Variable(name, zero[name], rate) for name, rate in rates.items()]
    found = fit(variables, reprojection, steps=500, schedule=Cosine(500), clip=1e3).values
    return moved_camera(start, found["tangent"][None], found["zoom"][None], about="world")


def test_a_pose_is_found_from_points() -> None:
    truth = camera()
    start = moved_camera(truth, 0.15 * random(1, 6, seed=3))
    found = reprojection_fit(start, truth.project(POINTS)[0], {"tangent": 0.02, "zoom": 0.0})
    assert rotation_error(start.world_from_camera[0], truth.world_from_camera[0]) > 0.1
    assert rotation_error(found.world_from_camera[0], truth.world_from_camera[0]) < 1e-3
    assert translation_error(found.world_from_camera[0], truth.world_from_camera[0]) < 1e-3
    assert torch.equal(found.intrinsics, truth.intrinsics)


def test_a_focal_length_is_found_from_points() -> None:
    truth = camera()
    start = moved_camera(truth, torch.zeros(1, 6).double(), torch.tensor([0.4]).double())
    found = reprojection_fit(start, truth.project(POINTS)[0], {"tangent": 0.0, "zoom": 0.02})
    assert float(found.intrinsics[0, 0, 0]) == pytest.approx(float(truth.intrinsics[0, 0, 0]), rel=1e-6)


BALLS = torch.tensor([[0.0, 0.0, 0.0], [0.3, 0.05, 0.1], [-0.1, 0.3, -0.05], [0.05, -0.1, 0.35]]).double()
RADII = torch.tensor([0.2, 0.12, 0.1, 0.08]).double()


def ball_silhouettes(cameras: Camera) -> Tensor:
    """Soft silhouettes (b, h w) of four balls: a pixel is covered where its ray passes a centre within its radius."""
    origins, directions = cameras.rays()
    offset = BALLS[None, :, None] - origins[:, None]
    along = (offset * directions[:, None]).sum(-1, keepdim=True)
    passing = (offset - along * directions[:, None]).norm(dim=-1)
    return 1 - torch.sigmoid((passing - RADII[:, None]) / 0.02).prod(dim=1)


def test_of_many_starts_the_right_one_finds_the_pose_behind_a_silhouette() -> None:
    truth = camera(size=32)
    seen = ball_silhouettes(truth)
    turns = torch.tensor([0.35, -1.2, 1.6, 2.6, -2.3]).double()
    tangents = torch.zeros(len(turns), 6).double()
    tangents[:, 1] = turns
    starts = moved(truth.world_from_camera.expand(len(turns), 4, 4), tangents, about="world")

    def compare(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        pose = moved(values["start"], values["tangent"], about="world")
        cameras = Camera(pose, truth.intrinsics.expand(len(pose), 3, 3), truth.width, truth.height)
        return {"silhouette": silhouette_loss(ball_silhouettes(cameras), seen)}

    variables = [Variable("tangent", torch.zeros_like(tangents), 0.03), Variable("start", starts, 0.0)]
    result = fit(variables, compare, steps=200, schedule=Cosine(200), hypotheses=True, prune={30: 3, 80: 1})
    found = result.winner()
    pose = moved(found["start"][None], found["tangent"][None], about="world")[0]
    assert rotation_error(pose, truth.world_from_camera[0]) < 1e-3
    assert translation_error(pose, truth.world_from_camera[0]) < 1e-3
