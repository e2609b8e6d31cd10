"""The measures of an answer: shape and looks by each alignment, and what needs none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
from jaxtyping import Float

from ...camera import Camera
from ...errors import InputError
from ...mesh import Mesh, report, sample_surface
from ...mesh.self_intersections import intersecting_faces
from ...mesh.solid.alignment import turned_alignment
from ...methods.answers import inside_of
from ...metrics import mask_iou
from ...metrics.alignment import aligned, apply, shape_scores
from ...metrics.shape import normal_consistency
from ...metrics.shape_truth import PROBES, SURFACE_POINTS, Truth, unseen_pictures
from ...metrics.truth_scores import Look, picture_scores, volume_overlap
from ...render import render_mesh
from ..figures import PERFECT
from .answers import Answer
from .options import Alignment

THRESHOLDS = (0.05, 0.1, 0.2, 0.5)
SHAPE = ("chamfer", *(f"f_{each}" for each in THRESHOLDS), "normals", "iou", "psnr", "ssim")
SOUND = ("closed", "components", "self_intersections", "faces")
ALONE = ("silhouette_iou", *SOUND, "answer_seconds", "memory_mb", "failed")
ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)


def scores(
    answer: Answer, truth: Truth, view: int, alignments: Sequence[Alignment], look: Look | None = None
) -> dict[str, float]:
    """All measures of an answer, those of shape and looks as ALIGNMENT_MEASURE.

    Lengths are in units of half the longest side of the truth's box. Where there is no mesh: one point at the truth's
    middle, no overlap, no normals, empty pictures.

    Args:
        view: number of the input among those of the truth.
        look: a further measure of the pictures from unseen sides.
    """
    if answer.mesh is None:
        return _missing(truth, alignments, look)
    mesh = answer.mesh
    try:
        points, faces, _ = sample_surface(mesh, SURFACE_POINTS, seed=0)
    except InputError:
        return _missing(truth, alignments, look)
    told = report(mesh)
    contains = inside_of(mesh)
    volume = told.volume if told.watertight else _volume(mesh, contains)
    found: dict[str, float] = {}
    for alignment in alignments:
        motion = truth_from_answer(answer, points, truth, view, alignment)
        normals = _turned(motion, mesh.face_normals[faces])
        moved = apply(motion, points)
        pictures = unseen_pictures(mesh.transformed(motion))
        own = {
            **_distances(moved, truth),
            "normals": normal_consistency(moved, normals, truth.points, truth.normals),
            "iou": volume_overlap(contains, volume, truth, motion),
            **_looks(pictures, truth, look),
        }
        found |= {f"{alignment}_{name}": value for name, value in own.items()}
    if answer.camera is not None:
        found["silhouette_iou"] = silhouette_iou(mesh, answer.camera, truth, view)
    found |= {
        "closed": float(told.watertight),
        "components": float(told.components),
        "self_intersections": float(intersecting_faces(mesh).sum()),
        "faces": float(told.faces),
    }
    return found | dict(answer.measures) | {"failed": 0.0}


def truth_from_answer(
    answer: Answer, points: Float[np.ndarray, "n 3"], truth: Truth, view: int, alignment: Alignment
) -> Float[np.ndarray, "4 4"]:
    """What brings an answer into the frame of the truth.

    Args:
        points: of its surface.
        alignment: "none": what the camera says, where the answer tells one, else nothing; "icp": from there the
            similarity of iterative closest points, centers and sizes matched first; "turns": that from many turns.
    """
    placed = np.eye(4)
    if answer.camera is not None:
        pose = truth.world_from_camera[view].astype(np.float64)
        placed = pose @ answer.camera.camera_from_world[0].double().numpy()
    if alignment == "none":
        return placed
    moved = apply(placed, points)
    if not np.ptp(moved, axis=0).any():
        return placed
    return (aligned if alignment == "icp" else turned_alignment)(moved, truth.points) @ placed


def silhouette_iou(mesh: Mesh, camera: Camera, truth: Truth, view: int) -> float:
    """Overlap of the mesh's silhouette in its own camera and the picture's mask."""
    image = truth.images[view]
    seen = render_mesh(mesh, camera.resized(image.shape[1], image.shape[0]))
    return float(mask_iou(seen.mask, image[..., 3] > 127))


def _missing(truth: Truth, alignments: Sequence[Alignment], look: Look | None) -> dict[str, float]:
    """Of no answer: 0 where more is better, so that hardly an answer has less; else a point, and empty pictures."""
    pictures = np.ones(truth.pictures.shape, np.float32)
    point, looks = _distances(truth.points.mean(0)[None], truth), _looks(pictures, truth, look)
    nothing = dict.fromkeys((*(name for name in point if name != "chamfer"), "normals", "iou", "psnr", "ssim"), 0.0)
    own = {**point, **looks, **nothing}
    found = {f"{alignment}_{name}": value for alignment in alignments for name, value in own.items()}
    return found | {"silhouette_iou": 0.0, "failed": 1.0}


def _looks(pictures: Float[np.ndarray, "u p p 3"], truth: Truth, look: Look | None) -> dict[str, float]:
    found = picture_scores(pictures, truth)
    found["psnr"] = min(found["psnr"], PERFECT)
    return found | (look(pictures) if look is not None else {})


def _distances(points: Float[np.ndarray, "n 3"], truth: Truth) -> dict[str, float]:
    half = 0.5 * float(np.ptp(truth.points, axis=0).max())
    found = shape_scores(points, truth.points, radius=half, thresholds=THRESHOLDS)
    return {name: found[name] for name in SHAPE if name in found}


def _turned(motion: Float[np.ndarray, "4 4"], normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Normals after a similarity."""
    return normals @ (motion[:3, :3] / np.cbrt(np.linalg.det(motion[:3, :3]))).T


def _volume(mesh: Mesh, contains: Callable[[np.ndarray], np.ndarray]) -> float:
    """Volume of a mesh that is not closed, by points of its box."""
    low, high = mesh.bounds
    share = contains(np.random.default_rng(0).uniform(low, high, (PROBES, 3))).mean()
    return float(share * np.prod(high - low))
