"""What a mask says about the photo: how many parts, cut by the frame or not, anything at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from ..errors import InputError

MIN_SHARE = 0.01
MIN_PIXELS = 24
_SIDES = ("left", "top", "right", "bottom")


@dataclass(frozen=True)
class Silhouette:
    """A cleaned mask and what was seen in it.

    Attributes:
        mask: the mask without specks and pinholes, 0..1.
        parts: number of separate parts, 8-connected.
        area: share of the photo that the object covers.
        cut_by: sides of the frame that cut the object.
    """

    mask: Float[np.ndarray, "h w"]
    parts: int
    area: float
    cut_by: tuple[str, ...]

    def notices(self) -> tuple[str, ...]:
        """Sentences for the user about the mask."""
        said = []
        if self.parts > 1:
            said.append(f"The mask has {self.parts} separate parts: each becomes its own solid.")
        if self.cut_by:
            said.append(f"The object is cut by the frame ({', '.join(self.cut_by)}): what lies outside is unknown.")
        return tuple(said)


def read_silhouette(mask: Float[np.ndarray, "h w"], *, min_share: float = MIN_SHARE) -> Silhouette:
    """Clean a mask and describe it.

    Args:
        mask: coverage in 0..1; the object is where it is above 0.5.
        min_share: parts smaller than this share of the whole object are specks and are dropped.

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
    return Silhouette(clean, len(kept), float((clean > 0.5).mean()), _cut_by(clean > 0.5))


def _cut_by(inside: np.ndarray) -> tuple[str, ...]:
    """Sides along which the object touches the frame over more than 2 percent of its own extent."""
    edges = (inside[:, 0], inside[0], inside[:, -1], inside[-1])
    rows, columns = inside.any(axis=1).sum(), inside.any(axis=0).sum()
    extents = (rows, columns, rows, columns)
    return tuple(
        side for side, edge, extent in zip(_SIDES, edges, extents, strict=True) if edge.sum() > max(2, 0.02 * extent)
    )
