"""How alike two shapes are once size, place and turn are taken out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

Similarity = tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]  # scale, turn, shift

_DESCRIPTOR_PAIRS = 8192
_COARSE, _FINE, _SCORED = 200, 1500, 100  # points that are moved in a first look, at the end, and to rank the turns
_STARTS, _MORE_STARTS = 3, 4
_ROUNDS = {_COARSE: 6, _FINE: 15}
_HOPELESS = 1.5  # a first look that ends this many times above what is asked for is not refined
_APART = 3.0  # and turns that leave so many times as much are not even tried


def shape_descriptor(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " 67"]:
    """Quantiles of distances to the centroid and between random pairs of surface points, then the three semi-axes.

    All relative to the root mean square distance to the centroid, so the same for a shape that is moved, turned,
    mirrored or scaled (D1 and D2 of Osada et al. 2002; square roots of the covariance's eigenvalues).
    """
    centered, _, _ = _normalized(points)
    generator = np.random.default_rng(0)
    first, second = generator.integers(len(points), size=(2, _DESCRIPTOR_PAIRS))
    levels = (np.arange(32) + 0.5) / 32
    radii = np.linalg.norm(centered, axis=1)
    pairs = np.linalg.norm(centered[first] - centered[second], axis=1)
    axes = np.sqrt(np.maximum(np.linalg.eigvalsh(centered.T @ centered / len(points)), 0.0))
    return np.concatenate([np.quantile(radii, levels), np.quantile(pairs, levels), axes])


class Shape:
    """Points of a surface with what every comparison needs of them: normalised, and in a search tree."""

    def __init__(self, points: Float[np.ndarray, "n 3"]) -> None:
        self.points, self.center, self.size = _normalized(points)
        self.tree = cKDTree(self.points)


def aligned_chamfer(shape: Shape, reference: Shape, *, limit: float = math.inf) -> float:
    """Chamfer-L1 after the similarity transform (turn, shift, one scale) that brings `shape` closest to `reference`.

    Iterative closest points (Besl and McKay 1992) in both directions from the best of 36 starting turns: those that
    map axes to axes and steps of 22.5 degrees about +y. The mean of both directions' mean nearest distances, in the
    unit of `reference`; the spacing of the points is part of it. With `limit` only a value below it is precise.
    """
    return _best(shape, reference, _TURNS, _STARTS, limit)[0]


def aligned_points(points: Float[np.ndarray, "n 3"], reference: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "n 3"]:
    """The points after the similarity transform that brings them closest to `reference`, however they are turned.

    Iterative closest points as in `aligned_chamfer`, from the four best of 120 starting turns: those of an icosahedron,
    and the same after one turn more.
    """
    found = turned_alignment(points, reference)
    return points @ found[:3, :3].T + found[:3, 3]


def turned_alignment(points: Float[np.ndarray, "n 3"], reference: Float[np.ndarray, "m 3"]) -> Float[np.ndarray, "4 4"]:
    """The similarity of `aligned_points`."""
    shape, other = Shape(points), Shape(reference)
    scale, turn, shift = _best(shape, other, _many_turns(), _MORE_STARTS)[1]
    result = np.eye(4)
    result[:3, :3] = other.size * scale / max(shape.size, 1e-12) * turn
    result[:3, 3] = other.center + other.size * shift - result[:3, :3] @ shape.center
    return result


def _best(
    shape: Shape, reference: Shape, turns: Sequence[np.ndarray], starts: int, limit: float = math.inf
) -> tuple[float, Similarity]:
    few = _spread(shape.points, _SCORED)
    scores = [np.mean(reference.tree.query(few @ turn.T)[0]) for turn in turns]
    best: tuple[float, Similarity] = (math.inf, (1.0, np.eye(3), np.zeros(3)))
    for start in np.argsort(scores)[:starts]:
        turned = (1.0, turns[start], np.zeros(3))
        if scores[start] * reference.size > _APART * limit:
            return min(best, (scores[start] * reference.size, turned), key=_distance)
        coarse, found = _refined(shape, reference, turned, _COARSE)
        best = min(best, (coarse * reference.size, found), key=_distance)
        if coarse * reference.size < _HOPELESS * limit:
            fine, found = _refined(shape, reference, found, _FINE)
            best = min(best, (fine * reference.size, found), key=_distance)
        if best[0] < limit < math.inf:
            break
    return best


def _distance(found: tuple[float, Similarity]) -> float:
    return found[0]


def _refined(shape: Shape, reference: Shape, transform: Similarity, count: int) -> tuple[float, Similarity]:
    """Closest points of `count` on each side matched and fitted in turns: the Chamfer distance and the transform."""
    source, target = _spread(shape.points, count), _spread(reference.points, count)
    for step in range(_ROUNDS[count] + 1):
        scale, turn, shift = transform
        to_reference, matched = reference.tree.query(scale * source @ turn.T + shift)
        to_source, matching = shape.tree.query((target - shift) @ turn / scale)
        distance = 0.5 * float(np.mean(to_reference) + scale * np.mean(to_source))
        if step == _ROUNDS[count]:
            break
        pairs = np.concatenate([source, shape.points[matching]]), np.concatenate([reference.points[matched], target])
        transform = similarity(*pairs)
        if max(abs(transform[0] - scale), np.abs(transform[1] - turn).max(), np.abs(transform[2] - shift).max()) < 1e-3:
            break
    return distance, transform


def _spread(points: np.ndarray, count: int) -> np.ndarray:
    """About `count` of the points, at regular steps."""
    return points[:: max(1, len(points) // count)]


def similarity(source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"]) -> Similarity:
    """Scale, rotation and shift that bring matched points together with least squares (Umeyama 1991, equation 40)."""
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_mean, target - target_mean
    u, singular, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = (u * sign) @ vt
    scale = float((singular * sign).sum() / max((a * a).sum(), 1e-30))
    return scale, turn, target_mean - scale * turn @ source_mean


def _normalized(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Points about their centroid at root mean square distance 1, with the centroid and that distance."""
    center = points.mean(axis=0)
    centered = points - center
    size = float(np.sqrt((centered**2).sum(axis=1).mean()))
    return centered / max(size, 1e-12), center, size


def _turns() -> list[np.ndarray]:
    turns = []
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[np.arange(3), order] = signs
            if np.linalg.det(matrix) > 0:
                turns.append(matrix)
    for k in range(16):
        if k % 4:
            c, s = math.cos(k * math.pi / 8), math.sin(k * math.pi / 8)
            turns.append(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]))
    return turns


@cache
def _many_turns() -> list[np.ndarray]:
    icosahedron = Rotation.create_group("I")
    further = Rotation.from_euler("xyz", (20, 25, 30), degrees=True)
    return [*icosahedron.as_matrix(), *(icosahedron * further).as_matrix()]


_TURNS = _turns()
