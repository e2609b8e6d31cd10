"""Sentences about a mask, and about the fit of a mesh to it, for the console and the pages."""

from __future__ import annotations

GIVEN = {"file": "given", "alpha": "the photo's transparency"}  # by where a mask comes from


def is_guessed(origin: object) -> bool:
    """Whether a program has found the mask, so that it may be wrong."""
    return isinstance(origin, str) and bool(origin) and origin not in GIVEN


def origin_in_words(origin: object) -> str:
    """Where a mask comes from; "" where there is none."""
    if not isinstance(origin, str) or not origin:
        return ""
    return GIVEN.get(origin, f"found automatically ({origin}), not checked")


def fit_in_words(iou: object) -> str:
    """The IoU of silhouette and mask in words that do not claim that the mask itself is right."""
    return f"mesh follows the mask: IoU {iou:.3f}" if isinstance(iou, int | float) else ""
