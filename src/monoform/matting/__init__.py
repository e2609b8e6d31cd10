"""The mask of an object in a photo."""

from __future__ import annotations

import importlib.util

from ..errors import InputError
from ..scene import Photo
from .grabcut import grabcut_mask
from .rembg import rembg_mask

__all__ = ["BACKENDS", "grabcut_mask", "rembg_mask", "segment"]

BACKENDS = ("auto", "rembg", "grabcut")


def segment(photo: Photo, *, backend: str = "auto") -> Photo:
    """The photo with a mask: its own where it has one, else one found by `backend`.

    Args:
        photo: any photo.
        backend: "rembg" (the optional package), "grabcut" (always there), or "auto": the first that is installed.

    Raises:
        InputError: no object can be told from the background, or the backend is not known or not installed.
    """
    if backend not in BACKENDS:
        raise InputError(f"There is no matting backend {backend!r}: choose one of {', '.join(BACKENDS)}.")
    if photo.mask is not None:
        return photo
    if backend == "auto":
        backend = "rembg" if importlib.util.find_spec("rembg") else "grabcut"
    mask = rembg_mask(photo.rgb) if backend == "rembg" else grabcut_mask(photo.rgb)
    if not 0.002 < float((mask > 0.5).mean()) < 0.98:
        raise InputError(
            f"No object can be told from the background in {photo.source}: give a mask with --mask FILE, "
            "or a photo whose background is plainer."
        )
    return photo.with_mask(mask, backend, ("The mask was found automatically: look at mask.png.",))
