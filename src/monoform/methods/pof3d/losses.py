"""What PoF3D's training makes small (sections 3.3 and 3.4): scores, poses told by either side, gradients, roughness."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss, softplus

MONOTONIC_WEIGHT = 10.0
"""Of densities that fall behind a surface, in the regularisations called monotonic."""


def generator_loss(score: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
    """-log sigmoid(score): what a generator makes should look real."""
    return softplus(-score).mean()


def fake_loss(score: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
    """-log(1 - sigmoid(score)): what a generator made should be told from what is real."""
    return softplus(score).mean()


def real_loss(score: Float[Tensor, "n 1"]) -> Float[Tensor, ""]:
    """-log sigmoid(score): real images should be taken for real."""
    return softplus(-score).mean()


def pose_loss(told: Float[Tensor, "n c"], known: Float[Tensor, "n c"]) -> Float[Tensor, ""]:
    """Mean square of what is wrong with a pose, over all numbers that code it."""
    return mse_loss(told, known)


def gradient_penalty(score: Float[Tensor, "n 1"], images: Sequence[Float[Tensor, "n c _ _"]]) -> Float[Tensor, " n"]:
    """R1 (Mescheder et al. 2018): the squared gradient of each score with respect to its images, over all pixels."""
    gradients = torch.autograd.grad(score.sum(), list(images), create_graph=True)
    return torch.stack([gradient.square().sum(dim=(1, 2, 3)) for gradient in gradients]).sum(dim=0)


def density_loss(sigma: Float[Tensor, "n p"], near: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    """How much density differs between points and such a little away (EG3D's regularisation)."""
    return l1_loss(sigma, near)


def monotonic_loss(front: Float[Tensor, "n p"], behind: Float[Tensor, "n p"]) -> Float[Tensor, ""]:
    """Density that falls from a point to one a little behind it; detach `front` to move what is behind alone."""
    return MONOTONIC_WEIGHT * torch.relu(front - behind).mean()
