"""Checks of a mask: its number of parts, whether the frame cuts the object, whether it is empty."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from ..errors import InputError
from .masks import require_solid

MIN_SHARE = 0.01
MIN_PIXELS = 24
SIDES = ("left", "top", "right", "bottom")
THICK = 0.005  # share of the mask's height or width that reaches the frame before it counts
BEYOND = 0.01  # share of the object that must lie outside, going by its outline


@dataclass(frozen=True)
class Silhouette:
    """A cleaned mask and what was seen in it.

    Attributes:
        mask: the mask without specks and pinholes, 0..1.
        parts: number of separate parts, 8-connected.
        area: share of the photo that the object covers.
        cut_by: sides of the frame that cut the object.
        unsure: sides where the mask reaches the frame, and the object perhaps does not.
    """

    mask: Float[np.ndarray, "h w"]
    parts: int
    area: float
    cut_by: tuple[str, ...]
    unsure: tuple[str, ...] = ()

    def notices(self) -> tuple[str, ...]:
        """Sentences for the user about the mask."""
        said = []
        if self.parts > 1:
            said.append(f"The mask has {self.parts} separate parts: each becomes its own solid.")
        if self.cut_by:
            said.append(f"The object is cut by the frame ({', '.join(self.cut_by)}): what lies outside is unknown.")
        if self.unsure:
            said.append(
                f"The mask reaches the photo's edge ({', '.join(self.unsure)}), perhaps with a shadow or the "
                "background in it: look at mask.png, and give --mask where it is wrong."
            )
        return tuple(said)


def read_silhouette(
    mask: Float[np.ndarray, "h w"], *, min_share: float = MIN_SHARE, unsure: Collection[str] = ()
) -> Silhouette:
    """Clean a mask and describe it.

    Args:
        mask: coverage in 0..1; the object is where it is above 0.5.
        min_share: parts smaller than this share of the whole object are specks and are dropped.
        unsure: sides at which the mask is not trusted to be the object, see `Photo.unsure`.

    Raises:
        InputError: nothing, or next to nothing, is marked.
    """
    inside = mask > 0.5
    labels, count = ndimage.label(inside, structure=np.ones((3, 3)))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    total = int(sizes.sum())
    if total < MIN_PIXELS:
        raise InputError(f"There is no object in the mask: it marks {total} pixels. Give another mask with --mask.")
    kept = np.flatnonzero((sizes >= min_share * total) & (sizes >= min(MIN_PIXELS, sizes.max()))) + 1
    keep = np.isin(labels, kept)
    clean = np.where(inside & ~keep, 0.0, mask)
    holes, hole_count = ndimage.label(~keep)
    hole_sizes = np.bincount(holes.ravel(), minlength=hole_count + 1)
    pinholes = (holes > 0) & (hole_sizes[holes] < max(4, 0.0002 * total))
    clean = np.where(pinholes, 1.0, clean).astype(np.float32)
    require_solid(clean, "The mask")
    reached = cut_sides(clean > 0.5)
    sure = tuple(side for side in reached if side not in unsure)
    doubted = tuple(side for side in reached if side in unsure)
    return Silhouette(clean, len(kept), float((clean > 0.5).mean()), sure, doubted)


def mask_box(inside: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the marked pixels; right and bottom are the first columns and rows without any.

    Raises:
        InputError: nothing is marked.
    """
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        raise InputError("There is no object in the mask: it marks nothing. Give another mask with --mask.")
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def cut_sides(inside: Bool[np.ndarray, "h w"]) -> tuple[str, ...]:
    """Sides of the frame beyond which the object goes on, by its outline.

    An object that ends at the frame touches it: a row of pixels, or a round outline that closes there. It is cut where
    it reaches the frame in some thickness, over more than 2 percent of its extent, and where its outline does not close
    so quickly that next to nothing could be missing.
    """
    turned = (inside.T, inside, inside[:, ::-1].T, inside[::-1])
    return tuple(side for side, rows in zip(SIDES, turned, strict=True) if _is_cut(rows))


def _is_cut(rows: Bool[np.ndarray, "h w"]) -> bool:
    """Whether the object goes on beyond the first row."""
    deep, wide = int(rows.any(axis=1).sum()), int(rows.any(axis=0).sum())
    thick = max(2, round(THICK * deep))
    edge = rows[:thick].all(axis=0)
    if edge.sum() <= max(2, 0.02 * wide):
        return False
    # A circle of radius R is 2 sqrt(2 R x) wide at the depth x from its end: two widths tell where it ends.
    further = rows[2 * thick] if len(rows) > 2 * thick else rows[-1]
    grown = float(further.sum()) ** 2 - float(edge.sum()) ** 2
    missing = np.inf if grown <= 0 else (2 * thick) * float(edge.sum()) ** 2 / grown
    return missing > max(thick, BEYOND * deep)
