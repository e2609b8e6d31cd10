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


def energy_distance(made: Float[Tensor, "m c"], known: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
    """How far two distributions are apart by samples of them, but for a constant of the known one.

    2 E|x - y| - E|x - x'|, without bias (Szekely and Rizzo 2013): least where both are the same distribution.
    """
    count = len(made)
    within = (made[:, None] - made[None] + torch.eye(count).to(made)[..., None]).norm(dim=-1)
    within = within.sum() - within.diagonal().sum()  # a length of 0 has no gradient
    return 2 * (made[:, None] - known[None]).norm(dim=-1).mean() - within / (count * (count - 1))


def density_loss(sigma: Float[Tensor, "n p"], near: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    """How much density differs between points and such a little away (EG3D's regularisation)."""
    return l1_loss(sigma, near)


def monotonic_loss(front: Float[Tensor, "n p"], behind: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    """Density that falls from a point to one a little behind it; detach `front` to move what is behind alone."""
    return MONOTONIC_WEIGHT * torch.relu(front - behind).mean()
