"""How the network is measured: the overlap of masks and their ellipses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from monoform.devices import device_named
from monoform.metrics.evaluation import Evaluation, EvaluationOptions, Protocol, evaluate
from monoform.training import load_pretrained
from monoform.training.weights import weights_digest

from .masks import photos_in, square_in
from .model import EllipsoidConfig, EllipsoidNet
from .train import overlaps


@dataclass(frozen=True, kw_only=True)
class EllipsoidEvaluation(EvaluationOptions):
    """Compare the masks of photos with the ellipses that the network sees in them."""

    data: Path
    """A folder of photos whose alpha is the object's mask."""
    weights: str
    """Folder that `monoform train ellipsoid` wrote."""


class Overlaps(Protocol):
    """The loop asks for one photo after another; here are their names and what is measured of one."""

    unit = "photo"

    def __init__(self, asked: EllipsoidEvaluation) -> None:
        device = device_named(asked.device)
        self.net, config = load_pretrained(EllipsoidNet, EllipsoidConfig, asked.weights, device=device)
        self.size, self.photos, self.weights = config.size, photos_in(asked.data), weights_digest(asked.weights)
        self.names = [file.stem for file in self.photos]

    def measure(self, number: int, folder: Path) -> dict[str, float]:
        """The IoU of a mask and its ellipse.

        Raises:
            InputError: the photo has no mask; it is left out.
        """
        with torch.no_grad():
            return {"iou": float(overlaps(self.net, square_in(self.photos[number], self.size)[None])[0])}


EVALUATION = Evaluation("overlap of masks and their ellipses", EllipsoidEvaluation, partial(evaluate, Overlaps))
