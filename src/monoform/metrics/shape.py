"""Similarity of two surfaces, from points sampled on them.

Distances are Euclidean, in the unit of the points. Papers differ in factors (sums or means of the two directions,
squares or not, times 1000): the functions here say which they are.
"""

from __future__ import annotations

import numpy as np
import scipy  # whose parts load when they are used
from jaxtyping import Float, Int

from ..errors import InputError
from .arrays import Array, as_array


def nearest(
    points: Float[Array, "n 3"], reference: Float[Array, "m 3"]
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Distance from each point to the closest reference point, and which one that is.

    Raises:
        InputError: a set is empty or holds NaN or infinity.
    """
    clouds = []
    for name, cloud in (("points", points), ("reference", reference)):
        cloud = as_array(cloud)
        if len(cloud) == 0 or not np.isfinite(cloud).all():
            raise InputError(f"Shape metric: {name} is empty or holds NaN or infinity; sample the surface again.")
        clouds.append(cloud)
    distances, indices = scipy.spatial.cKDTree(clouds[1]).query(clouds[0])
    return distances, np.asarray(indices, dtype=np.int64)


def chamfer(points: Float[Array, "n 3"], reference: Float[Array, "m 3"], *, squared: bool = False) -> float:
    """Mean of the two directions' mean nearest distance (Chamfer-L1 of Mescheder et al. 2019, section 4).

    With `squared`, of squared distances: half of what is often printed as Chamfer-L2.
    """
    to_reference, _ = nearest(points, reference)
    to_points, _ = nearest(reference, points)
    power = 2 if squared else 1
    return 0.5 * float(np.mean(to_reference**power) + np.mean(to_points**power))


def precision(points: Float[Array, "n 3"], reference: Float[Array, "m 3"], threshold: float) -> float:
    """Share of `points` that lie closer than `threshold` to the reference (Knapitsch et al. 2017, equation 4)."""
    return float(np.mean(nearest(points, reference)[0] < threshold))


def recall(points: Float[Array, "n 3"], reference: Float[Array, "m 3"], threshold: float) -> float:
    """Share of the reference that lies closer than `threshold` to `points` (Knapitsch et al. 2017, equation 6)."""
    return precision(reference, points, threshold)


def f_score(points: Float[Array, "n 3"], reference: Float[Array, "m 3"], threshold: float) -> float:
    """Harmonic mean of precision and recall, 0..1 (Knapitsch et al. 2017, equation 7); 0 where both are."""
    p, r = precision(points, reference, threshold), recall(points, reference, threshold)
    return 0.0 if p + r == 0 else 2.0 * p * r / (p + r)


def normal_consistency(
    points: Float[Array, "n 3"],
    normals: Float[Array, "n 3"],
    reference: Float[Array, "m 3"],
    reference_normals: Float[Array, "m 3"],
) -> float:
    """Mean |cosine| between unit normals of nearest points, mean of both directions (Mescheder et al. 2019)."""
    ours, theirs = as_array(normals), as_array(reference_normals)
    to_reference, to_points = nearest(points, reference)[1], nearest(reference, points)[1]
    forward = np.abs(np.sum(ours * theirs[to_reference], axis=-1)).mean()
    backward = np.abs(np.sum(theirs * ours[to_points], axis=-1)).mean()
    return 0.5 * float(forward + backward)
