"""What training makes small (Pavllo et al. 2023, section 3.4), as weighted terms by name; their sum is the loss."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

from ...training.adversarial import blurred, fake_loss, generator_loss, gradient_penalty, real_loss
from .config import Training
from .encoder import Encoded
from .regularizers import ShapeTerms
from .schedules import ramp, real_blur

PATH_MEMORY = 0.99
"""Share of the mean path length that stays at a step."""
Terms = dict[str, Tensor]


def pretraining_terms(shape: ShapeTerms, training: Training) -> Terms:
    """Before all else: the distance should be that of a sphere."""
    return {"sphere": shape.sphere.mean(), "eikonal": training.eikonal * shape.eikonal.mean()}


def generator_terms(
    score: Float[Tensor, "n 1"],
    shape: ShapeTerms,
    lengths: Float[Tensor, " n"] | None,
    path_mean: float,
    iteration: int,
    training: Training,
) -> Terms:
    """Fakes should look real, shapes have sharp and smooth surfaces, styles move objects evenly.

    Args:
        score: of fakes.
        lengths: of the styles' paths; None without a weight of these, or in a step that leaves them out.
        path_mean: of lengths, after this step's are in it; see `moved_mean`.
    """
    risen = ramp(iteration, training.warmup)
    terms = {
        "score": generator_loss(score),
        "eikonal": training.eikonal * shape.eikonal.mean(),
        "total_variation": training.tv * risen * shape.total_variation.mean(),
        "entropy": training.entropy * risen * shape.entropy.mean(),
    }
    if lengths is not None:
        weight = training.lazy * training.path_length * ramp(iteration, training.path_warmup)
        terms["path_length"] = weight * (lengths - path_mean).square().mean()
    return terms


def moved_mean(mean: float | None, lengths: Float[Tensor, " n"]) -> float:
    """Mean path length with those of a step in it; theirs alone at the first."""
    own = float(lengths.detach().mean())
    return own if mean is None else PATH_MEMORY * mean + (1 - PATH_MEMORY) * own


def real_images(
    images: Float[Tensor, "n c h w"], iteration: int, training: Training, *, white: bool
) -> Float[Tensor, "n c h w"]:
    """Real images as the discriminator sees them: blurred in the beginning, when fakes have no details yet.

    Args:
        images: all channels, the opacity among them.
        white: whether there is white beyond the border, else 0.
    """
    background = float(white)
    return blurred(images - background, real_blur(iteration, training)) + background


def discriminator_terms(
    real: Float[Tensor, "n 1"], fake: Float[Tensor, "n 1"], images: Float[Tensor, "n c h w"] | None, training: Training
) -> Terms:
    """Real images and fakes should be told from each other, scores not change steeply around real ones.

    Args:
        real: scores of real images.
        fake: scores of fakes.
        images: the real ones as they were judged, asking for a gradient; None in a step without the penalty.
    """
    terms = {"real": real_loss(real), "fake": fake_loss(fake)}
    if images is None:
        return terms
    penalty = gradient_penalty(real, [images]).mean()
    return {**terms, "penalty": training.lazy * training.r1 / 2 * penalty}


def encoder_terms(
    found: Encoded,
    coordinates: Float[Tensor, "n h w 3"],
    mask: Float[Tensor, "n h w"],
    latent: Float[Tensor, "n d"],
) -> Terms:
    """What the encoder tells of renders should be what these were made of.

    Args:
        found: of the encoder.
        coordinates: composited places in the world, of the render.
        mask: its opacity.
        latent: the style of its object.
    """
    terms = {}
    if found.coordinates is not None and found.mask is not None:
        distance = (found.coordinates - coordinates).norm(dim=-1)
        terms["coordinates"] = (distance * mask).mean()
        terms["mask"] = l1_loss(found.mask, mask)
    if found.latent is not None:
        terms["latent"] = mse_loss(found.latent[:, 0], latent)
    return terms


def total(terms: Terms) -> Float[Tensor, ""]:
    """The loss."""
    return torch.stack(list(terms.values())).sum()
