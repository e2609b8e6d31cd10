"""Augmentations: every one changes images, none does at strength 0, all images of a stack move alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monoform.nn.stylegan2.augment import AugmentOptions, AugmentPipe

SWITCHES = (
    *("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac", "brightness", "contrast", "lumaflip"),
    *("hue", "saturation", "imgfilter", "noise", "cutout"),
)
LIMITS = {
    "xint": {"xint_max": 0.01},
    "scale": {"scale_std": 1.0},
    "rotate": {"rotate_max": 0.1},
    "aniso": {"aniso_std": 1.0},
    "xfrac": {"xfrac_std": 1.0},
    "brightness": {"brightness_std": 1.0},
    "contrast": {"contrast_std": 0.1},
    "hue": {"hue_max": 0.1},
    "saturation": {"saturation_std": 0.1},
    "imgfilter": {"imgfilter_std": 0.1, "imgfilter_bands": (1.0, 0.0, 0.0, 0.0)},
    "noise": {"noise_std": 1.0},
    "cutout": {"cutout_size": 0.1},
}


def changed(options: AugmentOptions, strength: float, images: torch.Tensor) -> torch.Tensor:
    return AugmentPipe(options, strength)(images, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def images() -> torch.Tensor:
    smooth = torch.randn(8, 3, 6, 6, generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.interpolate(smooth, size=(48, 48), mode="bicubic")


@pytest.mark.parametrize("name", SWITCHES)
def test_each_changes_images_only_as_far_as_it_is_strong(name: str, images: torch.Tensor) -> None:
    options = replace(AugmentOptions(), **{name: 1.0})
    assert (changed(options, 1.0, images) - images).abs().amax(dim=(1, 2, 3)).gt(0.05).any()
    # What the resampling to and fro leaves of smooth images.
    assert (changed(options, 0.0, images) - images).abs().max() < 0.02


@pytest.mark.parametrize("name", LIMITS)
def test_how_far_each_goes_is_an_option(name: str, images: torch.Tensor) -> None:
    options = replace(AugmentOptions(), **{name: 1.0})
    usual = changed(options, 1.0, images)
    for limit, value in LIMITS[name].items():
        assert not torch.allclose(changed(replace(options, **{limit: value}), 1.0, images), usual, atol=1e-3)


def test_a_mirror_exchanges_left_and_right(images: torch.Tensor) -> None:
    """At the upper percentiles the coin says yes. The filter is not quite symmetric, so the result is not exact."""
    found = AugmentPipe(AugmentOptions(xflip=1), 1.0)(images, percentile=0.9)
    assert (found - images.flip(3)).abs().mean() < 0.02 < (found - images).abs().mean()


def test_channels_of_an_image_move_alike(images: torch.Tensor) -> None:
    options = AugmentOptions(xfrac=1, scale=1, hue=1, brightness=1)
    found = changed(options, 1.0, torch.cat([images, images], dim=1))
    assert torch.allclose(found[:, :3], found[:, 3:], atol=1e-6)


def test_gradients_reach_the_images_twice(images: torch.Tensor) -> None:
    """The discriminator's penalty differentiates gradients that went through the augmentation."""
    images = images.clone().requires_grad_()
    score = changed(AugmentOptions(xfrac=1, contrast=1), 1.0, images).square().sum()
    (gradient,) = torch.autograd.grad(score, images, create_graph=True)
    gradient.square().sum().backward()
    assert images.grad is not None and images.grad.abs().sum() > 0
