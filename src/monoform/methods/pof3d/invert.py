"""A picture into the generator: the styles and the pose whose picture it is, by the house's fitting engine."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ...inversion import FitResult, Variable, fit, trackable
from ...training.schedule import Cosine

COARSEST = 8  # side of the smallest pictures that are compared, pixels
ALONE, PRUNED = 0.5, 0.25  # shares of the steps: until all layers have one style, until the starts are halved
NEAR = 1e-3  # weight of the squared distance from the mean style, in deviations of the mapping's styles
SPREAD = 1e-2  # the same of the layers' distance from their common style

Draw = Callable[[Float[Tensor, "k l w"], Float[Tensor, "k p"]], Sequence[Float[Tensor, "k 3 _ _"]]]
"""Pictures (-1..1) of styles under poses, at one or more resolutions."""


@dataclass(frozen=True)
class InversionOptions:
    """How a picture is looked for.

    Attributes:
        steps: updates in all.
        rate: of the styles, in deviations of what the mapping makes.
        pose_rate: of the pose, radians.
    """

    steps: int = 200
    rate: float = 0.15
    pose_rate: float = 0.1


@dataclass(frozen=True, eq=False)
class Inverted:
    """What was found.

    Attributes:
        styles: one row for each layer.
        pose: parameters of the camera.
        loss: of the pictures, without what keeps styles near the mean.
        first: the same where it began, of the best start.
        fit: all that the engine tells.
    """

    styles: Float[Tensor, "l w"]
    pose: Float[Tensor, " p"]
    loss: float
    first: float
    fit: FitResult


def invert(
    draw: Draw,
    target: Float[Tensor, "3 s t"],
    weight: Float[Tensor, "s t"],
    mean: Float[Tensor, " w"],
    deviation: Float[Tensor, " w"],
    layers: int,
    poses: Float[Tensor, "k p"],
    options: InversionOptions,
    *,
    project: Callable[[Float[Tensor, "k p"]], Float[Tensor, "k p"]] = lambda pose: pose,
) -> Inverted:
    """Styles and a pose whose picture is the target, begun at the mean style from each of k poses.

    First all layers have one style, and the poses that explain the picture worse are given up on the way; then each
    layer gets a style of its own.

    Args:
        target: -1..1.
        weight: of its pixels.
        mean: of the mapping's styles.
        deviation: of them.
        layers: rows of the styles.
        poses: to begin at.
        project: brings poses that left their range back.
    """
    count, steps = len(poses), max(options.steps, 4)
    mean, deviation, target, weight = (trackable(value) for value in (mean, deviation, target, weight))
    pyramid = Pyramid(target[None], weight[None, None])

    def loss(values: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        del step
        styles = values["style"][:, None] + values["layers"]
        pictures = draw(mean + deviation * styles, values["pose"])
        return {
            "picture": torch.stack([pyramid.distance(picture) for picture in pictures]).mean(0),
            "near": NEAR * values["style"].square().mean(1) + SPREAD * values["layers"].square().mean((1, 2)),
        }

    alone = round(ALONE * steps)
    variables = [
        Variable("style", mean.new_zeros(count, len(mean)), options.rate),
        Variable("layers", mean.new_zeros(count, layers, len(mean)), options.rate, schedule=_After(alone, steps)),
        Variable("pose", poses.to(mean), options.pose_rate),
    ]
    found = fit(
        variables,
        loss,
        steps=steps,
        schedule=Cosine(steps),
        hypotheses=True,
        prune={round(PRUNED * steps): math.ceil(count / 2), alone: 1} if count > 1 else None,
        project=lambda values: {"pose": project(values["pose"])},
    )
    best = int(found.best_loss.argmin())
    values = {name: value[best] for name, value in found.values.items()}
    history = found.history["picture"]
    return Inverted(
        styles=mean + deviation * (values["style"] + values["layers"]),
        pose=values["pose"],
        loss=float(history[int(found.best_step[best]), best]),
        first=float(history[0].min()),
        fit=found,
    )


@dataclass(frozen=True)
class _After:
    """A factor on a rate: 0 up to a step, then falling like a cosine to 0."""

    start: int
    steps: int

    def __call__(self, step: int) -> float:
        if step < self.start:
            return 0.0
        share = (step - self.start) / max(self.steps - self.start, 1)
        return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


class Pyramid:
    """Mean squared differences at halved resolutions: coarse ones see where things are, fine ones how they look."""

    def __init__(self, target: Float[Tensor, "1 3 s t"], weight: Float[Tensor, "1 1 s t"]) -> None:
        self.levels: dict[int, tuple[Tensor, Tensor]] = {}
        self.target, self.weight = target, weight

    def distance(self, picture: Float[Tensor, "k 3 q r"]) -> Float[Tensor, " k"]:
        """Of pictures of one size to the target, each level counting the same."""
        size = picture.shape[-1]
        sizes = []
        while size >= COARSEST:
            sizes.append(size)
            size //= 2
        total = picture.new_zeros(len(picture))
        for size in sizes or [picture.shape[-1]]:
            target, weight = self._level(size)
            gap = (adaptive_avg_pool2d(picture, size) - target).square().mean(1, keepdim=True)
            total = total + (gap * weight).sum((1, 2, 3)) / weight.sum()
        return total / max(len(sizes), 1)

    def _level(self, size: int) -> tuple[Tensor, Tensor]:
        if size not in self.levels:
            weight = adaptive_avg_pool2d(self.weight, size)
            target = adaptive_avg_pool2d(self.target * self.weight, size) / weight.clamp_min(1e-6)
            self.levels[size] = (target, weight.clamp_min(1e-6))
        return self.levels[size]
