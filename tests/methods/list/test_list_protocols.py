"""The same surfaces by other protocols: balls against balls, whose figures are known, and what cameras see of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import trimesh

from monoform import Mesh
from monoform.methods.list.protocols import disn_metrics, occnet_metrics, split_metrics, visible_points
from monoform.methods.list.side_by_side import write_side_by_side

SMALL, LARGE = 0.4, 0.5


def ball(radius: float) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=4, radius=radius)
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces))


def test_a_smaller_ball_by_disns_protocol() -> None:
    """In the unit sphere the two are a fifth apart: 2 * 0.2^2 * 1000, and 2048 / 100 matched over no less than that."""
    found = disn_metrics(ball(SMALL), ball(LARGE), emd_points=400)
    assert found["disn_chamfer_l2"] == pytest.approx(80, rel=0.07)
    assert 0.2 * 20.48 <= found["disn_emd"] < 0.35 * 20.48
    assert found["disn_iou"] == 0  # surfaces, not volumes
    near, far = (found[f"disn_precision_{percent}"] for percent in (5, 10))  # of 2.5: 0.125 and 0.25
    assert near == 0 and far > 0.98
    assert "disn_emd" not in disn_metrics(ball(SMALL), ball(LARGE), emd_points=0)


def test_a_smaller_ball_by_the_protocol_of_occupancy_networks() -> None:
    found = occnet_metrics(ball(SMALL), ball(LARGE), points=20_000)
    assert found["occnet_chamfer_l1"] == pytest.approx(10 * (LARGE - SMALL), rel=0.02)
    assert found["occnet_iou"] == pytest.approx((SMALL / LARGE) ** 3, abs=0.02)
    assert found["occnet_normals"] == pytest.approx(1, abs=0.01) and found["occnet_fscore_1"] == 0
    turned = Mesh(ball(LARGE).vertices, ball(LARGE).faces[:, ::-1])
    assert occnet_metrics(turned, ball(LARGE), points=5000)["occnet_normals"] == pytest.approx(1, abs=0.01)


def test_a_ball_against_itself() -> None:
    found = disn_metrics(ball(LARGE), ball(LARGE), emd_points=0)
    assert found["disn_iou"] == 1 and found["disn_precision_5"] > 0.98
    same = occnet_metrics(ball(LARGE), ball(LARGE), points=5000)
    assert same["occnet_iou"] == 1 and same["occnet_chamfer_l1"] < 0.15


@pytest.mark.parametrize("distance", [0.8, 3.0])
def test_the_visible_cap_of_a_ball(distance: float) -> None:
    """A ball of radius r shows (1 - r / d) / 2 of itself from the distance d."""
    found = split_metrics(ball(SMALL), ball(LARGE), (0, 0, distance), points=8000)
    assert found["visible_share"] == pytest.approx(0.5 * (1 - LARGE / distance), abs=0.01)
    for part in ("visible", "occluded"):
        assert found[f"{part}_completeness"] == pytest.approx(0.1, abs=0.003)
        assert found[f"{part}_accuracy"] == pytest.approx(0.1, abs=0.003)


def test_what_is_wrong_behind_is_not_counted_before() -> None:
    """A dent on the side away from the camera."""
    whole = ball(LARGE)
    behind = whole.vertices[:, 2] < -0.3
    dented = Mesh(np.where(behind[:, None], whole.vertices * (1, 1, 0.6), whole.vertices), whole.faces)
    found = split_metrics(dented, whole, (0, 0, 3), points=8000)
    assert found["visible_completeness"] < 0.02 < 0.03 < found["occluded_completeness"]
    assert found["visible_fscore_1"] > 2 * found["occluded_fscore_1"] * 0.6
    points = np.array([[0, 0, LARGE], [0, 0, -LARGE]])
    assert visible_points(whole, points, (0, 0, 3)).tolist() == [True, False]


def test_a_missing_surface_counts_as_their_programs_count_it() -> None:
    few = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    for missing in (None, few):
        disn, occnet = disn_metrics(missing, ball(LARGE)), occnet_metrics(missing, ball(LARGE))
        assert disn["disn_chamfer_l2"] == pytest.approx(2000, rel=0.01)  # from the origin to the unit sphere
        assert occnet["occnet_chamfer_l1"] == pytest.approx(10 * math.sqrt(3)) and occnet["occnet_normals"] == -1
        assert disn["disn_iou"] == occnet["occnet_iou"] == 0
        split = split_metrics(missing, ball(LARGE), (0, 0, 3))
        assert split["visible_completeness"] == split["occluded_accuracy"] == 1 and split["visible_fscore_1"] == 0


def test_the_table_has_a_row_for_each_protocol(tmp_path) -> None:
    scores = occnet_metrics(ball(SMALL), ball(LARGE), points=2000) | {"disn_precision_1": 0.5, "disn_recall_1": 0.25}
    told = write_side_by_side(tmp_path, {"chair/a": scores, "lamp/b": scores | {"disn_precision_1": 0.0}})
    assert "| DISN | - | - | - | 0.25 | - | - |" in told  # of the means 0.25 and 0.25
    assert "| OccNet |" in told and "| LIST |" not in told and "visible" not in told
    sheet = (tmp_path / "protocols.csv").read_text().splitlines()
    assert sheet[0].startswith("category,occnet_iou") and [row.split(",")[0] for row in sheet[1:]] == [
        "chair",
        "lamp",
        "all",
    ]
