"""What `lift` is trained on: distance, side, uncertainty and colour at points, and the camera."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

NEAR = 0.25
SHARPNESS = 24.0  # logit of being inside, per unit of distance


def distance_loss(
    found: Float[Tensor, "b n"], true: Float[Tensor, "b n"], weight: Float[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """Mean error of the signed distance, both kept within NEAR: far from the surface only the side counts."""
    error = (found.clamp(-NEAR, NEAR) - true.clamp(-NEAR, NEAR)).abs()
    return (weight * error).sum() / weight.sum() / NEAR


def side_loss(
    found: Float[Tensor, "b n"], true: Float[Tensor, "b n"], weight: Float[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """Cross entropy of being inside."""
    loss = functional.binary_cross_entropy_with_logits(-SHARPNESS * found, (true < 0).float(), reduction="none")
    return (weight * loss).sum() / weight.sum()


def scale_loss(
    found: Float[Tensor, "b n"], true: Float[Tensor, "b n"], scale: Float[Tensor, "b n"], weight: Float[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """Negative log likelihood of the distance's error under a Laplace distribution; only the scale learns from it."""
    error = (found.detach() - true).abs()
    return (weight * (error / scale + torch.log(scale))).sum() / weight.sum()


def colour_loss(found: Float[Tensor, "b n 3"], true: Float[Tensor, "b n 3"]) -> Float[Tensor, ""]:
    """Mean absolute error of colours at the surface."""
    return (found - true).abs().mean()


def camera_loss(found: Float[Tensor, "b 2"], true: Float[Tensor, "b 2"]) -> Float[Tensor, ""]:
    """Mean absolute error of the elevation in radians and of the logarithm of the crop's slope."""
    return (found - true).abs().mean()
