"""Silhouette and colour losses against plain loops and finite differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from torch import Tensor

from monoform.inversion import (
    photometric_loss,
    silhouette_cross_entropy,
    silhouette_iou_loss,
    silhouette_loss,
)
from monoform.metrics import mask_iou


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_iou_of_binary_masks_is_the_metric() -> None:
    first, second = random(5, 8, 9) > 0.5, random(5, 8, 9, seed=1) > 0.3
    loss = silhouette_iou_loss(first.double(), second.double())
    for index in range(5):
        assert 1 - float(loss[index]) == pytest.approx(mask_iou(first[index].numpy(), second[index].numpy()))
    empty = torch.zeros(1, 4, 4)
    assert float(silhouette_iou_loss(empty, empty)) == 0.0
    assert float(silhouette_iou_loss(empty, empty + 1)) == 1.0


def test_cross_entropy_is_minus_the_mean_logarithm() -> None:
    alpha, mask = torch.full((1, 6), 0.5).double(), torch.tensor([[0.0, 1.0, 1.0, 0.0, 0.5, 1.0]]).double()
    assert float(silhouette_cross_entropy(alpha, mask)) == pytest.approx(math.log(2))
    sure = silhouette_cross_entropy((mask > 0.5).double(), (mask > 0.5).double())
    assert float(sure) == pytest.approx(0.00102, rel=5e-3)  # entropy of a chance of 0.0001


def test_a_soft_mask_is_matched_best_by_itself() -> None:
    mask = random(1, 40)
    for loss in (silhouette_iou_loss, silhouette_cross_entropy):
        others = (mask + 0.05 * (random(200, 40, seed=3) - 0.5)).clamp(0, 1)
        assert (loss(others, mask) > loss(mask, mask)).all()


def test_the_weights_of_the_sum_are_used() -> None:
    alpha, mask = random(2, 5), random(2, 5, seed=1).round()
    expected = 0.5 * silhouette_iou_loss(alpha, mask) + 3 * silhouette_cross_entropy(alpha, mask)
    assert torch.allclose(silhouette_loss(alpha, mask, iou=0.5, cross_entropy=3.0), expected)


def test_wrongly_sure_pixels_still_have_a_gradient() -> None:
    alpha = torch.tensor([[0.0, 1.0]]).double().requires_grad_()
    (gradient,) = torch.autograd.grad(silhouette_cross_entropy(alpha, torch.tensor([[1.0, 0.0]]).double()).sum(), alpha)
    assert gradient[0, 0] < 0 < gradient[0, 1] and torch.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ["l1", "l2", "huber"])
def test_photometric_against_a_loop(kind: Literal["l1", "l2", "huber"]) -> None:
    rgb, target, weight = random(2, 4, 3), random(1, 4, 3, seed=1), random(1, 4, seed=2)
    found = photometric_loss(rgb, target, weight, kind=kind, delta=0.2)
    for b in range(2):
        total = 0.0
        for pixel in range(4):
            for channel in range(3):
                gap = abs(float(rgb[b, pixel, channel] - target[0, pixel, channel]))
                error = {"l1": gap, "l2": gap**2, "huber": gap**2 / 0.4 if gap < 0.2 else gap - 0.1}[kind]
                total += float(weight[0, pixel]) * error / 3
        assert float(found[b]) == pytest.approx(total / float(weight.sum()))


def test_what_has_no_weight_does_not_count() -> None:
    rgb, target = random(1, 2, 3), random(1, 2, 3, seed=1)
    first = torch.tensor([[1.0, 0.0]]).double()
    assert torch.equal(photometric_loss(rgb, target, first), photometric_loss(rgb[:, :1], target[:, :1], first[:, :1]))
    assert float(photometric_loss(rgb, target, 0 * first)) == 0.0


@pytest.mark.parametrize(
    "loss",
    [
        lambda alpha: silhouette_loss(alpha, random(1, 3, 4, seed=5).round()),
        lambda alpha: photometric_loss(alpha.unsqueeze(-1).expand(2, 3, 4, 3), random(1, 3, 4, 3), random(2, 3, 4)),
    ],
)
def test_gradients_are_those_of_finite_differences(loss: Callable[[Tensor], Tensor]) -> None:
    alpha = 0.05 + 0.9 * random(2, 3, 4, seed=9)
    assert torch.autograd.gradcheck(loss, alpha.requires_grad_())
