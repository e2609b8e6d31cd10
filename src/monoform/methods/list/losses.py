"""LIST's losses (Arshad and Beksi 2023, section 3.5), and the clean forms that new trainings use."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

_AT_ONCE = 1 << 24  # distances held in memory at a time
TINY = 1e-8


def chamfer_loss(cloud: Float[Tensor, "b n 3"], truth: Float[Tensor, "b m 3"]) -> Float[Tensor, ""]:
    """1000 times the mean squared distance to the nearest point, of both directions added up."""
    to_truth = _nearest(cloud, truth)
    to_cloud = _nearest(truth, cloud)
    return 1000 * (to_truth.mean() + to_cloud.mean())


def _nearest(points: Float[Tensor, "b n 3"], others: Float[Tensor, "b m 3"]) -> Float[Tensor, "b n"]:
    """Squared distance from each point to the nearest of the others."""
    with torch.no_grad():
        step = max(1, _AT_ONCE // (len(points) * others.shape[1]))
        nearest = torch.cat([torch.cdist(part, others).argmin(2) for part in points.split(step, dim=1)], dim=1)
    return (points - others.gather(1, nearest[..., None].expand(-1, -1, 3))).square().sum(-1)


def distance_loss(scaled: Float[Tensor, "b n"], truth: Float[Tensor, "b n"], sdf_scale: float) -> Float[Tensor, ""]:
    """Squared differences of scaled distances, summed over an object's points, mean over objects, as published."""
    return (sdf_scale * truth - scaled).square().sum(1).mean()


def near_distance_loss(
    scaled: Float[Tensor, "b n"], truth: Float[Tensor, "b n"], sdf_scale: float, *, clamp: float = 0.1
) -> Float[Tensor, ""]:
    """Mean absolute difference of scaled distances cut off at `clamp` world units (Park et al. 2019, equation 4)."""
    limit = clamp * sdf_scale
    return (scaled.clamp(-limit, limit) - (sdf_scale * truth).clamp(-limit, limit)).abs().mean()


def side_loss(
    scaled: Float[Tensor, "b n"], truth: Float[Tensor, "b n"], sdf_scale: float, *, width: float = 0.02
) -> Float[Tensor, ""]:
    """Cross entropy of lying inside, the logit being the distance in `width` world units: right sides count, however
    small the distances are."""
    return torch.nn.functional.binary_cross_entropy_with_logits(-scaled / (sdf_scale * width), (truth < 0).to(scaled))


def occupancy_loss(
    probability: Float[Tensor, "*b"], truth: Float[Tensor, "*b"], weight: float = 0.9
) -> Float[Tensor, ""]:
    """1000 times the cross entropy in which set nodes count `weight` and the others the rest."""
    hit = (truth * torch.log(probability + TINY)).mean()
    missed = ((1 - truth) * torch.log(1 - probability + TINY)).mean()
    return 1000 * (-weight * hit - (1 - weight) * missed)


def matrix_loss(pixels: Float[Tensor, "b n 2"], truth: Float[Tensor, "b n 2"], side: int) -> Float[Tensor, ""]:
    """Mean distance between where points are and where they should be on the map, in its sides; beyond a side it
    counts no more, so that points near the camera's plane do not rule."""
    return ((pixels - truth).norm(dim=-1) / side).clamp(max=1.0).mean()


def distance_error(scaled: Float[Tensor, "b n"], truth: Float[Tensor, "b n"], sdf_scale: float) -> Float[Tensor, ""]:
    """Mean squared difference of distances, times 10,000; a metric, no loss."""
    return 10_000 * (truth - scaled / sdf_scale).square().mean()


def sign_accuracy(scaled: Float[Tensor, "b n"], truth: Float[Tensor, "b n"], level: float = 0.0) -> Float[Tensor, ""]:
    """Share of points on the same side of `level`; a metric, no loss. The original's level is 0.5."""
    return ((truth > level) == (scaled > level)).float().mean()
