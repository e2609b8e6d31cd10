"""What changes while a generator trains, as functions of the iteration: a resumed training meets the same.

Iterations alternate: even ones update the generator, odd ones the discriminator.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...training import Steps
from ...training.adversarial import adapted_strength, blur_sigma
from .config import Training

WARMUP = 12_500
"""Iterations until real images are no longer blurred, what the surface is held to counts in full, and augmentation may
begin."""
PATH_WARMUP = 2_000
"""Iterations until the path length counts in full."""
RATE_WARMUP = 1_000
"""Steps of the discriminator until both learning rates are full; they begin at a tenth."""
FIRST_BLUR = 10.0
"""Pixels."""
ADA_EVERY, ADA_AT, ADA_STEPS, ADA_SPAN = 8, 7, 4, 500_000
"""The augmentation changes in one of so many iterations, of which half are the discriminator's steps, and may go from 0
to 1 in so many images."""
HALF_LIFE = 10_000
"""Of the averaged weights, in images."""
FASTER = ((1_000, 100), (10_000, 10))
"""Iterations below which the average forgets faster, and how many times."""


def ramp(iteration: int, length: int = WARMUP) -> float:
    """Rises linearly from 0 to 1."""
    return min(iteration / length, 1.0)


def real_blur(iteration: int) -> float:
    """Sigma of the blur on real images, pixels."""
    return blur_sigma(iteration, start=FIRST_BLUR, fade=WARMUP)


def rate_factor(iteration: int) -> float:
    """On the learning rates: rises linearly with the discriminator's steps from a tenth to 1."""
    return min(0.1 + 0.9 * (iteration // 2) / RATE_WARMUP, 1.0)


def encoder_rate(iterations: int) -> Steps:
    """On the encoder's learning rate, which falls to a tenth at half of its iterations."""
    return Steps((iterations // 2,))


def augment_probability(probability: float, iteration: int, signs: float, training: Training) -> float:
    """Probability of each augmentation after an iteration.

    Args:
        probability: before it.
        signs: mean sign of the scores of its real images.
        training: how it adapts; without a target it is at its largest.
    """
    if iteration < WARMUP:
        return 0.0
    if training.ada_target is None:
        return training.augment
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
