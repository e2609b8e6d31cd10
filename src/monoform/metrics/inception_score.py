"""Inception score (Salimans et al. 2016): images that a classifier is sure of, and of many classes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float

from ..errors import InputError
from .arrays import Array, as_array

SPLITS = 10


def inception_score(probabilities: Float[Array, "n c"], *, splits: int = SPLITS) -> tuple[float, float]:
    """exp of the mean divergence of each image's classes from those of all: mean and deviation over the splits.

    From 1, where all images look alike to the classifier, to the number of classes.

    Raises:
        InputError: there are fewer images than splits.
    """
    values = as_array(probabilities)
    if len(values) < splits or splits < 1:
        raise InputError(f"{len(values)} images cannot be split into {splits}; give at least one image a split.")
    bounds = [number * len(values) // splits for number in range(splits + 1)]
    scores = [_score(values[low:high]) for low, high in pairwise(bounds)]
    return float(np.mean(scores)), float(np.std(scores))


def _score(values: np.ndarray) -> float:
    together = values.mean(axis=0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = values * (np.log(values) - np.log(together))
    return float(np.exp(np.where(values > 0, terms, 0).sum(axis=1).mean()))
