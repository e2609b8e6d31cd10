"""The mask of an object in a photo."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float

from ..errors import InputError
from ..scene import Photo
from .confidence import LOW, mask_confidence
from .grabcut import grabcut_mask
from .hints import Hints
from .network import has_weights, network_mask, network_probability, unsure_sides
from .rembg import rembg_mask

__all__ = [
    "BACKENDS",
    "Hints",
    "grabcut_mask",
    "mask_confidence",
    "network_mask",
    "network_probability",
    "rembg_mask",
    "segment",
    "unsure_sides",
]

FOUND = "The mask was found automatically: look at mask.png."
CROSSED = "The object seems to go on beyond the box ({sides}), where nothing is taken: give a larger box."
DOUBTED = (
    "The mask is probably wrong (confidence {confidence:.2f}): look at mask.png, and help with --box X,Y,W,H around "
    "the object, --point X,Y on it, --not X,Y beside it, or --mask FILE."
)
BACKENDS = ("auto", "rembg", "grabcut", "network")


def segment(photo: Photo, *, backend: str = "auto", device: str = "cpu", hints: Hints | None = None) -> Photo:
    """The photo with a mask: its own where it has one, else one found by `backend`.

    Args:
        photo: any photo.
        backend: "rembg" (the optional package), "network" (monoform's own, with its weights), "grabcut" (no network),
            or "auto": the first of these that is there.
        device: where monoform's own network computes.
        hints: where the object is, in pixels of the original.

    Raises:
        InputError: hints are given that do not fit the photo, or that nothing can use;
            no object can be told from the background, or the backend is not known or not installed.
    """
    if backend not in BACKENDS:
        raise InputError(f"There is no matting backend {backend!r}: choose one of {', '.join(BACKENDS)}.")
    hints = hints or Hints()
    if photo.mask is not None:
        if hints:
            raise InputError(f"A box and points help to find a mask, and {photo.source} has one: leave them out.")
        return photo
    if backend == "rembg" and hints:
        raise InputError("rembg takes no box and no points: choose --matting network or grabcut.")
    if backend == "auto":
        backend = _first_there(hinted=bool(hints))
    placed = hints.on(photo)
    seen = network_probability(photo.rgb, device=device, hints=placed) if has_weights() else None
    finders: dict[str, Callable[[Float[np.ndarray, "h w 3"]], Float[np.ndarray, "h w"]]] = {
        "rembg": rembg_mask,
        "network": partial(network_mask, device=device, hints=placed, probability=seen),
        "grabcut": partial(grabcut_mask, hints=placed),
    }
    mask = finders[backend](photo.rgb)
    if not 0.002 < float((mask > 0.5).mean()) < 0.98:
        if hints:
            raise InputError(
                f"No object is found where the box and the points say it is in {photo.source}: give a box around all "
                "of it, more points, or a mask with --mask FILE."
            )
        raise InputError(
            f"No object can be told from the background in {photo.source}: give a mask with --mask FILE, "
            "say where it is with --box or --point, or give a photo whose background is plainer."
        )
    if seen is None:
        return photo.with_mask(mask, backend, (FOUND,))
    confidence = mask_confidence(mask, placed.chosen(seen, mask))
    said = FOUND if confidence >= LOW else DOUBTED.format(confidence=confidence)
    sides = placed.crossed(mask, seen)
    notices = (CROSSED.format(sides=", ".join(sides)), said) if sides else (said,)
    return photo.with_mask(mask, backend, notices, unsure=unsure_sides(mask, seen), confidence=confidence)


def _first_there(*, hinted: bool) -> str:
    if not hinted and importlib.util.find_spec("rembg"):
        return "rembg"
    return "network" if has_weights() else "grabcut"
