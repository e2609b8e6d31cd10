"""The protocol of lift: two meshes, one picture each, by a network of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from tests.methods.test_lift import TINY

from monoform import InputError
from monoform.data import mesh_sources
from monoform.methods.lift.evaluate import EVALUATION, LiftEvaluation, UnseenObjects
from monoform.methods.lift.model import LiftNet
from monoform.methods.lift.scores import (
    MEASURES,
    SPAR3D,
    scores,
    spar3d_scores,
)
from monoform.metrics.alignment import aligned, apply, shape_scores
from monoform.metrics.feature_distance import FeatureDistance
from monoform.metrics.shape_truth import prepare_truth
from monoform.metrics.truth_scores import perceptual, picture_scores
from monoform.nn.efficientnet_lite import EfficientNetLite0
from monoform.training import save_pretrained


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("meshes")
    trimesh.creation.icosphere(subdivisions=2, radius=0.4).export(root / "ball.ply")
    trimesh.creation.box((0.5, 0.3, 0.4)).export(root / "box.ply")
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    torch.manual_seed(0)
    return str(save_pretrained(LiftNet(TINY), TINY, tmp_path_factory.mktemp("lift") / "weights", card="# tiny"))


def test_unseen_meshes_are_measured_and_tables_written(meshes: Path, weights: str, tmp_path: Path) -> None:
    asked = LiftEvaluation(meshes=meshes, out=tmp_path / "out", weights=weights, refine=0, views=1, inflate=False)
    told = EVALUATION.run(asked)
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(summary["each"]) == {"others/ball", "others/box"} and "| all | 2 |" in told
    total = summary["total"]
    assert {*MEASURES, *SPAR3D, "failed"} <= set(total) and total["failed"] == 0
    assert 0.3 < total["iou"] < 1 and 0 < total["f_0.05"] <= total["f_0.1"] <= 1 and total["psnr"] > 8
    kept = json.loads((tmp_path / "out" / "others" / "box" / "scores.json").read_text())
    assert kept["views"][0]["lift"]["iou"] == summary["each"]["others/box"]["iou"]
    assert EVALUATION.run(asked) == told, "nothing is measured again"


def test_methods_are_compared_on_the_same_pictures(meshes: Path, weights: str, tmp_path: Path) -> None:
    torch.save({f"_{name}": each for name, each in EfficientNetLite0().state_dict().items()}, tmp_path / "net.pth")
    asked = LiftEvaluation(
        meshes=meshes,
        out=tmp_path / "out",
        weights=weights,
        refine=2,
        views=1,
        limit=1,
        against=(weights,),
        without=("refine",),
        perceptual=tmp_path / "net.pth",
    )
    told = EVALUATION.run(asked)
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())["all"]
    assert list(found["means"]) == ["lift", "inflate", f"lift of {weights}", "lift without refine"]
    total = json.loads((tmp_path / "out" / "metrics.json").read_text())["total"]
    assert found["means"]["lift"]["iou"] == pytest.approx(total["iou"]) and "lift against inflate" in told
    figures = {each["against"]: each["figures"] for each in found["comparisons"]}
    same = figures[f"lift of {weights}"]
    assert same.pop("f_0.05_ratio") == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert {each["value"] for each in same.values()} == {0.0}
    gap = found["means"]["lift"]["psnr"] - found["means"]["inflate"]["psnr"]
    assert figures["inflate"]["psnr"]["value"] == pytest.approx(gap)
    assert any(name.startswith("perceptual_lite0-") for name in figures["inflate"])
    assert any(each["value"] for each in figures["lift without refine"].values())


def test_a_limit_takes_objects_from_all_over_the_list(meshes: Path, tmp_path: Path) -> None:
    asked = LiftEvaluation(meshes=meshes, out=tmp_path, limit=1)
    assert [each.name for each in UnseenObjects.open(asked).sources] == ["ball"]
    assert list(UnseenObjects.open(LiftEvaluation(meshes=meshes, out=tmp_path, inflate=False)).answers) == ["lift"]


def test_the_true_pictures_are_perfect_and_empty_ones_count_as_a_refused_answer(meshes: Path) -> None:
    truth = prepare_truth({each.name: each for each in mesh_sources(meshes)}["box"], views=1, seed=0)
    look = perceptual(FeatureDistance(EfficientNetLite0()), truth)
    true, empty = truth.pictures.astype(np.float32) / 255, np.ones(truth.pictures.shape, np.float32)
    assert look(true) == {"perceptual_lite0": 0.0} and look(empty)["perceptual_lite0"] > 0
    assert picture_scores(true, truth)["psnr"] > 55, "up to a rounding of bytes"
    refused = scores(None, truth, 0, look)
    assert refused["f_0.1"] == refused["iou"] == 0 and refused["spar3d_cd"] > 0.3
    assert {name: refused[name] for name in ("psnr", "ssim")} == picture_scores(empty, truth)
    assert refused["perceptual_lite0"] == look(empty)["perceptual_lite0"]


def test_spar3d_finds_a_turned_shape_and_counts_in_its_box() -> None:
    along = np.random.default_rng(0).uniform(0, 1, (3000, 1))
    points = np.concatenate([along[part::3] * 2.0 * np.eye(3)[part] / (1 + part) for part in range(3)])  # three rods
    turn = trimesh.transformations.rotation_matrix(2.2, (0.3, 1, 0.2))
    turn[:3, :3] *= 1.7
    found = spar3d_scores(apply(turn, points), points)
    assert found["spar3d_cd"] < 0.01 and found["spar3d_f_0.1"] == 1
    assert shape_scores(apply(turn, points), points)["f_0.1"] < 0.6, "the frozen protocol keeps the frame"
    plate = np.stack([np.repeat(np.linspace(-5, 5, 101), 101), np.tile(np.linspace(-5, 5, 101), 101), np.zeros(101**2)])
    shifted = shape_scores(plate.T + np.array((0, 0, 0.75)), plate.T, radius=5, thresholds=(0.1, 0.2))
    assert shifted["f_0.1"] == 0 and shifted["f_0.2"] == 1 and shifted["chamfer"] == pytest.approx(0.15)


def test_shapes_are_compared_after_alignment() -> None:
    points = np.random.default_rng(0).normal(size=(4000, 3)) * (1.0, 0.6, 0.3)
    turn = trimesh.transformations.rotation_matrix(0.2, (0.3, 1, 0.2))
    turn[:3, :3] *= 1.7
    turn[:3, 3] = 0.4, -0.2, 0.1
    moved = apply(turn, points)
    back = apply(aligned(moved, points), moved)
    assert shape_scores(back, points)["f_0.05"] > 0.999
    assert shape_scores(moved, points)["f_0.05"] < 0.7
    assert shape_scores(points, points) == {"f_0.05": 1.0, "f_0.1": 1.0, "chamfer": 0.0}


def test_what_cannot_be_measured_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--views is 0"):
        LiftEvaluation(meshes=tmp_path, out=tmp_path / "out", views=0)
    with pytest.raises(InputError, match=r"mesh"):
        EVALUATION.run(LiftEvaluation(meshes=tmp_path, out=tmp_path / "out"))
    with pytest.raises(InputError, match="--without wings: give options"):
        LiftEvaluation(meshes=tmp_path, out=tmp_path / "out", without=("wings",))
    with pytest.raises(InputError, match="seeds is 0"):
        LiftEvaluation(meshes=tmp_path, out=tmp_path / "out", without=("seeds",))
    assert not (tmp_path / "out").exists()
