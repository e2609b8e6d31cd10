"""Micro-batches of a set of photos, in one order that goes on over the whole training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ...data.images import ImageSet, half_window_order
from ...progress import one_by_one

LARGEST_KEPT = 2**31
"""Bytes: a set that is no larger is read once and kept."""


class OrderedImages:
    """Images by the number of the micro-batch, whatever was asked for before: a resumed training meets the same.

    Args:
        images: the set; all are read at once where they are few, so that a damaged one is told of at the beginning.
        seed: of the order.
        count: images of a micro-batch.
    """

    def __init__(self, images: ImageSet, *, seed: int, count: int) -> None:
        self.images, self.seed, self.count = images, seed % 2**31, count
        self._kept: UInt8[Tensor, "n 3 r r"] | None = None
        if len(images) * 3 * images.resolution**2 <= LARGEST_KEPT:
            numbers = one_by_one(range(len(images)), "reading photos", unit="photo")
            self._kept = torch.stack([self._read(number) for number in numbers])
        self._next = 0
        self._order = self._from(0)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, number: int) -> UInt8[Tensor, "b 3 r r"]:
        """The micro-batch of a number."""
        return self.chosen(self.numbers(number))

    def numbers(self, number: int) -> list[int]:
        """Which images the micro-batch of a number holds."""
        first = number * self.count
        if first != self._next:
            self._order = self._from(first)
        self._next = first + self.count
        return [next(self._order) for _ in range(self.count)]

    def chosen(self, numbers: Sequence[int]) -> UInt8[Tensor, "b 3 r r"]:
        """Images by their numbers in the set."""
        if self._kept is not None:
            return self._kept[torch.as_tensor(numbers)]
        return torch.stack([self._read(number) for number in numbers])

    def spread(self, count: int) -> list[int]:
        """Numbers of so many images, or of all, evenly over the set."""
        count = min(count, len(self.images))
        return [number * len(self.images) // count for number in range(count)]

    def _from(self, first: int) -> Iterator[int]:
        return half_window_order(len(self.images), seed=self.seed, skip=first)

    def _read(self, number: int) -> UInt8[Tensor, "3 r r"]:
        return torch.from_numpy(np.moveaxis(self.images.image(number), -1, 0).copy())
