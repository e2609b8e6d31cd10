"""Poses by least squares: exact recovery, derivatives against finite differences, covariance against many trials."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from tests.methods.inerf.painted import CAMERA, RENDERER, TRUE_POSE, at, photo, starts
from torch import Tensor

from monoform.camera import Camera, se3_log
from monoform.camera.rigid import rigid_inverse
from monoform.errors import InputError
from monoform.inversion import moved, zoomed
from monoform.methods.inerf import (
    AffineBrightness,
    Alignment,
    DirectAlignment,
    Stage,
    align,
    around,
    covariance,
    over_sphere,
)
from monoform.methods.inerf.confidence import score_response
from monoform.methods.inerf.frames import level, smoothed
from monoform.methods.inerf.losses import on_plane
from monoform.methods.inerf.reference import at_poses, render_reference
from monoform.metrics.pose import rotation_error, translation_error

QUICK = DirectAlignment(stages=(Stage(40, 6, 12, 2), Stage(80, 4, 12, 1), Stage(120, 3, 10, 1)))


def errors(pose: Tensor) -> tuple[float, float]:
    return math.degrees(rotation_error(pose[None], TRUE_POSE)[0]), float(translation_error(pose[None], TRUE_POSE)[0])


@pytest.mark.parametrize("seed", range(3))
def test_finds_the_exact_pose_from_far_off(seed: int) -> None:
    start = starts(1, 35, seed=seed)
    found = align(RENDERER, photo(), CAMERA, start, QUICK)
    turned, moved_by = errors(found.best.poses[0])
    assert errors(start[0])[0] > 1.0
    assert turned < 0.05 and moved_by < 2e-3
    assert found.losses[-1] < 0.2 * found.losses[0]
    assert torch.equal(found.path[0], start[0]) and torch.equal(found.path[-1], found.best.poses[0])


def test_hopeless_starts_are_given_up_and_do_not_change_the_others() -> None:
    good, away = starts(1, 20), TRUE_POSE @ torch.diag(torch.tensor([-1.0, 1.0, -1.0, 1.0]))
    alone = align(RENDERER, photo(), CAMERA, good, QUICK)
    both = align(RENDERER, photo(), CAMERA, torch.cat((away, good)), QUICK)
    assert int(both.best.starts[0]) == 1 and len(both.finished.scores) == 2
    torch.testing.assert_close(both.best.poses, alone.best.poses, atol=2e-4, rtol=0)


def test_brightness_and_focal_length_can_be_found_too() -> None:
    darker = 0.8 * photo() + 0.02
    brightness = align(RENDERER, darker, CAMERA, starts(1, 15), replace(QUICK, brightness=AffineBrightness(0.3, 0.1)))
    assert errors(brightness.best.poses[0])[0] < 0.3
    assert float(brightness.best.brightness[0, 0].exp()) == pytest.approx(0.8, abs=0.03)
    held = align(RENDERER, darker, CAMERA, starts(1, 15), replace(QUICK, brightness=AffineBrightness(0.0, 0.0)))
    assert torch.equal(held.best.brightness, torch.zeros(1, 2))
    longer = replace(CAMERA, intrinsics=zoomed(CAMERA.intrinsics, torch.tensor([0.12])))
    free = align(
        RENDERER, photo(), replace(longer, world_from_camera=TRUE_POSE), starts(1, 8), replace(QUICK, zoom=0.3)
    )
    assert float(free.best.zoom[0, 0]) == pytest.approx(-0.12, abs=0.01)
    assert errors(free.best.poses[0])[0] < 0.3


def test_places_move_with_the_camera_as_finite_differences_say() -> None:
    generator = torch.Generator().manual_seed(2)
    points = 0.3 * torch.randn(1, 7, 3, generator=generator, dtype=torch.float64)
    for camera in (CAMERA, Camera.orthographic(TRUE_POSE, 1.3, 120, 90)):
        exact = camera.to(torch.float64)
        plane, by_motion, front = on_plane(exact, points)
        assert front.all()
        pixels = (exact.intrinsics[:, :2, :2] @ plane + exact.intrinsics[:, :2, 2:]).mT
        torch.testing.assert_close(pixels, exact.project(points)[0])
        step = 1e-6
        for number in range(6):
            twist = torch.zeros(1, 6, dtype=torch.float64)
            twist[0, number] = step
            ahead, behind = (
                on_plane(replace(exact, world_from_camera=moved(exact.world_from_camera, sign * twist)), points)[0]
                for sign in (1, -1)
            )
            torch.testing.assert_close(by_motion[:, number], (ahead - behind) / (2 * step), atol=1e-7, rtol=1e-6)


def test_the_gradient_is_that_of_the_cost() -> None:
    """Slopes of a smooth picture are those of its interpolation to a few percent of the largest."""
    size = level(smoothed(photo().permute(2, 0, 1), 3.0).permute(1, 2, 0).double(), CAMERA.to(torch.float64), 120)
    pose = starts(1, 4, seed=5).double()
    reference = render_reference(RENDERER, at_poses(size.camera.to(torch.float32), pose.float()))
    exact = type(reference)(reference.points.double(), reference.colors.double(), reference.weights.double())
    problem = Alignment(exact, size, AffineBrightness(0.2, 0.05), zoom=0.3)
    values = {"pose": pose, "brightness": torch.full((1, 2), 0.01).double(), "zoom": torch.full((1, 1), 0.01).double()}
    gradient = problem.equations(values).vector[0]
    step, measured = 1e-5, []
    for number in range(9):
        change = torch.zeros(1, 9, dtype=torch.float64)
        change[0, number] = step
        ahead, behind = (problem.equations(problem.move(values, sign * change)).cost for sign in (1, -1))
        measured.append((ahead - behind) / (2 * step))
    torch.testing.assert_close(gradient, torch.cat(measured), atol=0.05 * float(gradient.abs().max()), rtol=0.05)


def test_covariance_is_the_scatter_of_many_noisy_photos() -> None:
    options = DirectAlignment(stages=(Stage(120, 3, 10, 1),), brightness=AffineBrightness(0.0, 0.0))
    generator = torch.Generator().manual_seed(0)
    found, predicted = [], []
    for _ in range(16):
        noisy = photo() + 0.05 * torch.randn(photo().shape, generator=generator)
        result = align(RENDERER, noisy, CAMERA, TRUE_POSE, options)
        found.append(se3_log(rigid_inverse(TRUE_POSE.double()) @ result.best.poses.double())[0])
        predicted.append(covariance(result, options))
    scatter = torch.stack(found).std(0)
    deviation = torch.stack([one for one in predicted if one is not None]).mean(0).diagonal().sqrt()
    assert len([one for one in predicted if one is not None]) == 16
    ratio = scatter / deviation
    assert ratio.min() > 0.4 and ratio.max() < 1.8, ratio


def test_covariance_covers_errors_that_neighbors_share() -> None:
    """Noise of patches, as of a scene that is wrong: pixel noise alone would promise far too much."""
    options = DirectAlignment(stages=(Stage(120, 3, 10, 1),), brightness=AffineBrightness(0.0, 0.0))
    generator = torch.Generator().manual_seed(1)
    scaled, naive = [], []
    for _ in range(8):
        noise = smoothed(torch.randn(3, *photo().shape[:2], generator=generator), 4.0)
        result = align(RENDERER, photo() + 0.05 * (noise / noise.std()).permute(1, 2, 0), CAMERA, TRUE_POSE, options)
        error = se3_log(rigid_inverse(TRUE_POSE.double()) @ result.best.poses[:1].double())[0]
        told = covariance(result, options)
        assert told is not None
        problem = result.problem(options, torch.float64)
        values = {name: value.double() for name, value in result.best[:1].values.items()}
        matrix, residual = problem.equations(values).matrix[0, :6, :6], problem.linearized(values).residual
        pixels = residual.square().mean() * 4 * math.pi * 0.8**2 / residual.numel()
        scaled.append(error / told.diagonal().sqrt())
        naive.append(error / (torch.linalg.inv(matrix) * pixels).diagonal().sqrt())
    z, before = torch.stack(scaled).abs(), torch.stack(naive).abs()
    assert (z < 1).double().mean() > 0.68 and (z < 2).double().mean() > 0.95, z
    assert (before < 2).double().mean() < 0.8, before


def test_the_score_answers_to_the_pose_by_no_more_than_points_do() -> None:
    options = DirectAlignment(stages=(Stage(120, 3, 10, 1),), brightness=AffineBrightness(0.2, 0.05))
    found = align(RENDERER, photo(), CAMERA, TRUE_POSE, options)
    response = score_response(RENDERER, photo(), CAMERA, found, options)
    plain, wider = covariance(found, options), covariance(found, options, response)
    assert plain is not None and wider is not None
    factor = torch.linalg.inv(torch.linalg.cholesky(plain))
    ratios = torch.linalg.eigvalsh(factor @ wider @ factor.mT)
    # Not 1 at least: the two are of pictures of two sizes.
    assert ratios.min() > 0.9 and ratios.max() < 1 / 0.15**2, ratios


def test_points_that_do_not_count_change_nothing() -> None:
    size = level(photo(), CAMERA, 60)
    reference = render_reference(RENDERER, at_poses(size.camera, torch.cat((TRUE_POSE, starts(1, 10)))))
    values = {"pose": torch.cat((TRUE_POSE, starts(1, 10))), "brightness": torch.zeros(2, 2), "zoom": torch.zeros(2, 1)}
    counted, order = reference.compact()
    assert counted.weights.shape[1] == int((reference.weights > 0).sum(1).max()) < reference.weights.shape[1]
    torch.testing.assert_close(counted.weights, reference.weights.gather(1, order), atol=0, rtol=0)
    whole = Alignment(reference, size, AffineBrightness(), zoom=0.3).equations(values)
    some = Alignment(counted, size, AffineBrightness(), zoom=0.3).equations(values)
    torch.testing.assert_close(some.matrix, whole.matrix, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(some.vector, whole.vector, rtol=1e-3, atol=1e-6)


def test_starts_around_and_all_over() -> None:
    center = torch.tensor([0.1, 0.0, -0.1])
    poses = around(TRUE_POSE[0], 9, 0.2, center)
    assert torch.equal(poses[0], TRUE_POSE[0]) and len(poses) == 9
    distances = (poses[:, :3, 3] - center).norm(dim=-1)
    torch.testing.assert_close(distances, distances[:1].expand(9))
    angles = rotation_error(poses, TRUE_POSE.expand(9, 4, 4))
    torch.testing.assert_close(angles[1:], torch.tensor([0.2] * 6 + [0.4] * 2), atol=1e-4, rtol=0)
    sphere = over_sphere(64, 2.0, center)
    to_center = torch.nn.functional.normalize(center - sphere[:, :3, 3], dim=-1)
    torch.testing.assert_close(sphere[:, :3, 2], to_center, atol=1e-5, rtol=0)
    nearest = (sphere[:, :3, 2] @ sphere[:, :3, 2].T - 2 * torch.eye(64)).amax(-1)
    assert torch.rad2deg(torch.acos(nearest)).min() > 10 and sphere[:, 1, 1].max() < 1e-6


def test_what_cannot_be_aligned_is_refused() -> None:
    with pytest.raises(InputError, match="at least 1 pixel"):
        DirectAlignment(stages=())


def test_points_that_leave_the_photo_cost_something() -> None:
    size = level(photo(), CAMERA, 40)
    reference = render_reference(RENDERER, at_poses(size.camera, TRUE_POSE))
    problem = Alignment(reference, size, AffineBrightness())
    none = {"brightness": torch.zeros(1, 2), "zoom": torch.zeros(1, 1)}
    here = problem.equations({"pose": TRUE_POSE} | none)
    aside = at(TRUE_POSE[0]).world_from_camera @ torch.tensor(
        [[0.0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]
    )
    away = problem.equations({"pose": aside} | none)
    assert float(away.cost) > 10 * float(here.cost) and torch.isfinite(away.cost).all()
