"""What PoF3D's training makes small beside scores (sections 3.3 and 3.4): poses told by either side, roughness."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss

MONOTONIC_WEIGHT = 10.0
"""Of densities that fall behind a surface, in the regularisations called monotonic."""


def pose_loss(told: Float[Tensor, "n c"], known: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
    """Mean square of what is wrong with a pose, over all numbers that code it."""
    return mse_loss(told, known)


def density_loss(sigma: Float[Tensor, "n p"], near: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    """How much density differs between points and such a little away (EG3D's regularisation)."""
    return l1_loss(sigma, near)


def monotonic_loss(front: Float[Tensor, "n p"], behind: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    """Density that falls from a point to one a little behind it; detach `front` to move what is behind alone."""
    return MONOTONIC_WEIGHT * torch.relu(front - behind).mean()
