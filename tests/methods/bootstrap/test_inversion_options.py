"""Options of a photo's inversion through the method: each changes what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.mesh.mesh_shapes import icosphere
from tests.methods.bootstrap.test_use import camera_for, method_of, shown
from tests.methods.bootstrap.tiny_bootstrap import config_of

from monoform import InputError, Photo, View
from monoform.camera import Camera
from monoform.methods.bootstrap.config import BootstrapOptions
from monoform.methods.bootstrap.infer import Bootstrap
from monoform.scene import Reconstruction, load
from monoform.scene.result_files import save

STEPS = 6


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bootstrap, Photo, Camera]:
    """A method whose encoder is a little wrong, a photo, and its camera."""
    true = camera_for("perspective")
    folder = tmp_path_factory.mktemp("weights")
    method, photo = shown(method_of(folder, config_of(), refine=STEPS, loss="l1", maps=False), true)
    assert method.encoder is not None
    method.encoder.told.latent.add_(0.3)  # type: ignore[union-attr,operator]
    return method, photo, true


def made(
    asked: tuple[Bootstrap, Photo, Camera], *, known: bool = True, seed: int = 0, **options: object
) -> Reconstruction:
    method, photo, true = asked
    given = method.config
    try:
        method.config = replace(given, **options)  # type: ignore[arg-type]
        view = View(photo, true if known else None)
        return method.reconstruct([view], generator=torch.Generator().manual_seed(seed))
    finally:
        method.config = given


def shape(found: Reconstruction) -> torch.Tensor:
    points = torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    return found.field.geometry(points)


def zoom(found: Reconstruction) -> float:
    return float(found.camera.intrinsics[0, 0, 0])


def test_a_solved_camera_has_a_covariance_and_a_refined_one_says_why_not(
    asked: tuple[Bootstrap, Photo, Camera], tmp_path: Path
) -> None:
    solved = made(asked, refine=0)
    spread = solved.views[0].covariance
    assert isinstance(spread, torch.Tensor) and spread.shape == (6, 6)
    assert torch.allclose(spread, spread.T) and torch.linalg.eigvalsh(spread).min() > 0
    apart = solved.camera.camera_from_world[0] @ asked[2].world_from_camera[0]
    assert apart[:3, 3].norm() < 6 * spread.diagonal()[3:].sum().sqrt() + 0.02, "in world units"
    save(solved, icosphere(), tmp_path / "solved")
    assert torch.allclose(load(tmp_path / "solved").views[0].covariance, spread)  # type: ignore[arg-type]
    refined = made(asked, refine=STEPS)
    assert "gradient steps" in str(refined.views[0].covariance)
    assert isinstance(made(asked, refine=STEPS, refine_pose="off").views[0].covariance, torch.Tensor)
    summary = save(refined, icosphere(), tmp_path / "refined").summary
    assert summary["camera"] == {"covariance": None, "reason": refined.views[0].covariance}
    assert load(tmp_path / "refined").views[0].covariance == refined.views[0].covariance


@pytest.mark.parametrize(
    "options",
    [
        {"refine": 0},
        {"gain": 2.0},
        {"loss": "mse"},
        {"refine_pose": "off"},
        {"split": False},
        {"mask": 0.5},
        {"tuning": 2},
        {"rays": "object"},
        {"half": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_an_option_changes_the_object(asked: tuple[Bootstrap, Photo, Camera], options: dict[str, object]) -> None:
    first, again, other = (shape(made(asked, **each)) for each in ({}, {}, options))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_seed_changes_the_samples(asked: tuple[Bootstrap, Photo, Camera]) -> None:
    first, other = (shape(made(asked, seed=seed)) for seed in (0, 1))
    assert not torch.equal(first, other)


def test_a_known_focal_length_is_held(asked: tuple[Bootstrap, Photo, Camera]) -> None:
    """The camera moves, its focal length and principal point do not; guessed ones are refined."""
    first, last = (made(asked, refine=steps) for steps in (0, STEPS))
    true = asked[2]
    assert (
        zoom(last) == pytest.approx(zoom(first), rel=1e-5) == pytest.approx(float(true.intrinsics[0, 0, 0]), rel=1e-3)
    )
    torch.testing.assert_close(last.camera.intrinsics[0, :2, 2], true.intrinsics[0, :2, 2], atol=1e-3, rtol=0)
    assert not torch.equal(first.camera.world_from_camera, last.camera.world_from_camera)
    first, last = (made(asked, refine=steps, known=False, focals=(1.2,)) for steps in (0, STEPS))
    assert zoom(last) != pytest.approx(zoom(first), rel=1e-5)


def test_patience_ends_a_refinement_that_no_longer_gains(asked: tuple[Bootstrap, Photo, Camera]) -> None:
    """A gain so small that nothing moves: the loss of the last step is that of the first but one."""
    steps: list[int] = []
    for patience in (0, 1):
        found = made(asked, refine=40, gain=1e-3, refine_pose="off", patience=patience)
        fit = found.provenance.fit
        assert fit is not None
        steps.append(int(fit["steps"]))
    assert steps[0] == 40 > steps[1]


@pytest.mark.parametrize(
    "options", [{"mask": -1.0}, {"patience": -1}, {"tuning": -1}], ids=lambda given: next(iter(given))
)
def test_numbers_out_of_range_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        BootstrapOptions(weights="w", **options)  # type: ignore[arg-type]
