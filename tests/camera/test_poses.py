"""look_at, orbit and random poses."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.camera.camera_strategies import vectors
from torch import Tensor

from monoform import InputError
from monoform.camera import GaussianAngles, UniformSphere, UniformZone, look_at, orbit, spherical_position


@given(vectors, vectors)
def test_look_at_sees_its_target_in_the_middle_and_up_is_up(eye: Tensor, target: Tensor) -> None:
    assume(float((eye - target).norm()) > 1e-3)
    pose = look_at(eye[None], target[None])[0]
    rotation, forward = pose[:3, :3], (target - eye) / (target - eye).norm()
    assert torch.allclose(rotation.T @ rotation, torch.eye(3).double(), atol=1e-9)
    assert float(torch.linalg.det(rotation)) > 0
    assert torch.allclose(rotation[:, 2], forward, atol=1e-9)
    assert torch.equal(pose[:3, 3], eye)
    # The image's right is level, and up in the image is never down in the world; both but for a view that is within
    # 1e-4 of straight up or down, where the direction that the image's right takes is a limit.
    assert abs(float(rotation[1, 0])) < 2e-4
    assert float(-rotation[1, 1]) > -2e-4


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_straight_above_and_below_are_the_limits(sign: float) -> None:
    exact = look_at(torch.tensor([[0.0, 2.0 * sign, 0.0]]).double())
    close = look_at(spherical_position(torch.zeros(1).double(), torch.tensor([sign * (math.pi / 2 - 1e-3)]), 2.0))
    assert torch.allclose(exact, close, atol=5e-3)
    assert torch.equal(exact[0, :3, 0], torch.tensor([1.0, 0.0, 0.0]).double())


def test_numbers_keep_the_precision_of_the_tensors() -> None:
    eye = torch.tensor([[0.3, 0.2, 2.0]], dtype=torch.float64)
    target, up = (0.1, -0.7, 0.3), (0.1, 1.0, 0.3)
    axis = torch.tensor([up], dtype=torch.float64)
    pose = look_at(eye, target, up)[0]
    forward = torch.tensor([target], dtype=torch.float64) - eye
    assert float(torch.linalg.cross(pose[None, :3, 2], forward).norm()) < 1e-15
    assert abs(float(axis @ pose[:3, 0])) < 1e-15
    assert abs(float(spherical_position(eye[0, :1], eye[0, 1:2], 0.1).norm()) - 0.1) < 1e-16


def test_another_up_axis() -> None:
    pose = look_at(torch.tensor([[2.0, 0.0, 0.0]]), up=(0.0, 0.0, 1.0))[0]
    assert torch.allclose(-pose[:3, 1], torch.tensor([0.0, 0.0, 1.0]))
    above = look_at(torch.tensor([[0.0, 0.0, 2.0]]), up=(0.0, 0.0, 1.0))[0]
    assert torch.allclose(above[:3, 2], torch.tensor([0.0, 0.0, -1.0]))
    assert torch.isfinite(above).all()


def test_orbit_starts_in_front_and_turns_towards_x() -> None:
    camera = orbit(4, elevation=0.0, distance=2.0, fov_y=0.8, width=8, height=6)
    expected = torch.tensor([[0.0, 0, 2], [2, 0, 0], [0, 0, -2], [-2, 0, 0]])
    assert torch.allclose(camera.position, expected, atol=1e-6)
    assert torch.allclose(camera.world_from_camera[0, :3, 2], torch.tensor([0.0, 0.0, -1.0]))
    raised = orbit(4, elevation=0.5, distance=2.0, fov_y=0.8, width=8, height=6, start=math.pi / 2)
    assert torch.allclose(raised.position[:, 1], torch.full((4,), 2.0 * math.sin(0.5)))
    assert float(raised.position[0, 0]) > 1.0
    pixels, depth = raised.project(torch.zeros(4, 1, 3))
    assert torch.allclose(pixels, torch.tensor([4.0, 3.0]).expand(4, 1, 2), atol=1e-5)
    assert torch.allclose(depth, torch.full((4, 1), 2.0))


def test_uniform_sphere_is_uniform_by_area() -> None:
    camera = UniformSphere(distance=3.0).sample(20000, torch.Generator().manual_seed(0))
    directions = camera.position / 3.0
    assert torch.allclose(directions.norm(dim=-1), torch.ones(20000), atol=1e-5)
    # Mean 0 and covariance 1/3: five standard errors of 20000 draws.
    assert float(directions.mean(0).abs().max()) < 0.021
    assert torch.allclose(directions.T @ directions / 20000, torch.eye(3) / 3, atol=0.012)


@given(st.floats(-1.5, 1.0), st.floats(0.0, 0.5), st.integers(0, 9))
def test_zone_keeps_its_limits(low: float, extent: float, seed: int) -> None:
    zone = UniformZone(elevation=(low, low + extent), azimuth=(-0.5, 0.25), distance=1.5)
    azimuth, elevation = zone.angles(64, torch.Generator().manual_seed(seed))
    assert bool(((azimuth >= -0.5) & (azimuth <= 0.25)).all())
    assert bool(((elevation >= low - 1e-3) & (elevation <= low + extent + 1e-3)).all())


def test_gaussian_angles_have_their_moments() -> None:
    normal = GaussianAngles(azimuth=(0.4, 0.3), elevation=(-0.1, 0.15))
    azimuth, elevation = normal.angles(20000, torch.Generator().manual_seed(1))
    assert abs(float(azimuth.mean()) - 0.4) < 0.011 and abs(float(azimuth.std()) - 0.3) < 0.008
    assert abs(float(elevation.mean()) + 0.1) < 0.006 and abs(float(elevation.std()) - 0.15) < 0.004


def test_same_seed_same_cameras() -> None:
    draw = [GaussianAngles().sample(3, torch.Generator().manual_seed(5)).world_from_camera for _ in range(2)]
    assert torch.equal(*draw)


def test_impossible_distributions_are_refused() -> None:
    with pytest.raises(InputError, match="elevation"):
        UniformZone(elevation=(0.5, 0.1))
    with pytest.raises(InputError, match="azimuth"):
        UniformZone(azimuth=(0.5, 0.1))
    with pytest.raises(InputError, match="deviations"):
        GaussianAngles(azimuth=(0.0, -1.0))


def test_poses_without_a_direction_are_refused() -> None:
    with pytest.raises(InputError, match="no direction"):
        look_at(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    with pytest.raises(InputError, match="zero up"):
        look_at(torch.ones(1, 3), up=(0.0, 0.0, 0.0))
    for n, distance in ((0, 1.0), (3, 0.0), (3, math.nan)):
        with pytest.raises(InputError, match="orbit"):
            orbit(n, elevation=0.0, distance=distance, fov_y=0.8, width=4, height=4)
