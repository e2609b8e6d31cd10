"""Kernel distance of two sets of features (Binkowski et al. 2018): unbiased, other than the Frechet distance."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from ..errors import InputError
from .arrays import Array, as_array

SUBSETS, SIZE, DEGREE = 100, 1000, 3


def squared_discrepancy(first: Float[Array, "m d"], second: Float[Array, "n d"], *, degree: int = DEGREE) -> float:
    """Squared maximum mean discrepancy with the kernel (x.y / d + 1)^degree; its mean over sets is the true one.

    So it is negative now and then where two sets are of one distribution.

    Raises:
        InputError: a set has fewer than two features.
    """
    x, y = as_array(first), as_array(second)
    if min(len(x), len(y)) < 2:
        raise InputError(f"A kernel distance of {len(x)} and {len(y)} images; at least 2 of each are needed.")

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a @ b.T / x.shape[1] + 1) ** degree

    def between(values: np.ndarray) -> float:
        own = kernel(values, values)
        return float((own.sum() - np.trace(own)) / (len(values) * (len(values) - 1)))

    return between(x) + between(y) - 2 * float(kernel(x, y).mean())


def kernel_distance(
    real: Float[Array, "m d"],
    generated: Float[Array, "n d"],
    *,
    subsets: int = SUBSETS,
    size: int = SIZE,
    degree: int = DEGREE,
    seed: int = 0,
) -> float:
    """Mean discrepancy of random subsets, at most of the `size` that both sets have."""
    size = min(size, len(real), len(generated))
    draw = np.random.default_rng(seed)
    pairs = (
        (draw.choice(len(real), size, replace=False), draw.choice(len(generated), size, replace=False))
        for _ in range(subsets)
    )
    return kernel_distance_of(real, generated, pairs, degree=degree)


def kernel_distance_of(
    real: Float[Array, "m d"],
    generated: Float[Array, "n d"],
    subsets: Iterable[tuple[Int[np.ndarray, " s"], Int[np.ndarray, " s"]]],
    *,
    degree: int = DEGREE,
) -> float:
    """The same of the subsets that are given: rows of the real and of the generated features."""
    x, y = as_array(real), as_array(generated)
    return float(np.mean([squared_discrepancy(x[of_x], y[of_y], degree=degree) for of_x, of_y in subsets]))
