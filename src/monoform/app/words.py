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


def fit_in_words(iou: object, confidence: object = None) -> str:
    """How sure a found mask is, 0..1; and the IoU of mesh and mask, which says nothing of how right the mask is."""
    sure = f"mask confidence {confidence:.2f}" if isinstance(confidence, int | float) else ""
    fits = f"mesh against mask: IoU {iou:.3f}" if isinstance(iou, int | float) else ""
    return ", ".join(filter(None, (sure, fits)))


def front_in_words(overlay: Mapping[str, Any]) -> str:
    """How the mesh's front looks like the photo inside the mask."""
    forms = (("psnr", "PSNR {:.1f} dB"), ("ssim", "SSIM {:.3f}"))
    told = [form.format(overlay[name]) for name, form in forms if isinstance(overlay.get(name), int | float)]
    return f"front against photo: {', '.join(told)}" if told else ""


def figures_in_words(row: Mapping[str, Any]) -> str:
    """What results of several seeds are ranked by."""
    forms = {
        "psnr": "PSNR {:.2f} dB",
        "iou": "mesh against mask IoU {:.3f}",
        "fog": "fog {:.3f}",
        "clip": "CLIP {:.3f}",
    }
    return ", ".join(form.format(row[name]) for name, form in forms.items() if row.get(name) is not None)
