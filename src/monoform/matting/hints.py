"""What the user says about where the object is: a box around it, points on it, points beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int8, UInt8
from scipy import ndimage

from ..errors import InputError
from ..scene import Photo

Point = tuple[float, float]
Box = tuple[float, float, float, float]

AROUND = 0.25  # of the box: how much of the photo around it is looked at, as an example of what is not the object
DOT = 0.012  # radius of a point, as a share of the shorter side of what is looked at
OBJECT, DOT_BESIDE, OUTSIDE = 1, -1, -2  # seeds: a point on the object, one beside it, outside the box
BESIDE, CROSSED = 2, 0.05  # pixels beside the box's sides, and the share of a side along which the object crosses it
SURROUNDED = 0.3  # share of the box's outline beyond which the object goes on where the box lies inside it
LEFT_OUT = 0.1  # share of another object that may be in the mask
ALIKE = 10  # steps of 255 from a point's color within which the pixels joined to it first count as it does


@dataclass(frozen=True)
class Hints:
    """Where the object is, in pixels of the upright photo from its top left corner.

    Attributes:
        box: left, top, width and height of a box with the whole object in it; nothing outside is taken.
        points: on the object, each across and down.
        not_points: on what is not the object.
    """

    box: Box | None = None
    points: tuple[Point, ...] = ()
    not_points: tuple[Point, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.box or self.points or self.not_points)

    @classmethod
    def given(cls, box: object, points: object, not_points: object) -> Hints:
        """Hints from Python's numbers.

        Raises:
            InputError: one has not the numbers that it needs.
        """
        return cls(
            None if box is None else _box("box", box),
            _points("points", points),
            _points("not_points", not_points),
        )

    @classmethod
    def read(cls, box: str | None, points: Sequence[str], not_points: Sequence[str]) -> Hints:
        """Hints from the words of a command line.

        Raises:
            InputError: one is not the numbers that it should be.
        """
        return cls(
            None if box is None else _box("--box", box.split(",")),
            tuple(_point("--point", each.split(",")) for each in points),
            tuple(_point("--not", each.split(",")) for each in not_points),
        )

    def on(self, photo: Photo) -> Hints:
        """The same in pixels of the photo's working image.

        Raises:
            InputError: a point or a part of the box lies outside the photo, a point to keep outside the box, or a pixel
                is to be kept and to be left out.
        """
        size = f"the photo of {photo.width} x {photo.height} pixels"
        for x, y in self.points + self.not_points:
            if not (0 <= x < photo.width and 0 <= y < photo.height):
                raise InputError(f"The point {x:g},{y:g} lies outside {size}, which are counted from 0.")
        for x, y in self.points:
            if _pixel(x, y) in {_pixel(*each) for each in self.not_points}:
                raise InputError(f"The point {x:g},{y:g} is to be kept and to be left out: take one of the two away.")
        if self.box is not None:
            left, top, width, height = self.box
            if min(width, height) <= 0:
                raise InputError(f"The box {_said(self.box)} is empty: give left, top, width and height.")
            if left < 0 or top < 0 or left + width > photo.width or top + height > photo.height:
                raise InputError(f"The box {_said(self.box)} (left, top, width, height) reaches outside {size}.")
            for x, y in self.points:
                if not (left <= x <= left + width and top <= y <= top + height):
                    raise InputError(f"The point {x:g},{y:g} lies outside the box {_said(self.box)}: move one of them.")
        (sx, sy), (x0, y0) = photo.scale, photo.crop[:2]

        def moved(points: tuple[Point, ...]) -> tuple[Point, ...]:
            return tuple(((x - x0) * sx, (y - y0) * sy) for x, y in points)

        box = None
        if self.box is not None:
            left, top, width, height = self.box
            box = (left - x0) * sx, (top - y0) * sy, width * sx, height * sy
        return Hints(box, moved(self.points), moved(self.not_points))

    def region(self, content: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is looked at.

        Args:
            content: what would be looked at without hints.
            shape: height and width of the photo.
        """
        if self.box is not None:
            left, top, width, height = self.box
            margin = max(4.0, AROUND * max(width, height))
            x0, y0 = max(0, math.floor(left - margin)), max(0, math.floor(top - margin))
            x1, y1 = math.ceil(left + width + margin), math.ceil(top + height + margin)
            return x0, y0, min(shape[1], x1), min(shape[0], y1)
        x0, y0, x1, y1 = content
        if all(x0 <= x < x1 and y0 <= y < y1 for x, y in self.points):
            return content
        return 0, 0, shape[1], shape[0]

    def seeds(self, region: tuple[int, int, int, int], shape: tuple[int, ...]) -> Int8[np.ndarray, "h w"]:
        """OBJECT where it is for sure, below 0 where it is not, 0 elsewhere, over a region reduced to `shape`."""
        sx, sy = shape[1] / (region[2] - region[0]), shape[0] / (region[3] - region[1])
        found = np.zeros(shape[:2], np.int8)
        if self.box is not None:
            left, top, width, height = self.box
            rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]] + 0.5
            x, y = columns / sx + region[0], rows / sy + region[1]
            found[(x < left) | (x > left + width) | (y < top) | (y > top + height)] = OUTSIDE
        for points, kind in ((self.not_points, DOT_BESIDE), (self.points, OBJECT)):
            for x, y in points:
                dot = np.zeros(shape[:2], np.uint8)
                cv2.circle(dot, _pixel((x - region[0]) * sx, (y - region[1]) * sy), _radius(shape), 1, -1)
                found[dot > 0] = kind
        return found

    def labels(
        self, first: UInt8[np.ndarray, "h w"], rgb: Float[np.ndarray, "h w 3"], region: tuple[int, int, int, int]
    ) -> UInt8[np.ndarray, "h w"]:
        """GrabCut's first labels with what the hints say: seeds are fixed, what is joined to them by color follows."""
        if not self:
            return first
        labels, seeds = first.copy(), self.seeds(region, rgb.shape)
        sx, sy = rgb.shape[1] / (region[2] - region[0]), rgb.shape[0] / (region[3] - region[1])
        for points, label in ((self.not_points, cv2.GC_PR_BGD), (self.points, cv2.GC_PR_FGD)):
            for x, y in points:
                labels[_joined(rgb, _pixel((x - region[0]) * sx, (y - region[1]) * sy))] = label
        within = seeds >= 0
        if not (labels[within] & 1).any():  # nothing stood out: all of the box may be the object
            labels[within] = cv2.GC_PR_FGD
        labels[seeds < 0], labels[seeds > 0] = cv2.GC_BGD, cv2.GC_FGD
        return labels

    def chosen(self, probability: Float[np.ndarray, "h w"], mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        """The probability of being an object without what a mask, found with these hints, leaves out."""
        if not self:
            return probability
        probability = self.clipped(probability)
        parts, count = ndimage.label(probability > 0.5)
        taken = np.bincount(parts[mask > 0.5], minlength=count + 1)
        left = taken < LEFT_OUT * np.bincount(parts.ravel(), minlength=count + 1)
        return np.where((parts > 0) & left[parts], 0, probability)

    def crossed(self, mask: Float[np.ndarray, "h w"], probability: Float[np.ndarray, "h w"]) -> tuple[str, ...]:
        """Sides of the box that cut the object: the mask reaches them, and beyond them it is probable still."""
        both = {
            side: (mask[inner] > 0.5) & (probability[outer] > 0.5)
            for side, (inner, outer) in self._beside(mask.shape).items()
        }
        return tuple(side for side, each in both.items() if each.mean() > CROSSED)

    def surrounded(self, probability: Float[np.ndarray, "h w"]) -> bool:
        """Whether the box lies well inside what is probable, which goes on all around it."""
        beyond = [probability[outer] > 0.5 for _, outer in self._beside(probability.shape).values()]
        return bool(beyond) and float(np.concatenate(beyond).mean()) > SURROUNDED

    def clipped(self, values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
        """The values inside the box, 0 outside; all of them without a box."""
        if self.box is None:
            return values
        left, top, width, height = self.box
        at = np.s_[math.floor(top) : math.ceil(top + height), math.floor(left) : math.ceil(left + width)]
        inside = np.zeros_like(values)
        inside[at] = values[at]
        return inside

    def _beside(self, shape: tuple[int, ...]) -> dict[str, tuple[Any, Any]]:
        """Of each side of the box the pixels a little inside and a little outside, where the photo has such."""
        if self.box is None:
            return {}
        left, top, width, height = self.box
        x0, y0, x1, y1 = (round(each) for each in (left, top, left + width, top + height))
        if min(x1 - x0, y1 - y0) <= 2 * BESIDE:
            return {}
        lines: dict[str, tuple[Any, Any, int]] = {
            "left": (np.s_[y0:y1, x0 + BESIDE], np.s_[y0:y1, x0 - 1 - BESIDE], x0 - 1 - BESIDE),
            "top": (np.s_[y0 + BESIDE, x0:x1], np.s_[y0 - 1 - BESIDE, x0:x1], y0 - 1 - BESIDE),
            "right": (np.s_[y0:y1, x1 - 1 - BESIDE], np.s_[y0:y1, x1 + BESIDE], shape[1] - 1 - x1 - BESIDE),
            "bottom": (np.s_[y1 - 1 - BESIDE, x0:x1], np.s_[y1 + BESIDE, x0:x1], shape[0] - 1 - y1 - BESIDE),
        }
        return {side: (inner, outer) for side, (inner, outer, room) in lines.items() if room >= 0}


def _joined(rgb: np.ndarray, start: tuple[int, int]) -> np.ndarray:
    """The pixels of nearly the color of one that hang together with it."""
    height, width = rgb.shape[:2]
    start = min(max(start[0], 0), width - 1), min(max(start[1], 0), height - 1)
    found = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | (1 << 8) | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY
    picture = np.round(rgb * 255).astype(np.uint8)
    cv2.floodFill(picture, found, start, (0, 0, 0), (ALIKE,) * 3, (ALIKE,) * 3, flags)
    return found[1:-1, 1:-1] > 0


def _pixel(x: float, y: float) -> tuple[int, int]:
    return math.floor(x), math.floor(y)


def _radius(shape: tuple[int, ...]) -> int:
    return max(1, round(DOT * min(shape[:2])))


def _point(what: str, values: object) -> Point:
    x, y = _numbers(what, values, "X,Y")
    return x, y


def _points(what: str, values: object) -> tuple[Point, ...]:
    given = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(given, list | tuple):
        raise InputError(f"{what} is {given}; give a list of X,Y in pixels of the photo.")
    return tuple(_point(what, each) for each in given)


def _box(what: str, values: object) -> Box:
    left, top, width, height = _numbers(what, values, "X,Y,W,H")
    return left, top, width, height


def _numbers(what: str, values: object, form: str) -> list[float]:
    given = values.tolist() if isinstance(values, np.ndarray) else values
    count = len(form.split(","))
    try:
        found = [float(each) for each in given] if isinstance(given, list | tuple) else []
    except (TypeError, ValueError):
        found = []
    if len(found) != count or not all(map(math.isfinite, found)):
        shown = ",".join(map(str, given)) if isinstance(given, list | tuple) else given
        raise InputError(f"{what} is {shown}; give {form}, {count} numbers in pixels of the photo.")
    return found


def _said(box: Box) -> str:
    return ",".join(f"{each:g}" for each in box)
