"""A photo whose mask is found, and corrected by points, a box and a brush."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image

from ...errors import InputError
from ...inputs.pictures import open_picture
from ...matting import Hints, segment
from ...matting.confidence import LOW
from ...outputs import save_picture
from ...scene import Photo
from ..queue.worker import require_pixels

SHOWN = 800  # pixels of the longer side, on the page
ADD, REMOVE = "#22c55e", "#ef4444"  # the brush's colors
FOUND = "Look at the mask first: what comes out is made of what it keeps."
Mark = Literal["object", "background", "box"]


@dataclass(frozen=True, eq=False)
class Edited:
    """A photo and what was said about its mask; all in pixels of the upright photo.

    Attributes:
        path: of the photo.
        image: the photo, reduced to what the page shows.
        scale: pixels of the photo for each that is shown.
        found: the mask as it was found, in the size that is shown.
        message: about the mask.
        hints: box and points.
        corner: of a box whose second corner is still to come.
        added: what the brush has added.
        removed: what the brush has taken away.
    """

    path: str
    image: UInt8[np.ndarray, "h w 3"]
    scale: float
    found: Bool[np.ndarray, "h w"]
    message: str = ""
    hints: Hints = field(default_factory=Hints)
    corner: tuple[float, float] | None = None
    added: Bool[np.ndarray, "h w"] | None = None
    removed: Bool[np.ndarray, "h w"] | None = None

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """What was found, with the brush's strokes."""
        mask = self.found if self.added is None else self.found | self.added
        return mask if self.removed is None else mask & ~self.removed


def opened(path: str, megapixels: float) -> Edited:
    """A photo with the mask that is found in it.

    Raises:
        InputError: it cannot be read, or has more pixels.
    """
    try:
        require_pixels(Path(path), megapixels)
    except InputError as error:
        raise InputError(str(error).replace(path, "The photo")) from error
    image = open_picture(path).image.convert("RGB")
    scale = max(1.0, max(image.size) / SHOWN)
    small = image.resize((max(1, round(image.width / scale)), max(1, round(image.height / scale))))
    pixels = np.asarray(small)
    return _found(Edited(path, pixels, image.width / small.width, np.zeros(pixels.shape[:2], bool)))


def clicked(edited: Edited, x: float, y: float, mark: Mark) -> Edited:
    """The same with one more point, or corner of a box, at a pixel that is shown.

    Raises:
        InputError: no mask fits.
    """
    point = ((x + 0.5) * edited.scale, (y + 0.5) * edited.scale)
    hints = edited.hints
    if mark == "box" and edited.corner is None:
        return replace(edited, corner=point, message="Now click the opposite corner of the box.")
    if mark == "box":
        (x0, x1), (y0, y1) = (sorted(each) for each in zip(edited.corner or point, point, strict=True))
        hints = replace(hints, box=(x0, y0, x1 - x0, y1 - y0))
    elif mark == "object":
        hints = replace(hints, points=(*hints.points, point))
    else:
        hints = replace(hints, not_points=(*hints.not_points, point))
    return _found(replace(edited, hints=hints, corner=None))


def brushed(edited: Edited, layers: Sequence[UInt8[np.ndarray, "h w 4"]]) -> Edited:
    """The same with the strokes of layers: green adds to the mask, red takes away."""
    height, width = edited.found.shape
    added, removed = np.zeros((height, width), bool), np.zeros((height, width), bool)
    for layer in layers:
        fitted = cv2.resize(layer, (width, height), interpolation=cv2.INTER_NEAREST).astype(int)
        painted = fitted[..., 3] > 64
        green = fitted[..., 1] > fitted[..., 0]
        added, removed = (
            (added | (painted & green)) & ~(painted & ~green),
            (removed | (painted & ~green)) & ~(painted & green),
        )
    some = bool(added.any() or removed.any())
    return replace(edited, added=added if some else None, removed=removed if some else None)


def cleared(edited: Edited) -> Edited:
    """The photo with the mask that is found without any marks.

    Raises:
        InputError: none is found.
    """
    return _found(replace(edited, hints=Hints(), corner=None, added=None, removed=None))


def shown(edited: Edited) -> UInt8[np.ndarray, "h w 3"]:
    """The photo with its background darkened, the mask's outline, the box and the points."""
    mask = edited.mask
    picture = np.where(mask[..., None], edited.image, edited.image // 3).astype(np.uint8)
    outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outline, -1, (255, 255, 255), 1)
    if edited.hints.box is not None:
        left, top, width, height = (round(each / edited.scale) for each in edited.hints.box)
        cv2.rectangle(picture, (left, top), (left + width, top + height), (250, 204, 21), 2)
    corner = () if edited.corner is None else (edited.corner,)
    kinds = ((edited.hints.points, (34, 197, 94)), (edited.hints.not_points, (239, 68, 68)), (corner, (250, 204, 21)))
    for points, color in kinds:
        for x, y in points:
            place = (round(x / edited.scale), round(y / edited.scale))
            cv2.circle(picture, place, 6, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(picture, place, 4, color, -1, cv2.LINE_AA)
    return picture


def write_mask(edited: Edited, place: Path) -> None:
    """The mask in the photo's own size, where the brush has changed it."""
    width, height = open_picture(edited.path).image.size
    values = Image.fromarray(edited.mask.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BILINEAR)
    save_picture(values.point(lambda value: 255 * (value > 127)), place)


def _found(edited: Edited) -> Edited:
    photo = segment(Photo.open(edited.path), hints=edited.hints)
    height, width = edited.found.shape
    mask = cv2.resize(photo.original_mask(), (width, height), interpolation=cv2.INTER_AREA) > 0.5
    if not mask.any():
        raise InputError("No object is found there: click on it, or draw a box around it.")
    confidence = photo.mask_confidence
    doubted = confidence is not None and confidence < LOW
    message = f"This mask is probably wrong (confidence {confidence:.2f}): correct it." if doubted else FOUND
    return replace(edited, found=mask, message=message)
