"""The paper's loop: variables, pixels, behaviours of published programs, and that it finds a pose."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.methods.inerf.painted import CAMERA, RENDERER, TRUE_POSE, at, photo, starts

from monoform.camera import se3_exp
from monoform.errors import InputError
from monoform.methods.inerf import (
    Compat,
    InerfOptions,
    PhotometricAdam,
    central_box,
    descend,
    euler_start,
    nearest_rigid,
    perturbed,
    pixel_source,
    pose_of,
    screw_motion,
    sphere_axis,
)
from monoform.methods.inerf.published import OFFICIAL_NOTEBOOK, OFFICIAL_SCRIPT, SCREW
from monoform.metrics.pose import rotation_error
from monoform.render.ray_renderer import RayColors

FEW = PhotometricAdam(steps=3, rays=32, sampling="random")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_finds_a_pose() -> None:
    start = starts(1, 8, seed=3)[0]
    options = PhotometricAdam(steps=120, rays=256, sampling="object")
    found = descend(RENDERER, photo(), at(start), options, generator=generator(), background=(1.0, 1.0, 1.0))
    before, after = (math.degrees(rotation_error(pose[None], TRUE_POSE)[0]) for pose in (start, found.result))
    assert after < 0.4 * before
    assert found.losses[-10:].mean() < 0.3 * found.losses[:5].mean()
    assert len(found.poses) == 121 and len(found.losses) == len(found.gradients) == 120


def wall(origins: torch.Tensor, directions: torch.Tensor, *, generator: torch.Generator | None = None) -> RayColors:
    """Colours are waves at a fixed distance along each ray."""
    points = origins + 1.4 * directions
    distance = torch.full_like(points[:, 0], 1.4)
    return RayColors(0.5 + 0.4 * torch.sin(5 * points + points.roll(1, -1)), torch.ones_like(distance), distance)


@pytest.mark.parametrize("unit", [True, False])
def test_gradients_are_those_of_finite_differences(unit: bool) -> None:
    start = starts(1, 10, seed=1)[0].double()
    camera = replace(CAMERA.to(torch.float64), world_from_camera=start[None])
    index = torch.arange(0, 120 * 90, 97)
    target = photo().double()
    once = replace(FEW, steps=1, compat=Compat(unit_directions=unit))
    found = descend(wall, target, camera, once, pixels=lambda step: index)
    step = 1e-6

    def cost(twist: torch.Tensor) -> float:
        pose = replace(camera, world_from_camera=(se3_exp(twist) @ start)[None])
        return float(descend(wall, target, pose, once, pixels=lambda step: index).losses[0])

    measured = []
    for number in range(6):
        twist = torch.zeros(6, dtype=torch.float64)
        twist[number] = step
        measured.append((cost(twist) - cost(-twist)) / (2 * step))
    torch.testing.assert_close(found.gradients[0], torch.tensor(measured, dtype=torch.float64), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("frame", ["world", "camera", "object"])
def test_frames_turn_about_what_they_say(frame: str) -> None:
    center = (0.2, -0.1, 0.3)
    values = {"rotation": torch.tensor([0.1, -0.3, 0.2]), "translation": torch.zeros(3)}
    pose = pose_of(values, TRUE_POSE[0], frame=frame, center=center)  # type: ignore[arg-type]
    middle = {"world": torch.zeros(3), "camera": TRUE_POSE[0, :3, 3], "object": torch.tensor(center)}[frame]
    seen_before = TRUE_POSE[0, :3, :3].T @ (middle - TRUE_POSE[0, :3, 3])
    seen_after = pose[:3, :3].T @ (middle - pose[:3, 3])
    torch.testing.assert_close(seen_before, seen_after, atol=1e-5, rtol=0)
    assert float(rotation_error(pose[None], TRUE_POSE)[0]) == pytest.approx(math.sqrt(0.14), abs=1e-4)


def test_frames_give_other_ways() -> None:
    ways = [
        descend(
            RENDERER, photo(), at(starts(1, 10)[0]), replace(FEW, frame=frame), generator=generator(),
            center=(0.1, 0.2, 0.0),
        ).result
        for frame in ("world", "camera", "object")
    ]  # fmt: skip
    assert not torch.allclose(ways[0], ways[1], atol=1e-4) and not torch.allclose(ways[0], ways[2], atol=1e-4)


def test_a_screw_with_a_unit_axis_is_the_exponential() -> None:
    axis = torch.nn.functional.normalize(torch.tensor([0.2, -0.5, 0.7], dtype=torch.float64), dim=0)
    along, angle = torch.tensor([0.3, 0.1, -0.2], dtype=torch.float64), torch.tensor(0.8, dtype=torch.float64)
    expected = se3_exp(torch.cat((angle * axis, angle * along)))
    torch.testing.assert_close(screw_motion(axis, along, angle), expected)
    bent = screw_motion(2 * axis, along, angle)[:3, :3]
    assert (bent @ bent.T - torch.eye(3)).abs().max() > 0.1


def test_matrices_drift_and_the_result_is_rigid() -> None:
    options = replace(FEW, compat=Compat(parametrization="matrix"), steps=8, rate=0.02)
    found = descend(RENDERER, photo(), at(starts(1, 10)[0]), options, generator=generator())
    last = found.poses[-1, :3, :3]
    assert (last @ last.T - torch.eye(3)).abs().max() > 1e-3
    rotation = found.result[:3, :3]
    torch.testing.assert_close(rotation @ rotation.T, torch.eye(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(nearest_rigid(TRUE_POSE), TRUE_POSE, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("changed", "same_losses"),
    [
        (Compat(constant_rate=True), 2),
        (Compat(unit_directions=False), 0),
        (Compat(with_replacement=True), 0),
        (Compat(parametrization="matrix"), 1),
        (Compat(parametrization="screw7"), 0),
    ],
)
def test_each_behavior_of_published_programs_changes_the_way(changed: Compat, same_losses: int) -> None:
    """And only from the step on that it can change: draws and the start are the same."""
    options = replace(FEW, steps=4, rate=0.05)
    plain, other = (
        descend(RENDERER, photo(), at(starts(1, 10)[0]), replace(options, compat=compat), generator=generator())
        for compat in (Compat(), changed)
    )
    assert not torch.equal(plain.losses, other.losses)
    assert torch.equal(plain.losses[:same_losses], other.losses[:same_losses])


def test_the_pose_before_the_last_update_is_reported_where_asked() -> None:
    options = replace(FEW, compat=Compat(pose_before_update=True))
    found = descend(RENDERER, photo(), at(starts(1, 10)[0]), options, generator=generator())
    torch.testing.assert_close(found.result, found.poses[2], atol=1e-6, rtol=0)
    assert not torch.allclose(found.result, found.poses[3], atol=1e-5)


def test_published_settings() -> None:
    assert (OFFICIAL_SCRIPT.steps, OFFICIAL_SCRIPT.rate, OFFICIAL_SCRIPT.sampling) == (101, 1e-3, "random")
    assert (OFFICIAL_NOTEBOOK.rate, OFFICIAL_NOTEBOOK.sampling, SCREW.compat.parametrization) == (
        1e-2,
        "center",
        "screw7",
    )
    assert OFFICIAL_NOTEBOOK.compat.encoder_batchnorm == "batch"
    assert InerfOptions.preset_names() == ("paper", "script", "notebook", "screw")
    chosen = InerfOptions.preset("notebook").changed(steps=7, starts=3, rays=None)
    assert chosen.optimizer == "adam" and chosen.starts == 3
    assert chosen.descent == replace(OFFICIAL_NOTEBOOK, steps=7)
    with pytest.raises(InputError, match="no preset 'magic': choose one of paper, script"):
        InerfOptions.preset("magic")


def test_a_darker_photo_is_told_apart_from_another_pose() -> None:
    """At the true pose only the gain has anything to explain."""
    options = PhotometricAdam(steps=60, rays=128, sampling="object", fit_gain=True)
    background = (1.0, 1.0, 1.0)
    found = descend(RENDERER, 0.7 * photo(), CAMERA, options, generator=generator(), background=background)
    assert float(found.values[-1, -1].exp()) == pytest.approx(0.7, abs=0.05)
    assert math.degrees(rotation_error(found.result[None], TRUE_POSE)[0]) < 1.0
    assert float(found.gradients[0, -1]) > 0


@pytest.mark.parametrize("sampling", ["random", "points", "regions", "object"])
def test_draws_are_of_the_asked_number_and_each_pixel_once(sampling: str) -> None:
    options = PhotometricAdam(rays=500, sampling=sampling)  # type: ignore[arg-type]
    drawn = pixel_source(photo(), options, background=(1.0, 1.0, 1.0)).draw(generator())
    assert len(drawn) == len(set(drawn.tolist())) == 500
    assert int(drawn.min()) >= 0 and int(drawn.max()) < 120 * 90
    assert torch.equal(drawn, pixel_source(photo(), options, background=(1.0, 1.0, 1.0)).draw(generator()))


def test_the_object_is_looked_at_more_than_its_background() -> None:
    source = pixel_source(photo(), PhotometricAdam(sampling="object"), background=(1.0, 1.0, 1.0))
    covered = (photo() < 0.99).any(-1).flatten()
    assert covered[source.wanted].double().mean() > 0.6 > 2 * covered.double().mean() * 0.9
    assert not covered[source.others].any()
    with pytest.raises(InputError, match="plain background"):
        pixel_source(photo(), PhotometricAdam(sampling="object"))


def test_regions_grow_with_their_dilations_and_a_blank_photo_has_none() -> None:
    sizes = [len(pixel_source(photo(), PhotometricAdam(dilations=times)).wanted) for times in (0, 1, 3)]
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    blank = pixel_source(torch.zeros(20, 30, 3), PhotometricAdam(rays=100))
    assert len(blank.wanted) == 0 and len(blank.draw(generator())) == 100
    assert len(central_box(10, 8, 0.25)) == 6


@given(st.integers(-3, 3), st.integers(-3, 3), st.floats(-2, 2), st.floats(-1, 2))
def test_settings_that_make_no_sense_are_refused(steps: int, rays: int, rate: float, decay: float) -> None:
    try:
        made = PhotometricAdam(steps=steps, rays=rays, rate=rate, decay=decay)
    except InputError:
        return
    assert made.steps >= 0 and made.rays >= 1 and made.rate > 0 and 0 < made.decay <= 1


def test_perturbations_about_the_world_keep_the_distance_and_in_place_the_center() -> None:
    axis, angle = sphere_axis(torch.tensor([[0.3, 0.6]])), torch.tensor([0.5])
    for about in ("world", "camera"):
        pose = perturbed(TRUE_POSE, axis, angle, torch.zeros(1, 3), about=about)  # type: ignore[arg-type]
        assert float(rotation_error(pose, TRUE_POSE)[0]) == pytest.approx(0.5, abs=1e-4)
        assert float(pose[0, :3, 3].norm()) == pytest.approx(float(TRUE_POSE[0, :3, 3].norm()), abs=1e-5)
        assert torch.allclose(pose[0, :3, 3], TRUE_POSE[0, :3, 3]) == (about == "camera")


def test_fixed_offsets_turn_about_the_published_axes() -> None:
    """With z up the shift lifts the camera; with y up the same motion is seen from a turned world."""
    lifted = euler_start(TRUE_POSE, (0.0, 0.0, 0.0), 0.3, order="blender")
    torch.testing.assert_close(lifted[:, :3, 3] - TRUE_POSE[:, :3, 3], torch.tensor([[0.0, 0.3, 0.0]]))
    forward = euler_start(TRUE_POSE, (0.0, 0.0, 0.0), 0.3, order="llff")
    torch.testing.assert_close(forward[:, :3, 3] - TRUE_POSE[:, :3, 3], torch.tensor([[0.0, 0.0, 0.3]]))
    about_up = euler_start(TRUE_POSE, (0.4, 0.0, 0.0), 0.0, order="blender")
    torch.testing.assert_close(about_up[:, 1], TRUE_POSE[:, 1])
    assert float(rotation_error(about_up, TRUE_POSE)[0]) == pytest.approx(0.4, abs=1e-4)
