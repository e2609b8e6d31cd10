"""Cameras from points and the places where they are seen."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from monoform import InputError
from monoform.camera import Camera, rotation_from_quaternion
from monoform.camera.pnp import PnpOptions, solve_pnp

PLAIN = PnpOptions(samples=0)
SEEDS = st.integers(0, 2**31)


def cameras(count: int, draw: torch.Generator, model: str = "pinhole") -> Camera:
    """With any principal point, oblong pixels, and the origin somewhere before them."""
    normal = torch.randn(count, 12, generator=draw, dtype=torch.float64)
    pose = torch.eye(4).double().repeat(count, 1, 1)
    pose[:, :3, :3] = rotation_from_quaternion(normal[:, :4])
    shift = torch.cat([0.3 * normal[:, 4:6], 4.0 + normal[:, 6:7].abs()], dim=1)
    pose[:, :3, 3] = -(pose[:, :3, :3] @ shift[:, :, None])[:, :, 0]
    intrinsics = torch.zeros(count, 3, 3).double()
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = 100.0 * (0.2 * normal[:, 7]).exp()
    intrinsics[:, 1, 1] *= 1.1
    intrinsics[:, :2, 2] = 30.0 * normal[:, 8:10]
    intrinsics[:, 2, 2] = 1.0
    return Camera(pose, intrinsics, 64, 64, model)


def rotation_gap(ours: Tensor, camera: Camera) -> Tensor:
    gap = ours[:, :3, :3] - camera.camera_from_world[:, :3, :3]
    return gap.abs().amax(dim=(1, 2))


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(6, 40), st.booleans(), st.booleans())
def test_exact_points_give_the_exact_camera(seed: int, count: int, orthographic: bool, robust: bool):
    draw = torch.Generator().manual_seed(seed)
    camera = cameras(3, draw, "orthographic" if orthographic else "pinhole")
    points = torch.randn(3, count, 3, generator=draw, dtype=torch.float64)
    pixels, _ = camera.project(points)
    found = solve_pnp(
        points,
        pixels,
        torch.rand(3, count, generator=draw) + 0.1,
        camera.intrinsics[:, None],
        orthographic=orthographic,
        options=PnpOptions() if robust else PLAIN,
    )
    assert bool(found.found.all())
    assert float(found.error.max()) < 1e-5
    again, _ = found.camera(1, 0, 64, 64, camera.model).project(points[1:2])
    torch.testing.assert_close(again, pixels[1:2], atol=1e-4, rtol=0)
    assert float(rotation_gap(found.camera_from_world[:, 0], camera).max()) < 1e-5
    torch.testing.assert_close(found.intrinsics[:, 0], camera.intrinsics, atol=1e-3, rtol=1e-5)


def test_points_in_a_plane_are_enough():
    draw = torch.Generator().manual_seed(2)
    camera = cameras(5, draw)
    points = torch.randn(5, 30, 3, generator=draw, dtype=torch.float64)
    points[:, :, 2] = 0.2
    pixels, _ = camera.project(points)
    found = solve_pnp(points, pixels, torch.ones(5, 30), camera.intrinsics[:, None], options=PLAIN)
    assert float(found.error.max()) < 1e-6
    assert float(rotation_gap(found.camera_from_world[:, 0], camera).max()) < 1e-6


@pytest.mark.parametrize("orthographic", [False, True])
def test_a_third_of_wrong_points_does_not_matter(orthographic: bool):
    draw = torch.Generator().manual_seed(4)
    camera = cameras(8, draw, "orthographic" if orthographic else "pinhole")
    points = torch.randn(8, 300, 3, generator=draw, dtype=torch.float64)
    pixels, _ = camera.project(points)
    pixels = pixels + 0.2 * torch.randn(pixels.shape, generator=draw, dtype=torch.float64)
    wrong = points.clone()
    wrong[:, :100] = torch.randn(8, 100, 3, generator=draw, dtype=torch.float64)
    given = (wrong, pixels, torch.ones(8, 300), camera.intrinsics[:, None])
    robust = solve_pnp(*given, orthographic=orthographic)
    plain = solve_pnp(*given, orthographic=orthographic, options=PLAIN)
    assert float(rotation_gap(robust.camera_from_world[:, 0], camera).max()) < 0.01
    assert float(rotation_gap(plain.camera_from_world[:, 0], camera).median()) > 0.03
    assert bool(((robust.believed > 0.6) & (robust.believed < 0.75)).all())
    again = solve_pnp(*given, orthographic=orthographic)
    assert torch.equal(again.camera_from_world, robust.camera_from_world)


def test_rounds_that_fit_by_some_of_the_points_find_the_same():
    """A third of all points is wrong; one image has fewer points than are fitted, and all of them count at the end."""
    draw = torch.Generator().manual_seed(7)
    camera = cameras(3, draw)
    points = torch.randn(3, 400, 3, generator=draw, dtype=torch.float64)
    pixels = camera.project(points)[0]
    pixels = pixels + 0.1 * torch.randn(pixels.shape, generator=draw, dtype=torch.float64)
    points[:, ::3] = torch.randn(3, 134, 3, generator=draw, dtype=torch.float64)
    weights = torch.ones(3, 400)
    weights[1, 40:] = 0.0
    given = (points, pixels, weights, camera.intrinsics[:, None])
    whole, some = (solve_pnp(*given, options=PnpOptions(fitted=fitted)) for fitted in (400, 100))
    torch.testing.assert_close(some.camera_from_world, whole.camera_from_world, atol=1e-3, rtol=0)
    assert not torch.equal(some.camera_from_world, whole.camera_from_world)
    assert float(rotation_gap(some.camera_from_world[:, 0], camera).max()) < 0.01


def test_without_wrong_points_the_robust_answer_is_that_of_least_squares():
    draw = torch.Generator().manual_seed(5)
    camera = cameras(6, draw)
    points = torch.randn(6, 200, 3, generator=draw, dtype=torch.float64)
    pixels = camera.project(points)[0]
    pixels = pixels + 0.3 * torch.randn(pixels.shape, generator=draw, dtype=torch.float64)
    given = (points, pixels, torch.ones(6, 200), camera.intrinsics[:, None])
    robust, plain = solve_pnp(*given), solve_pnp(*given, options=PLAIN)
    same = (robust.believed[:, 0] == 1.0).nonzero()[:, 0]
    assert len(same) >= 3
    torch.testing.assert_close(robust.camera_from_world[same], plain.camera_from_world[same], atol=1e-5, rtol=0)
    torch.testing.assert_close(plain.error[:, 0], torch.full((6,), 0.3).double(), atol=0.03, rtol=0)


def test_weights_say_how_much_a_point_counts():
    draw = torch.Generator().manual_seed(6)
    camera = cameras(4, draw)
    points = torch.randn(4, 60, 3, generator=draw, dtype=torch.float64)
    pixels = camera.project(points)[0]
    pixels[:, :20] += 5.0
    errors = []
    for weight in (1.0, 0.1, 1e-3, 0.0):
        weights = torch.ones(4, 60).double()
        weights[:, :20] = weight
        found = solve_pnp(points, pixels, weights, camera.intrinsics[:, None], options=PLAIN)
        errors.append(float(rotation_gap(found.camera_from_world[:, 0], camera).mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-6 < errors[-2]


def test_the_right_focal_length_is_the_first_of_those_that_are_kept_and_can_be_refined():
    draw = torch.Generator().manual_seed(7)
    camera = cameras(5, draw)
    points = torch.randn(5, 80, 3, generator=draw, dtype=torch.float64)
    pixels, _ = camera.project(points)
    factors = torch.tensor([0.6, 0.85, 1.0, 1.3]).double()
    guesses = camera.intrinsics[:, None].repeat(1, 4, 1, 1)
    guesses[:, :, [0, 1], [0, 1]] *= factors[:, None]
    found = solve_pnp(points, pixels, torch.ones(5, 80), guesses)
    order = found.order()
    assert order[:, 0].tolist() == [2] * 5
    assert order[:, 3].tolist() == [0] * 5
    best = found.chosen(order[:, :2])
    assert best.error.shape == (5, 2) and bool((best.error[:, 0] < best.error[:, 1]).all())
    refined = solve_pnp(
        points, pixels, torch.ones(5, 80), guesses[:, 1:2], options=PnpOptions(samples=0, refine_focal=True, rounds=8)
    )
    torch.testing.assert_close(refined.intrinsics[:, 0], camera.intrinsics, atol=1e-3, rtol=1e-4)


def test_what_has_no_answer_is_flagged_and_leaves_the_others_alone():
    draw = torch.Generator().manual_seed(8)
    camera = cameras(5, draw)
    points = torch.randn(5, 40, 3, generator=draw, dtype=torch.float64)
    pixels, _ = camera.project(points)
    weights = torch.ones(5, 40)
    weights[0, 3:] = 0.0
    points[1] = points[1, :1] * torch.linspace(-1, 1, 40)[:, None]
    points[2, 5] = torch.nan
    points[3] = torch.inf
    for options in (PLAIN, PnpOptions()):
        found = solve_pnp(points, pixels, weights, camera.intrinsics[:, None], options=options)
        assert found.found[:, 0].tolist() == [False, False, True, False, True]
        assert found.error[:, 0].isinf().tolist() == [True, True, False, True, False]
        good = [2, 4]
        gap = found.camera_from_world[good, 0] - camera.camera_from_world[good]
        assert float(gap.abs().max()) < 1e-5
        assert bool((found.camera_from_world[[0, 1, 3], 0] == torch.eye(4)).all())


def test_what_cannot_be_asked_is_refused():
    eye = torch.eye(3)[None, None]
    with pytest.raises(InputError, match="weight that is negative"):
        solve_pnp(torch.rand(1, 5, 3), torch.rand(1, 5, 2), -torch.ones(1, 5), eye)
    with pytest.raises(InputError, match="sample_size 3"):
        PnpOptions(sample_size=3)
