"""Frechet distance of two sets of features, each seen as a normal distribution (Heusel et al. 2017)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import scipy  # whose parts load when they are used
from jaxtyping import Float

from ..errors import InputError
from .arrays import Array, as_array

Divisor = Literal["n", "n-1"]
"""What sums of squares are divided by: n, as StyleGAN's metrics do, or n-1, as pytorch-fid does. Distances differ."""


class Moments:
    """Count, mean and scatter of features that come in batches, in float64.

    Attributes:
        count: features so far.
        mean: of them (d,).
        scatter: sum of the outer products of their differences from the mean (d, d).
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean, self.scatter = np.zeros(size), np.zeros((size, size))

    @classmethod
    def of(cls, features: Float[Array, "n d"]) -> Moments:
        """Those of one batch."""
        values = as_array(features)
        found = cls(values.shape[1])
        found.count = len(values)
        if len(values):
            found.mean = values.mean(axis=0)
            found.scatter = (values - found.mean).T @ (values - found.mean)
        return found

    def add(self, features: Float[Array, "n d"]) -> None:
        """Count a batch in."""
        self.merge(Moments.of(features))

    def merge(self, other: Moments) -> None:
        """Count in what another has counted: of the next batch, or of another process (Chan et al. 1979)."""
        total = self.count + other.count
        if total == 0:
            return
        apart = other.mean - self.mean
        self.scatter = self.scatter + other.scatter + np.outer(apart, apart) * (self.count * other.count / total)
        self.mean = self.mean + apart * (other.count / total)
        self.count = total

    def covariance(self, divisor: Divisor) -> Float[np.ndarray, "d d"]:
        """The covariance with the divisor that is named.

        Raises:
            InputError: there are fewer than two features.
        """
        if self.count < 2:
            raise InputError(f"A covariance of {self.count} images; at least 2 are needed.")
        return self.scatter / (self.count if divisor == "n" else self.count - 1)


def frechet_distance(first: Moments, second: Moments, divisor: Divisor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), at least 0.

    The trace of the root is that of (C1^(1/2) C2 C1^(1/2))^(1/2): eigenvalues of symmetric matrices, which holds for
    fewer images than features too, where a root of the product itself does not settle.
    """
    covariances = first.covariance(divisor), second.covariance(divisor)
    values, vectors = scipy.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    inner = scipy.linalg.eigvalsh(root @ covariances[1] @ root)
    spread = sum(float(np.trace(each)) for each in covariances) - 2 * float(np.sqrt(inner.clip(min=0)).sum())
    return max(0.0, float(((first.mean - second.mean) ** 2).sum()) + spread)
