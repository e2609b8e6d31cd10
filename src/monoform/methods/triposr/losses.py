"""What a picture of the field should be (section 2 of the paper; weights as it tells them)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits, mse_loss

from ...devices import full_precision

MASK = 0.05  # weight of the mask
PERCEPTUAL = 2.0  # weight of the perceptual distance
SURFACE = 0.5  # weight of where rays meet the surface
EDGE = 1e-4  # coverage is kept as far from 0 and 1


def color_loss(rgb: Float[Tensor, "*n 3"], true: Float[Tensor, "*n 3"]) -> Float[Tensor, ""]:
    """Mean squared difference of colors 0..1."""
    return mse_loss(rgb, true)


def mask_loss(alpha: Float[Tensor, "*n"], true: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
    """Cross entropy of the coverage, weighted."""
    with full_precision(alpha):
        return MASK * binary_cross_entropy(alpha.float().clamp(EDGE, 1 - EDGE), true.float())


def surface_loss(density: Float[Tensor, " r"], true: Float[Tensor, " r"]) -> Float[Tensor, ""]:
    """Cross entropy of whether a ray meets the surface, weighted.

    Args:
        density: the largest of each ray, over that at which the surface lies.
        true: coverage of its pixel.
    """
    with full_precision(density):
        return SURFACE * binary_cross_entropy_with_logits(density.float().clamp_min(EDGE).log(), true.float())
