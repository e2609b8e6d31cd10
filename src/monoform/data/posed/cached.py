"""Objects of a data set kept in memory once they are decoded: a training asks for the same pictures again."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .objects import PosedObject, PosedObjects

GIBIBYTE = 1 << 30


class CachedObjects:
    """All views of each object of a data set, decoded once and kept as bytes until `budget` bytes are spent.

    What does not fit is decoded anew each time. Colours that are no whole bytes (composited or resized ones) are
    rounded to the nearest.
    """

    def __init__(self, objects: PosedObjects, *, budget: int = 4 * GIBIBYTE) -> None:
        self.objects, self._left = objects, budget
        self._held: dict[int, tuple[Tensor, dict[str, Any]]] = {}

    def __len__(self) -> int:
        return len(self.objects)

    def __getitem__(self, which: int) -> PosedObject:
        """Every view of an object, as of the data set itself; without masks once it is held."""
        if which not in self._held:
            read = self.objects.load(which)
            if read.images.numel() > self._left:
                return read
            self._left -= read.images.numel()
            self._held[which] = (read.images * 255).round().to(torch.uint8), vars(read) | {"masks": None}
            del self._held[which][1]["images"]
        colors, others = self._held[which]
        return PosedObject(images=colors.float() / 255, **others)
