"""What a scene's own photos tell of poses: the factor, its file, and that poses take it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.jobs.test_estimate_pose import CAMERA, OPTIONS, folder, scene

from monoform.camera import so3_exp
from monoform.camera.rigid import rigid
from monoform.errors import InputError
from monoform.jobs.calibrate_poses import own_photos, own_pose
from monoform.jobs.estimate_pose import PoseOptions, estimate_pose
from monoform.jobs.pose_errors import FILE, OwnPose, PoseErrors, read_pose_errors, write_pose_errors
from monoform.jobs.pose_scenes import PoseTarget
from monoform.methods import PoseEstimate
from monoform.methods.inerf import InerfOptions, Limits, unsure
from monoform.metrics.pose import rotation_error
from monoform.training.weights import WEIGHTS, weights_digest

__all__ = ["folder", "scene"]  # fixtures


def errors_of(sizes: np.ndarray, **more: str) -> PoseErrors:
    """Poses with given errors, a row each."""
    return PoseErrors(tuple(OwnPose("a.png", "val", tuple(row), 0.9, 0.95, 1.0) for row in sizes.tolist()), **more)


def test_the_factor_is_that_of_the_errors_and_larger_where_few_tell() -> None:
    random = np.random.default_rng(0)
    for scale in (0.3, 1.0, 4.0):
        many = errors_of(scale * random.normal(size=(4000, 6)))
        assert many.deviation == pytest.approx(scale, rel=0.03)  # three deviations of the quantile of 24,000 are 2 %
    row = np.full((1, 6), 8.0)
    assert errors_of(row).deviation == errors_of(row.repeat(6, 0)).deviation == pytest.approx(8.0)
    ranks = np.arange(1.0, 61.0)  # one of ten photos more, whose six errors are beyond all: 0.6827 of 66 are below
    assert errors_of(ranks.reshape(10, 6)).deviation == pytest.approx(1 + 59 * 0.6827 * 1.1)
    assert errors_of(ranks[:12].reshape(2, 6)).deviation == 12  # of two photos no such share is beyond: the largest
    assert errors_of(np.full((9, 6), -8.0)).deviation == errors_of(np.full((9, 6), 8.0)).deviation
    assert errors_of(np.zeros((50, 6))).deviation >= 0.01  # no pose is stated as known exactly


def test_of_further_photos_the_stated_share_of_errors_is_within() -> None:
    """Photos differ: all errors of one have a size of its own, the hardest case. On average over scenes of six photos
    68 % of a seventh's are to lie within the factor: at least, and no more than one photo in seven beyond it."""
    random = np.random.default_rng(0)
    within = []
    for _ in range(2000):
        sizes = np.exp(random.normal(size=(7, 1))) * np.ones((7, 6))
        within.append(np.mean(sizes[6] < errors_of(sizes[:6]).deviation))
    assert 0.6827 - 0.03 < np.mean(within) < 0.6827 + 1 / 7 + 0.03  # 0.03: three deviations of 2,000 draws


def test_the_file_is_read_again_and_is_of_these_weights_only(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    assert read_pose_errors(tmp_path) is None
    kept = errors_of(np.arange(12.0).reshape(2, 6), weights=weights_digest(tmp_path))
    write_pose_errors(tmp_path, kept)
    assert read_pose_errors(tmp_path) == kept
    write_pose_errors(tmp_path, kept)  # again
    (tmp_path / WEIGHTS).write_bytes(b"others")
    assert read_pose_errors(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content["poses"][0].pop("detail"), "cannot be read"),
        (lambda content: content["poses"][0]["errors"].pop(), "without its six errors"),
        (lambda content: content["poses"][0].update(errors=[math.nan] * 6), r"pose_errors\.json"),
        (lambda content: content["poses"][0].update(focal_factor=0), "whose focal length is none"),
        (lambda content: content["poses"][0].update(detail=1e10), "likelier than likely"),
        (lambda content: content["poses"].clear(), "holds no poses"),
        (lambda content: content.update(poses=[1]), "cannot be read"),
        (lambda content: content.pop("weights"), "holds no poses"),
    ],
)
def test_a_damaged_file_is_told(tmp_path: Path, change, sentence: str) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"weights")
    write_pose_errors(tmp_path, errors_of(np.ones((2, 6)), weights=weights_digest(tmp_path)))
    content = json.loads((tmp_path / FILE).read_text())
    change(content)
    (tmp_path / FILE).write_text(json.dumps(content))
    with pytest.raises(InputError, match=sentence):
        read_pose_errors(tmp_path)


def test_a_file_of_the_users_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"mine": 1}')
    with pytest.raises(InputError, match="not monoform's: rename it, or move it elsewhere"):
        write_pose_errors(tmp_path, errors_of(np.ones((2, 6))))
    assert json.loads((tmp_path / FILE).read_text()) == {"mine": 1}


def test_a_folder_in_the_files_place_is_told_before_the_work(folder: Path, scene: PoseTarget, monkeypatch) -> None:
    from monoform.jobs import calibrate_poses
    from monoform.methods.nerf import scene as scenes

    monkeypatch.setattr(calibrate_poses, "open_scene", lambda folder, device: scene)
    monkeypatch.setattr(scenes, "scene_folder", Path)
    monkeypatch.delattr(calibrate_poses, "own_photos")
    (folder / FILE).mkdir()
    with pytest.raises(InputError, match="not monoform's"):
        calibrate_poses.calibrate_poses(folder)
    (folder / FILE).rmdir()


def test_poses_state_what_the_scene_has_told(folder: Path, scene: PoseTarget) -> None:
    """The factor of the scene's errors is that of the standard deviations, and nothing else of the pose changes."""
    options = replace(OPTIONS, start=scene.views[0].camera)
    told = errors_of(np.full((4, 6), 3.0))
    before, after = (
        estimate_pose(str(folder / "1.png"), one, options).estimate for one in (scene, replace(scene, errors=told))
    )
    assert torch.equal(before.camera.world_from_camera, after.camera.world_from_camera)
    assert before.covariance is not None and after.covariance is not None
    torch.testing.assert_close(after.covariance, told.deviation**2 * before.covariance)
    assert told.deviation == pytest.approx(3.0)


def test_what_looks_like_no_right_pose_of_the_scene_is_doubted(scene: PoseTarget) -> None:
    """By its detail, by what is explained, by its focal length; what is as unlike as the scene's own photos is not."""
    random = np.random.default_rng(1)
    lacking = np.exp(np.log(0.02) + 0.35 * random.normal(size=(10, 2)))
    zooms = np.exp(0.025 * random.normal(size=10))
    poses = [
        OwnPose("a.png", "val", (1.0,) * 6, 1 - one, 1 - two, zoom)
        for (one, two), zoom in zip(lacking.tolist(), zooms.tolist(), strict=True)
    ]
    told = PoseErrors(tuple(poses))
    nothing = torch.zeros(0)
    right = PoseEstimate(
        CAMERA, 1e-6 * torch.eye(6), True, (), 0.0, nothing, nothing, nothing, nothing,
        {"detail": 0.97, "explained": 0.97, "focal_factor": 1.03},
    )  # fmt: skip
    assert told.judged(right).converged and told.judged(right).details["deviation_factor"] == told.deviation
    for change, doubt in (
        ({"detail": 0.9}, "detail with the scene is 0.90"),
        ({"explained": 0.9}, "the scene explains is 0.90"),
        ({"focal_factor": 1.12}, "1.12 times as long"),
        ({"focal_factor": 1 / 1.12}, "0.89 times as long"),
    ):
        found = told.judged(replace(right, details={**right.details, **change}))
        assert not found.converged and len(found.failure_reasons) == 1 and doubt in found.failure_reasons[0]
    unlike = PoseErrors(tuple(replace(pose, detail=0.4, explained=0.4, focal_factor=1.5) for pose in poses))
    assert unlike.limits == Limits()  # never wider than what holds for all scenes
    doubted = replace(right, converged=False, failure_reasons=("a reason",))
    assert told.judged(doubted).failure_reasons == ("a reason",)
    assert told.judged(replace(right, details={})).converged  # of a descent that cannot be checked


@pytest.mark.parametrize(("factor", "degrees", "believed"), [(1.0, 2.5, True), (0.5, 5.0, True), (2.0, 2.5, False)])
def test_a_pose_that_is_hardly_fixed_is_doubted_as_the_scene_states_it(
    factor: float, degrees: float, believed: bool
) -> None:
    """The rotation's standard deviation counts after the scene's factor, whatever was said before."""
    nothing, limits = torch.zeros(0), Limits()
    spread = torch.diag(torch.tensor([math.radians(degrees) ** 2 / 3.0] * 3 + [1.0] * 3))
    plain = unsure(spread, limits)
    assert bool(plain) == (degrees > math.degrees(limits.deviation))
    estimate = PoseEstimate(CAMERA, spread, not plain, plain, 0.0, nothing, nothing, nothing, nothing, {})
    told = errors_of(np.full((4, 6), factor)).judged(estimate)
    assert told.converged == believed
    assert believed or "5.0 degrees" in told.failure_reasons[0]


def test_own_photos_are_found_again_and_compared_with_what_was_stated(scene: PoseTarget) -> None:
    method = InerfOptions(longest=96)
    row = own_pose(scene.views[1], scene, method)
    assert row is not None and row.split == "test" and row.photo.endswith("1.png")
    assert row.detail > 0.9 and row.explained > 0.9 and row.focal_factor == pytest.approx(1.0, abs=0.1)
    options = PoseOptions(replace(method, starts=1), start=scene.views[1].camera)
    found = estimate_pose(row.photo, scene, options).estimate
    assert found.covariance is not None
    # What was stated times the errors leads back to the truth.
    twist = torch.tensor(row.errors).double() * found.covariance.double().diagonal().sqrt()
    back = found.camera.world_from_camera.double() @ rigid(so3_exp(twist[None, :3]), torch.zeros(1, 3).double())
    assert float(rotation_error(back, scene.views[1].camera.world_from_camera.double())[0]) < 1e-5
    again = own_pose(scene.views[1], replace(scene, errors=errors_of(np.full((4, 6), 3.0))), method)
    assert again == row  # what was measured before takes no part


def test_held_out_photos_come_first(scene: PoseTarget) -> None:
    splits = ("train", "test", "train")
    views = tuple(replace(view, split=split) for view, split in zip(scene.views, splits, strict=True))
    with pytest.raises(InputError, match="1 photos of the scene are where they were"):
        own_photos(replace(scene, views=views), 0)
    only = tuple(replace(view, split="train") for view in scene.views)
    assert len(own_photos(replace(scene, views=only), 0)) == 3
    gone = tuple(replace(view, image=Path("gone.png")) for view in scene.views)
    with pytest.raises(InputError, match="0 photos"):
        own_photos(replace(scene, views=gone), 0)
