"""From densities or signed distances along a ray to what is seen: weights, and what they accumulate."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import logsigmoid

from ..devices import full_precision

FEW = 4
"""Channels up to which a sum is quicker than a matrix product."""


def weights_from_density(density: Float[Tensor, "*r n"], lengths: Float[Tensor, "*r n"]) -> Float[Tensor, "*r n"]:
    """Share of each interval in a pixel: T_i (1 - exp(-density_i length_i)) (Max 1995; NeRF, equation 3).

    T_i = exp(-sum of density length over the intervals before i). The weights of a ray sum to 1 - T_end <= 1, and are
    exact where the density is constant within the intervals.
    """
    return weights_from_optical_depth(density * lengths)


def weights_from_sdf(sdf: Float[Tensor, "*r n"], beta: float | Float[Tensor, "*r 1"]) -> Float[Tensor, "*r n_minus_1"]:
    """Share of each interval between samples of a signed distance: NeuS (Wang et al. 2021, equations 10 to 13).

    alpha_i = max(0, 1 - Phi(f_i+1) / Phi(f_i)) with the logistic Phi of scale `beta` (world units, 1/s in the paper).
    Half of the weight is seen before the zero crossing, and a ray that only touches the surface has coverage 1/2: no
    bias of depth or silhouette to first order in `beta`.
    """
    transparency = logsigmoid(sdf / beta)
    return weights_from_optical_depth((transparency[..., :-1] - transparency[..., 1:]).clamp_min(0.0))


def weights_from_alpha(alpha: Float[Tensor, "*r n"]) -> Float[Tensor, "*r n"]:
    """Share of each interval from the share 0..1 of light that it stops."""
    passed = torch.cat((torch.ones_like(alpha[..., :1]), 1.0 - alpha[..., :-1]), dim=-1).cumprod(dim=-1)
    return passed * alpha


def weights_from_optical_depth(depth: Float[Tensor, "*r n"]) -> Float[Tensor, "*r n"]:
    """Share of each interval from its optical depth, -log of what passes through it."""
    # The last interval is left out of the sum: beside a very long one all others are lost in rounding.
    before = torch.cat((torch.zeros_like(depth[..., :1]), depth[..., :-1].cumsum(dim=-1)), dim=-1)
    return torch.exp(-before) * -torch.expm1(-depth)


def laplace_density(
    sdf: Float[Tensor, "*n"], beta: float | Tensor, alpha: float | Tensor | None = None
) -> Float[Tensor, "*n"]:
    """Density of a signed distance: the Laplace distribution's Psi_beta(-sdf) / alpha (VolSDF, Yariv et al. 2021).

    Args:
        beta: world units, softness of the surface.
        alpha: world units, 1 over the density inside; None: beta.
    """
    half = 0.5 * torch.exp(-sdf.abs() / beta)
    return torch.where(sdf > 0, half, 1.0 - half) / (beta if alpha is None else alpha)


def accumulate(weights: Float[Tensor, "*r n"], values: Float[Tensor, "*r n c"]) -> Float[Tensor, "*r c"]:
    """Weighted sum along rays of any number of channels, over black."""
    if values.shape[-1] <= FEW:
        return (weights[..., None] * values).sum(dim=-2)
    with full_precision(weights):  # a product that is never made in memory
        return (weights[..., None, :] @ values.to(weights.dtype))[..., 0, :]


def over_background(
    rgb: Float[Tensor, "*r 3"], alpha: Float[Tensor, "*r"], background: tuple[float, float, float]
) -> Float[Tensor, "*r 3"]:
    """Colour that is already multiplied by its coverage, on a plain background."""
    return rgb + (1.0 - alpha)[..., None] * rgb.new_tensor(background)


def expected_distance(weights: Float[Tensor, "*r n"], distances: Float[Tensor, "*r n"]) -> Float[Tensor, "*r"]:
    """Mean distance of what is seen, sum(w t) / sum(w); 0 where nothing is seen."""
    total = weights.sum(dim=-1)
    seen = total > 0
    mean = (weights * distances).sum(dim=-1) / torch.where(seen, total, torch.ones_like(total))
    return torch.where(seen, mean, torch.zeros_like(mean))
