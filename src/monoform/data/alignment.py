"""How alike two shapes are once size, place and turn are taken out."""

from __future__ import annotations

import itertools
import math

import numpy as np
from jaxtyping import Float
from scipy.spatial import cKDTree

_DESCRIPTOR_PAIRS = 8192
_MOVED, _SCORED = 1500, 200
_STARTS, _ROUNDS = 4, 15


def shape_descriptor(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " 64"]:
    """Quantiles of distances to the centroid and between random pairs of surface points, over their root mean square.

    The same for a shape that is moved, turned, mirrored or scaled (D1 and D2 of Osada et al. 2002).
    """
    centered, _, _ = _normalized(points)
    generator = np.random.default_rng(0)
    first, second = generator.integers(len(points), size=(2, _DESCRIPTOR_PAIRS))
    levels = (np.arange(32) + 0.5) / 32
    radii = np.linalg.norm(centered, axis=1)
    pairs = np.linalg.norm(centered[first] - centered[second], axis=1)
    return np.concatenate([np.quantile(radii, levels), np.quantile(pairs, levels)])


def aligned_chamfer(
    points: Float[np.ndarray, "n 3"], reference: Float[np.ndarray, "m 3"], *, enough: float = 0.0
) -> float:
    """Chamfer-L1 after the similarity transform (turn, shift, one scale) that brings `points` closest to `reference`.

    Iterative closest points (Besl and McKay 1992) in both directions from the best of 36 starting turns: those that
    map axes to axes and steps of 22.5 degrees about +y. The mean of both directions' mean nearest distances, in the
    unit of `reference`; the spacing of the points is part of it. Stops early below `enough`.
    """
    moved, _, _ = _normalized(points)
    fixed, _, size = _normalized(reference)
    tree = cKDTree(fixed)
    few = moved[:: max(1, len(moved) // _SCORED)]
    scores = [np.mean(tree.query(few @ turn.T)[0]) for turn in _TURNS]
    best = math.inf
    for start in np.argsort(scores)[:_STARTS]:
        best = min(best, _refined(moved @ _TURNS[start].T, fixed, tree) * size)
        if best < enough:
            break
    return best


def _refined(moved: np.ndarray, fixed: np.ndarray, tree: cKDTree) -> float:
    """The Chamfer distance after closest points have been matched and fitted in turns."""
    some = fixed[:: max(1, len(fixed) // _MOVED)]
    step = max(1, len(moved) // _MOVED)
    for _ in range(_ROUNDS):
        source = moved[::step]
        there = tree.query(source)[1]
        back = cKDTree(moved).query(some)[1]
        scale, turn, shift = similarity(np.concatenate([source, moved[back]]), np.concatenate([fixed[there], some]))
        moved = scale * moved @ turn.T + shift
        if abs(scale - 1) < 1e-4 and np.abs(turn - np.eye(3)).max() < 1e-3 and np.abs(shift).max() < 1e-3:
            break
    return 0.5 * float(np.mean(tree.query(moved[::step])[0]) + np.mean(cKDTree(moved).query(some)[0]))


def similarity(
    source: Float[np.ndarray, "n 3"], target: Float[np.ndarray, "n 3"]
) -> tuple[float, Float[np.ndarray, "3 3"], Float[np.ndarray, " 3"]]:
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


_TURNS = _turns()
