"""What others measure of the same surfaces: the protocols of DISN and of occupancy networks, and what a camera sees of
an object apart from what it does not see.

Figures of different protocols do not compare: each has its own scale, its own points and its own volume.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float

from ...mesh import Mesh, sample_surface
from ...mesh.raycast import RayCaster
from ...mesh.solid.voxels import dense_samples
from ...metrics.overlap import volume_iou
from ...metrics.shape import nearest
from .published_inside import inside_along_z
from .surface_metrics import FAILED_DISTANCE, FEWEST, earth_movers_distance

DISN_POINTS, DISN_CELLS, DISN_SIDE = 2048, 110, 2.5
DISN_PERCENT = (0.5, 1, 2, 5, 10, 20)  # of `DISN_SIDE`
_SPHERE_POINTS = 16_384  # by whose mean and radius DISN places a shape in the unit sphere
_REACH = 0.25  # of a cell: how densely a surface is sampled to find the cells that it passes
OCCNET_POINTS, OCCNET_PADDED, OCCNET_UNITS = 100_000, 0.55, 10  # a unit is a tenth of the longest side
SPLIT_POINTS, SPLIT_THRESHOLD, _CLOSE = 20_000, 0.01, 1e-3


def disn_metrics(
    prediction: Mesh | None, truth: Mesh, *, emd_points: int = DISN_POINTS, seed: int = 0
) -> dict[str, float]:
    """DISN's measures (Xu et al. 2019, its programs): both surfaces in the frame in which the truth's samples lie
    around the origin within radius 1.

    disn_chamfer_l2: 1000 times the sum of both directions' mean squared distances of 2048 vertices, drawn with
    replacement. disn_emd: a hundredth of the sum of distances of their best matching (there an approximate one), from
    the first `emd_points` of them. disn_precision_P, disn_recall_P: shares within P percent of 2.5. disn_iou: of the
    cells of 2/110 that the surfaces pass through, by their corners on 110 nodes over -1.1..1.3. A missing
    surface is a point at the origin, as there.
    """
    samples = sample_surface(truth, _SPHERE_POINTS, seed=seed)[0]
    center = samples.mean(axis=0)
    radius = float(np.linalg.norm(samples - center, axis=1).max())
    generator = np.random.default_rng(seed)
    true = (truth.vertices - center) / radius
    ours = np.zeros((1, 3)) if _is_missing(prediction) else (prediction.vertices - center) / radius  # type: ignore[union-attr]
    reference, found = (each[generator.integers(len(each), size=DISN_POINTS)] for each in (true, ours))
    forward, backward = nearest(found, reference)[0], nearest(reference, found)[0]
    metrics = {
        "disn_chamfer_l2": 1000 * float((forward**2).mean() + (backward**2).mean()),
        "disn_iou": 0.0,
    }
    if emd_points:
        some = slice(min(emd_points, DISN_POINTS))
        # Of a single point any matching is the best one.
        lone = float(np.linalg.norm(reference[some] - ours[0], axis=1).mean()) if len(ours) == 1 else None
        matched = earth_movers_distance(found[some], reference[some]) if lone is None else lone
        metrics["disn_emd"] = 0.01 * DISN_POINTS * matched
    for percent in DISN_PERCENT:
        near = 0.01 * percent * DISN_SIDE
        metrics[f"disn_precision_{percent:g}"] = float((forward < near).mean())
        metrics[f"disn_recall_{percent:g}"] = float((backward < near).mean())
    if not _is_missing(prediction):
        assert prediction is not None
        metrics["disn_iou"] = volume_iou(_nodes(Mesh(ours, prediction.faces)), _nodes(Mesh(true, truth.faces)))
    return metrics


def disn_f_score(precision: float, recall: float) -> float:
    """The F-score of mean precision and mean recall, as DISN's tables have it: not the mean of F-scores."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def occnet_metrics(
    prediction: Mesh | None, truth: Mesh, *, points: int = OCCNET_POINTS, seed: int = 0
) -> dict[str, float]:
    """The measures of occupancy networks (Mescheder et al. 2019): the truth's longest side is 1.

    occnet_chamfer_l1: mean of completeness and accuracy in tenths of the longest side, as in its tables.
    occnet_normals: mean absolute cosine of the normals of nearest points, both directions. occnet_iou: `points`
    uniform in the box, padded by a twentieth on each side; inside is where crossings along both ways are odd.
    occnet_fscore_1: F-score at a hundredth of the longest side, as Peng et al. 2020 add it. A missing surface counts as
    the box's diagonal off, with an IoU of 0 and normals of -1, as there.
    """
    if _is_missing(prediction):
        far = OCCNET_UNITS * math.sqrt(3)
        return {"occnet_iou": 0.0, "occnet_chamfer_l1": far, "occnet_normals": -1.0, "occnet_fscore_1": 0.0}
    assert prediction is not None
    reference, true_faces, _ = sample_surface(truth, points, seed=seed)
    found, faces, _ = sample_surface(prediction, points, seed=seed + 1)
    completeness, to_ours = nearest(reference, found)
    accuracy, to_true = nearest(found, reference)
    normals, true_normals = prediction.face_normals[faces], truth.face_normals[true_faces]
    cosines = [(true_normals * normals[to_ours]).sum(-1), (normals * true_normals[to_true]).sum(-1)]
    recall, precision = (float((each < 0.01).mean()) for each in (completeness, accuracy))
    queries = np.random.default_rng(seed).uniform(-OCCNET_PADDED, OCCNET_PADDED, (points, 3))
    inside = [inside_along_z(mesh.vertices, mesh.faces, queries).inside for mesh in (prediction, truth)]
    return {
        "occnet_iou": volume_iou(*inside),
        "occnet_chamfer_l1": OCCNET_UNITS * 0.5 * float(completeness.mean() + accuracy.mean()),
        "occnet_normals": 0.5 * float(sum(np.abs(each).mean() for each in cosines)),
        "occnet_fscore_1": 2 * precision * recall / max(precision + recall, 1e-12),
    }


def split_metrics(
    prediction: Mesh | None, truth: Mesh, eye: tuple[float, ...], *, points: int = SPLIT_POINTS, seed: int = 0
) -> dict[str, float]:
    """What a camera sees of the object, and what it does not, apart.

    Points of either surface are visible where the way from `eye` to them is free of that surface; each is measured
    against the whole of the other one. visible_share: of the truth's points. completeness, accuracy and fscore_1 (at a
    hundredth of the box) of each part. A missing surface is off by 1, the longest side. A part that has no points has
    no figures.

    Args:
        eye: where the camera stands, in the frame of the surfaces.
    """
    reference = sample_surface(truth, points, seed=seed)[0]
    seen = visible_points(truth, reference, eye)
    metrics = {"visible_share": float(seen.mean())}
    if _is_missing(prediction):
        completeness, accuracy = np.full(len(reference), FAILED_DISTANCE), np.zeros(0)
        found_seen = np.zeros(0, bool)
    else:
        assert prediction is not None
        found = sample_surface(prediction, points, seed=seed + 1)[0]
        completeness, accuracy = nearest(reference, found)[0], nearest(found, reference)[0]
        found_seen = visible_points(prediction, found, eye)
    for name, true_part, part in (("visible", seen, found_seen), ("occluded", ~seen, ~found_seen)):
        if true_part.any():
            there, back = completeness[true_part], accuracy[part] if part.any() else np.full(1, FAILED_DISTANCE)
            recall, precision = (float((each < SPLIT_THRESHOLD).mean()) for each in (there, back))
            metrics[f"{name}_completeness"], metrics[f"{name}_accuracy"] = float(there.mean()), float(back.mean())
            metrics[f"{name}_fscore_1"] = 2 * precision * recall / max(precision + recall, 1e-12)
    return metrics


def visible_points(mesh: Mesh, points: Float[np.ndarray, "n 3"], eye: tuple[float, ...]) -> Bool[np.ndarray, " n"]:
    """Which points of a surface are seen from a place: nothing of the surface lies before them."""
    ways = points - np.asarray(eye, np.float64)
    hits = RayCaster(mesh).cast(np.broadcast_to(np.asarray(eye, np.float64), ways.shape), ways)
    return hits.t * np.linalg.norm(ways, axis=1) > np.linalg.norm(ways, axis=1) - _CLOSE


def _is_missing(prediction: Mesh | None) -> bool:
    return prediction is None or len(prediction.vertices) < FEWEST


def _nodes(mesh: Mesh) -> Bool[np.ndarray, "110 110 110"]:
    """The corners of the cells that a surface passes through, among nodes over -1.1..1.3."""
    size = 2 / DISN_CELLS
    cells = np.unique(np.rint(dense_samples(mesh, reach=_REACH * size)[0] / size).astype(np.int64), axis=0)
    nodes = np.zeros((DISN_CELLS,) * 3, bool)
    for corner in np.ndindex(2, 2, 2):
        places = (size * (cells + np.array(corner) - 0.5) + 1.1) / 2.4 * DISN_CELLS
        i, j, k = np.clip(places.astype(np.int64), 0, DISN_CELLS - 1).T
        nodes[i, j, k] = True
    return nodes
