"""iNeRF as a method: poses from a start and from none, and doubts where there is reason to doubt."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.methods.inerf.painted import CAMERA, RENDERER, TRUE_POSE, at, photo, starts
from torch import Tensor

from monoform.camera import Camera
from monoform.errors import InputError
from monoform.methods import PoseEstimate, SceneBounds
from monoform.methods.inerf import Inerf, InerfOptions, Limits, PhotometricAdam
from monoform.metrics.pose import rotation_error, translation_error
from monoform.render.ray_renderer import RayColors
from monoform.scene import Photo

QUICK = InerfOptions(starts=1, longest=120)


def estimate(image: Tensor, start: Camera, options: InerfOptions = QUICK, **more: bool) -> PoseEstimate:
    return Inerf(options).estimate(
        Photo.open(image.clamp(0, 1).numpy()),
        RENDERER,
        start,
        scene_bounds=SceneBounds(),
        generator=torch.Generator().manual_seed(0),
        **more,
    )


def off(found: PoseEstimate) -> tuple[float, float]:
    pose = found.camera.world_from_camera
    return math.degrees(rotation_error(pose, TRUE_POSE)[0]), float(translation_error(pose, TRUE_POSE)[0])


def test_a_pose_from_a_start_is_right_and_believed() -> None:
    found = estimate(photo(), at(starts(1, 25)[0]))
    assert off(found)[0] < 0.1 and off(found)[1] < 0.005
    assert found.converged and found.failure_reasons == ()
    assert found.covariance is not None
    torch.testing.assert_close(found.covariance, found.covariance.T)
    assert torch.linalg.eigvalsh(found.covariance).min() > 0
    assert len(found.path) == len(found.seconds) == len(found.losses)
    assert (found.seconds.diff() >= 0).all()


def test_a_pose_without_a_start() -> None:
    found = estimate(photo(), at(torch.eye(4)), replace(QUICK, search=64, keep=6), search=True)
    assert off(found)[0] < 0.2 and found.converged


def test_a_start_that_leads_nowhere_is_left() -> None:
    options, far = replace(QUICK, search=64, keep=6), at(starts(1, 150)[0])
    kept = estimate(photo(), far, replace(options, elsewhere=False))
    assert off(kept)[0] > 20 and not kept.converged
    found = estimate(photo(), far, options)
    assert off(found)[0] < 0.2 and found.converged
    assert found.seconds[0] > 0 and (found.seconds.diff() >= 0).all()


@pytest.mark.parametrize("kind", ["black", "another object", "upside down"])
def test_photos_of_something_else_are_doubted(kind: str) -> None:
    image = {"black": torch.zeros_like(photo()), "another object": photo(0.7), "upside down": photo().flip(0)}[kind]
    found = estimate(image, at(starts(1, 20)[0]))
    assert not found.converged and found.failure_reasons


@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_a_wrong_focal_length_is_doubted(factor: float) -> None:
    intrinsics = CAMERA.intrinsics.clone()
    intrinsics[:, [0, 1], [0, 1]] *= factor
    found = estimate(photo(), replace(at(starts(1, 8)[0]), intrinsics=intrinsics))
    assert any("focal length" in doubt for doubt in found.failure_reasons)


def test_limits_decide_what_is_believed() -> None:
    start = at(starts(1, 25)[0])
    assert not estimate(photo(), start, replace(QUICK, limits=Limits(detail=1.1))).converged
    aside = replace(CAMERA, intrinsics=CAMERA.intrinsics + torch.tensor([[0.0, 0, 85], [0, 0, 0], [0, 0, 0]]))
    found = estimate(photo(), replace(aside, world_from_camera=TRUE_POSE), replace(QUICK, limits=Limits(overlap=1.0)))
    assert any("in the photo" in doubt for doubt in found.failure_reasons)


def test_adam_is_there_and_knows_when_it_has_not_settled() -> None:
    few = replace(QUICK, optimizer="adam", descent=PhotometricAdam(steps=3, rays=64, sampling="random"))
    found = estimate(photo(), at(starts(1, 25)[0]), few)
    assert not found.converged and len(found.path) == 4
    assert math.isnan(float(found.losses[-1])) and torch.isfinite(found.losses[:-1]).all()
    with pytest.raises(InputError, match="without a start"):
        estimate(photo(), CAMERA, few, search=True)


def flat(origins: Tensor, directions: Tensor, *, generator: torch.Generator | None = None) -> RayColors:
    """The box without distances, as scenes in normalised device coordinates are."""
    seen = RENDERER(origins, directions)
    return RayColors(seen.rgb, seen.alpha, torch.zeros_like(seen.distance))


def test_scenes_without_distances_are_for_adam_alone() -> None:
    image, start = Photo.open(photo().clamp(0, 1).numpy()), at(starts(1, 10)[0])
    more = {"scene_bounds": SceneBounds(), "generator": torch.Generator().manual_seed(0)}
    with pytest.raises(InputError, match="no distances"):
        Inerf(QUICK).estimate(image, flat, start, **more)
    few = replace(QUICK, optimizer="adam", descent=PhotometricAdam(steps=3, rays=64, sampling="random"))
    found = Inerf(few).estimate(image, flat, start, **more)
    assert not found.converged and found.covariance is None and "nothing can be checked" in found.failure_reasons[0]


def test_cameras_are_those_of_the_original_photo_and_its_crop() -> None:
    """A photo twice as large, of which a window is shown, has the camera of the whole photo."""
    large = Photo.open(np.kron(photo().clamp(0, 1).numpy(), np.ones((2, 2, 1), np.float32)))
    window = replace(large.cropped(20, 10, 200, 160, size=(100, 80)), mask=None)
    start = at(starts(1, 10)[0]).resized(240, 180)
    found = Inerf(QUICK).estimate(
        window, RENDERER, start, scene_bounds=SceneBounds(), generator=torch.Generator().manual_seed(0)
    )
    assert (found.camera.width, found.camera.height) == (240, 180)
    torch.testing.assert_close(found.camera.intrinsics, start.intrinsics, atol=1e-3, rtol=0)
    assert off(found)[0] < 0.3


def test_refusals() -> None:
    with pytest.raises(InputError, match="one camera"):
        estimate(photo(), Camera.concatenate([CAMERA, CAMERA]))
    with pytest.raises(InputError, match="same size"):
        estimate(photo(), CAMERA.resized(60, 45))
    for wrong in ({"starts": 0}, {"longest": 4}, {"gain": -1.0}):
        with pytest.raises(InputError, match=f"inerf's {next(iter(wrong))}"):
            Inerf(replace(QUICK, **wrong))
