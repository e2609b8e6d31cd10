"""What `lift` is trained on: distance, side and colour at points, and the camera's elevation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from .model import SHARPNESS

NEAR = 0.15


def distance_loss(found: Float[Tensor, "b n"], true: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Mean error of the signed distance, both kept within NEAR: far from the surface only the side counts."""
    return (found.clamp(-NEAR, NEAR) - true.clamp(-NEAR, NEAR)).abs().mean() / NEAR


def side_loss(found: Float[Tensor, "b n"], true: Float[Tensor, "b n"]) -> Float[Tensor, ""]:
    """Cross entropy of being inside; points closer than a hundredth of the crop's side do not count in full."""
    weight = (true.abs() / 0.02).clamp_max(1)
    loss = functional.binary_cross_entropy_with_logits(-SHARPNESS * found, (true < 0).float(), reduction="none")
    return (weight * loss).sum() / weight.sum().clamp_min(1)


def colour_loss(found: Float[Tensor, "b n 3"], true: Float[Tensor, "b n 3"]) -> Float[Tensor, ""]:
    """Mean absolute error of colours at the surface."""
    return (found - true).abs().mean()


def elevation_loss(found: Float[Tensor, " b"], true: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """Mean absolute error of the elevation, in radians."""
    return torch.abs(found - true).mean()
