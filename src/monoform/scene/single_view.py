"""The photo of a method that works from one: there is exactly one, and its mask is clean."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InputError
from .photo import Photo
from .reconstructed import View
from .silhouette import Silhouette, read_silhouette


def single_view(views: Sequence[View], method: str) -> tuple[View, Silhouette]:
    """The only view, with its mask cleaned and what was seen in it among the photo's notices.

    Args:
        views: one photo with its mask.
        method: its name, for the error's sentence.

    Raises:
        InputError: there is not exactly one view, or it has no mask.
    """
    if len(views) != 1:
        raise InputError(f"{method} works from one photo, not from {len(views)}.")
    if views[0].photo.mask is None:
        raise InputError(f"{method} needs the object's mask: let matting.segment find one, or give one.")
    photo, silhouette = cleaned(views[0].photo)
    return View(photo, views[0].camera), silhouette


def cleaned(photo: Photo, notices: tuple[str, ...] = ()) -> tuple[Photo, Silhouette]:
    """A photo with its mask cleaned, its notices and further ones.

    Raises:
        InputError: the mask marks next to nothing.
    """
    assert photo.mask is not None
    silhouette = read_silhouette(photo.mask, unsure=photo.unsure)
    return photo.with_mask(silhouette.mask, str(photo.mask_origin), silhouette.notices() + notices), silhouette
