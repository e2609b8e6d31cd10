"""Sentences about a mask, and about the fit of a mesh to it, for the console and the pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def figures_in_words(row: Mapping[str, Any]) -> str:
    """What results of several seeds are ranked by."""
    forms = (("psnr", "PSNR {:.2f} dB"), ("iou", "IoU {:.3f}"), ("fog", "fog {:.3f}"), ("clip", "CLIP {:.3f}"))
    return ", ".join(form.format(row[name]) for name, form in forms if row.get(name) is not None)
