"""All distances of two sets of images by the features of one net, under names that say which net and divisor."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float

from .features import FeatureNet, InceptionFeatures, frechet_name, kernel_name, precision_name, score_name
from .frechet import Divisor, Moments, frechet_distance
from .inception_score import SPLITS, inception_score
from .kernel_distance import kernel_distance
from .precision_recall import precision_recall

Measure = Literal["frechet", "kernel", "precision", "score"]
MEASURES: tuple[Measure, ...] = ("frechet", "kernel", "precision", "score")
_ROWS = 1000  # features at once


def image_distances(
    net: FeatureNet,
    real: Float[np.ndarray, "m d"],
    generated: Float[np.ndarray, "n d"],
    *,
    measures: tuple[Measure, ...] = MEASURES,
    divisor: Divisor = "n",
    seed: int = 0,
) -> dict[str, float]:
    """The measures that are asked for, of features of real and of generated images.

    Args:
        measures: "precision" is precision and recall; "score" the inception score, of the generated images alone, which
            only Inception gives.
        divisor: of the covariances.
        seed: of the kernel distance's subsets.

    Raises:
        InputError: there are too few images.
    """
    found: dict[str, float] = {}
    if "frechet" in measures:
        found[frechet_name(net, divisor)] = frechet_distance(moments_of(real), moments_of(generated), divisor)
    if "kernel" in measures:
        found[kernel_name(net)] = kernel_distance(real, generated, seed=seed)
    if "precision" in measures:
        shares = precision_recall(real, generated)
        found |= {precision_name(net, "precision"): shares[0], precision_name(net, "recall"): shares[1]}
    if "score" in measures and isinstance(net, InceptionFeatures):
        parts = np.array_split(generated, max(1, len(generated) // _ROWS))
        chances = np.concatenate([net.probabilities(torch.from_numpy(part)).cpu().numpy() for part in parts])
        splits = min(SPLITS, len(chances))
        found[score_name(net, splits)], found[f"{score_name(net, splits)}_deviation"] = inception_score(
            chances, splits=splits
        )
    return found


def moments_of(features: Float[np.ndarray, "n d"]) -> Moments:
    """Of features in memory, without a copy of all in double precision."""
    moments = Moments(features.shape[1])
    for start in range(0, len(features), _ROWS):
        moments.add(features[start : start + _ROWS])
    return moments
