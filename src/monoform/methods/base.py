"""What a method offers to the jobs: three small contracts, one for each kind of method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from ..scene import Reconstruction, View


@dataclass(frozen=True)
class MethodCard:
    """What a user should know of a method before choosing it.

    Attributes:
        name: on the command line; summary: one line.
        needs: what has to be there first ("nothing", "weights", ...).
        licence: of the code and of the weights it uses.
        weights: name of the weights, or None; size: their megabytes.
        citation: BibTeX of what it is built on.
    """

    name: str
    summary: str
    needs: str
    licence: str
    weights: str | None
    size: float
    citation: tuple[str, ...]


class Reconstructor(ABC):
    """A method that turns views of one object into a reconstruction."""

    card: ClassVar[MethodCard]
    config_class: ClassVar[type]

    @abstractmethod
    def reconstruct(self, views: Sequence[View], *, generator: torch.Generator) -> Reconstruction:
        """Shape, camera and appearance of the object that the views show.

        Args:
            views: photos with their masks, and their cameras where these are known.
            generator: the only source of randomness.

        Raises:
            InputError: the views cannot be used.
        """
