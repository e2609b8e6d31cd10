"""What changes while a generator trains, as functions of the iteration: a resumed training meets the same.

Iterations alternate: even ones update the generator, odd ones the discriminator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...training import EveryNth, Steps
from ...training.adversarial import adapted_strength, blur_sigma
from .config import Training

ADA_EVERY, ADA_AT, ADA_STEPS, ADA_SPAN = 8, 7, 4, 500_000
"""The augmentation changes in one of so many iterations, of which half are the discriminator's steps, and may go from 0
to 1 in so many images."""
HALF_LIFE = 10_000
"""Of the averaged weights, in images."""
FASTER = ((1_000, 100), (10_000, 10))
"""Iterations below which the average forgets faster, and how many times."""


def ramp(iteration: int, length: int) -> float:
    """Rises linearly from 0 to 1; 1 at once where it has no length."""
    return min(iteration / length, 1.0) if length else 1.0


def real_blur(iteration: int, training: Training) -> float:
    """Sigma of the blur on real images, pixels."""
    return blur_sigma(iteration, start=training.blur, fade=training.warmup)


def rate_factor(iteration: int, length: int) -> float:
    """On the learning rates: rises linearly with the discriminator's steps from a tenth to 1.

    Args:
        length: iterations until it is 1.
    """
    return 0.1 + 0.9 * ramp(iteration // 2, length // 2)


def encoder_rate(iterations: int) -> Steps:
    """On the encoder's learning rate, which falls to a tenth at half of its iterations."""
    return Steps((iterations // 2,))


def augment_probability(probability: float, iteration: int, signs: float, training: Training) -> float:
    """Probability of each augmentation after an iteration.

    Args:
        probability: before it.
        signs: mean sign of the scores of its real images.
        training: how it adapts; without a target it is at its largest from the start.
    """
    if training.ada_target is None:
        return training.augment
    if iteration < training.warmup:
        return 0.0
    if iteration % ADA_EVERY != ADA_AT:
        return probability
    images = training.batch * ADA_STEPS
    moved = adapted_strength(probability, signs, target=training.ada_target, images=images, span=ADA_SPAN)
    return min(moved, training.augment)


@dataclass(frozen=True)
class AverageDecay:
    """Share of the averaged weights that stays at an iteration of the generator.

    Attributes:
        batch: images of a step.
    """

    batch: int = 32

    def __call__(self, step: int) -> float:
        """Decay at an iteration."""
        faster = next((times for below, times in FASTER if step < below), 1)
        return float(0.5 ** (self.batch / HALF_LIFE * faster))


def generator_average(batch: int, begin: int) -> Callable[[int], float]:
    """Decay of the averaged generator at a step of the loop: new weights before the first iteration, then slow ones.

    Args:
        batch: images of a step.
        begin: step of the first iteration.
    """
    decay = AverageDecay(batch)
    slow = EveryNth(2, lambda number: decay(2 * number), offset=0)
    return lambda step: slow(step - begin) if step >= begin else 0.0
