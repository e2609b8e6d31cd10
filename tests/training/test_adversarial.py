"""What generators and discriminators are trained with."""

from __future__ import annotations

import math

import torch

from monoform.training.adversarial import (
    adapted_strength,
    blur_sigma,
    blurred,
    fake_loss,
    generator_loss,
    gradient_penalty,
    real_loss,
)


def test_scores_are_logits_of_being_real() -> None:
    score = torch.tensor([[0.0], [2.0]])
    real, fake = -torch.sigmoid(score).log().mean(), -(1 - torch.sigmoid(score)).log().mean()
    torch.testing.assert_close(real_loss(score), real)
    torch.testing.assert_close(generator_loss(score), real)
    torch.testing.assert_close(fake_loss(score), fake)


def test_the_penalty_is_the_squared_slope_of_each_image() -> None:
    images = torch.randn(2, 3, 4, 4, requires_grad=True)
    weights = torch.tensor([1.0, 3.0])
    score = (images * weights[:, None, None, None]).sum(dim=(1, 2, 3))[:, None]
    torch.testing.assert_close(gradient_penalty(score, [images]), weights.square() * 48)


def test_a_blur_keeps_a_pixel_s_light_and_fades() -> None:
    point = torch.zeros(1, 1, 31, 31)
    point[..., 15, 15] = 1
    found = blurred(point, 2.0)
    assert math.isclose(float(found.sum()), 1.0, rel_tol=1e-5)
    torch.testing.assert_close(found[..., 15, 17], found[..., 15, 15] / 2)  # 2^-(k / sigma)^2
    assert torch.equal(blurred(point, 0.3), point)
    assert [blur_sigma(seen, start=10, fade=200) for seen in (0, 100, 200, 300)] == [10, 5, 0, 0]
    assert blur_sigma(0, start=10, fade=0) == 0


def test_strength_follows_how_sure_the_discriminator_is() -> None:
    moved = [adapted_strength(0.1, signs, target=0.6, images=10, span=1000) for signs in (0.9, 0.6, 0.1)]
    assert moved == [0.11, 0.1, 0.09000000000000001]
    assert adapted_strength(0.001, 0.0, target=0.6, images=10, span=1000) == 0
