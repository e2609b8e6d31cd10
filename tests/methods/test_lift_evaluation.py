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
from monoform.methods.lift.evaluate import EVALUATION, LiftEvaluation
from monoform.methods.lift.model import LiftNet
from monoform.methods.lift.scores import MEASURES, aligned, apply, shape_scores
from monoform.training import save_pretrained


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("meshes")
    trimesh.creation.icosphere(subdivisions=2, radius=0.4).export(root / "ball.ply")
    trimesh.creation.box((0.5, 0.3, 0.4)).export(root / "box.ply")
    return root


def test_unseen_meshes_are_measured_and_tables_written(meshes: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_pretrained(LiftNet(TINY), TINY, tmp_path / "weights", card="# tiny")
    asked = LiftEvaluation(meshes=meshes, out=tmp_path / "out", weights=str(tmp_path / "weights"), refine=0, views=1)
    told = EVALUATION.run(asked)
    summary = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(summary["each"]) == {"others/ball", "others/box"} and "| all | 2 |" in told
    total = summary["total"]
    assert set(MEASURES) | {"failed"} <= set(total) and total["failed"] == 0
    assert 0.3 < total["iou"] < 1 and 0 < total["f_0.05"] <= total["f_0.1"] <= 1 and total["psnr"] > 8
    kept = json.loads((tmp_path / "out" / "others" / "box" / "scores.json").read_text())
    assert kept["views"][0]["iou"] == summary["each"]["others/box"]["iou"]
    assert EVALUATION.run(asked) == told, "nothing is measured again"


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
    assert not (tmp_path / "out").exists()
