"""How much a mask that was found is to be trusted, from how far it and the network's first look agree."""

from __future__ import annotations

import math

import cv2
import numpy as np
from jaxtyping import Float
from scipy import ndimage

from ..metrics import mask_iou

SIDE = 320  # what is compared is reduced to this size
OPENED = 2  # steps of erosion and dilation: lines thinner than twice that, such as outlines, are no patch
GOOD = 0.85  # intersection over union with the truth from which a mask counts as right
LOW = 0.5  # confidence below which the user is asked for help
BIAS = -12.8  # logistic regression on composites: python benchmarks/mask_confidence.py
WEIGHTS = {"overlap": 12.8, "agreement": 3.2, "dispute": -2.3}


def mask_confidence(mask: Float[np.ndarray, "h w"], probability: Float[np.ndarray, "h w"]) -> float:
    """The probability, 0..1, that a mask's intersection over union with the truth is above 0.85.

    Args:
        mask: coverage that was found, 0..1.
        probability: of being the object, 0..1, as the network sees it at first, before anything else is asked.
    """
    found = cues(mask, probability)
    return 1 / (1 + math.exp(-BIAS - sum(weight * found[name] for name, weight in WEIGHTS.items())))


def cues(mask: Float[np.ndarray, "h w"], probability: Float[np.ndarray, "h w"]) -> dict[str, float]:
    """What the confidence goes by.

    Returns:
        overlap: of mask and probability as they are, their sum of minima over their sum of maxima, 0..1.
        agreement: intersection over union of the mask and of what is probable, 0..1.
        dispute: square root of the area of the largest patch where one is sure of what the other denies, in areas of
            the mask; at most 1.
    """
    mask, probability = (_reduced(each) for each in (mask, probability))
    inside = mask > 0.5
    disputed = ndimage.binary_opening(np.abs(mask - probability) > 0.5, iterations=OPENED)
    patches, _ = ndimage.label(disputed)
    largest = int(np.bincount(patches.ravel())[1:].max(initial=0))
    return {
        "overlap": float(np.minimum(mask, probability).sum() / max(np.maximum(mask, probability).sum(), 1e-6)),
        "agreement": float(mask_iou(inside, probability > 0.5)) if inside.any() else 0.0,
        "dispute": min(1.0, math.sqrt(largest / max(int(inside.sum()), 1))),
    }


def _reduced(values: np.ndarray) -> np.ndarray:
    scale = min(1.0, SIDE / max(values.shape))
    size = max(1, round(values.shape[1] * scale)), max(1, round(values.shape[0] * scale))
    return cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)
