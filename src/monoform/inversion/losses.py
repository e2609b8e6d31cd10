"""Losses between rendered and observed silhouettes and pictures: one unweighted number for each hypothesis.

The first axis b counts hypotheses; the pixels follow, as an image or as a list. The seen side may have b = 1.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

_FAINT = 1e-4  # coverage is kept so far from 0 and 1 that its logarithm has a gradient everywhere


def silhouette_iou_loss(alpha: Float[Tensor, " b *pixels"], mask: Float[Tensor, "#b *pixels"]) -> Float[Tensor, " b"]:
    """1 minus the soft intersection over union, 0..1, of coverage and mask (both 0..1).

    The intersection is the sum of the smaller values, the union that of the larger ones: the usual IoU on binary
    masks, and 1 only where both are equal. (With products instead, half-covered edges would pull the optimum away.)
    Two empty masks agree.
    """
    alpha, mask = alpha.flatten(1), mask.flatten(1)
    shared, union = torch.minimum(alpha, mask).sum(1), torch.maximum(alpha, mask).sum(1)
    return 1.0 - torch.where(union > 0, shared, 1.0) / torch.where(union > 0, union, 1.0)


def silhouette_cross_entropy(
    alpha: Float[Tensor, " b *pixels"], mask: Float[Tensor, "#b *pixels"]
) -> Float[Tensor, " b"]:
    """Mean binary cross-entropy of coverage against the mask in nats, both squeezed into 0.0001..0.9999.

    Smallest where they are equal, and there the mask's own entropy: 0.001 for a binary one.
    """
    alpha, mask = _squeezed(alpha.flatten(1)), _squeezed(mask.flatten(1))
    return -(mask * alpha.log() + (1.0 - mask) * (1.0 - alpha).log()).mean(1)


def _squeezed(share: Tensor) -> Tensor:
    return _FAINT + (1.0 - 2.0 * _FAINT) * share


def silhouette_loss(
    alpha: Float[Tensor, " b *pixels"],
    mask: Float[Tensor, "#b *pixels"],
    *,
    iou: float = 1.0,
    cross_entropy: float = 1.0,
) -> Float[Tensor, " b"]:
    """Weighted sum of `silhouette_iou_loss`, which sees the shape, and `silhouette_cross_entropy`, which each pixel."""
    return iou * silhouette_iou_loss(alpha, mask) + cross_entropy * silhouette_cross_entropy(alpha, mask)


def photometric_loss(
    rgb: Float[Tensor, " b *pixels 3"],
    target: Float[Tensor, "#b *pixels 3"],
    weight: Float[Tensor, "#b *pixels"],
    *,
    kind: Literal["l1", "huber", "l2"] = "huber",
    delta: float = 0.1,
) -> Float[Tensor, " b"]:
    """Mean difference of colours (0..1) over channels and pixels, each pixel by its weight; 0 without any weight.

    Args:
        weight: 0 leaves a pixel out, for example the mask.
        kind: "l1" absolute, "l2" squared, "huber" (Huber 1964): squared / (2 delta) up to `delta`, beyond it absolute
            less delta / 2.
        delta: where "huber" turns from squared to absolute, in the unit of the colours.
    """
    gap = (rgb - target).abs()
    if kind == "l2":
        error = gap.square()
    elif kind == "l1":
        error = gap
    else:
        error = torch.where(gap < delta, gap.square() / (2.0 * delta), gap - 0.5 * delta)
    weight = weight.expand(gap.shape[:-1])
    total = weight.flatten(1).sum(1)
    return (error.mean(-1) * weight).flatten(1).sum(1) / torch.where(total > 0, total, 1.0)
