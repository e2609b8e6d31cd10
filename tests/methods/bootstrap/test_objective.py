"""What inversion makes small."""

from __future__ import annotations

import pytest
import torch

from monoform import InputError
from monoform.methods.bootstrap.objective import Objective
from monoform.metrics.lpips import Lpips
from monoform.nn.vgg import CHANNELS, Vgg16


@pytest.fixture(scope="module")
def lpips() -> Lpips:
    torch.manual_seed(0)
    return Lpips(Vgg16().requires_grad_(False), [torch.rand(channels) for channels in CHANNELS])


def images(count: int = 2, size: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    return tuple(2 * torch.rand(count, size, size, 3, generator=draw) - 1 for _ in range(2))  # type: ignore[return-value]


def total(objective: Objective, *given: torch.Tensor, seed: int = 0, **more: torch.Tensor) -> torch.Tensor:
    terms = objective(*given, generator=torch.Generator().manual_seed(seed), **more)
    return torch.stack(list(terms.values())).sum(dim=0)


@pytest.mark.parametrize("kind", ["vgg", "vgg_nocrop", "l1", "mse", "mixed"])
def test_equal_pictures_have_no_distance_and_each_image_has_its_own(lpips: Lpips, kind):
    rgb, target = images()
    objective = Objective(kind, lpips, copies=2)
    assert total(objective, rgb, rgb).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert bool((total(objective, rgb, target) > 0).all())
    if kind in ("vgg_nocrop", "l1", "mse"):
        apart = torch.cat([total(objective, rgb[n : n + 1], target[n : n + 1]) for n in range(2)])
        torch.testing.assert_close(total(objective, rgb, target), apart)


def test_colors_are_compared_as_said(lpips: Lpips):
    rgb, target = images()
    torch.testing.assert_close(total(Objective("l1"), rgb, target).sum(), 2 * (rgb - target).abs().mean())
    torch.testing.assert_close(total(Objective("mse"), rgb, target).sum(), 2 * (rgb - target).square().mean())
    mixed = total(Objective("mixed", lpips, copies=3), rgb, target)
    parts = [total(Objective(kind, lpips, copies=3), rgb, target) for kind in ("vgg", "l1")]  # type: ignore[arg-type]
    torch.testing.assert_close(mixed, (parts[0] + parts[1]) / 2)


def test_copies_are_the_mean_with_the_images_themselves(lpips: Lpips):
    rgb, target = images(1)
    plain = total(Objective("vgg_nocrop", lpips), rgb, target)
    torch.testing.assert_close(total(Objective("vgg", lpips, copies=0), rgb, target), plain)
    one, other = (total(Objective("vgg", lpips, copies=4), rgb, target, seed=seed) for seed in (0, 1))
    assert float(one) != float(other)
    assert float(total(Objective("vgg", lpips, copies=4), rgb, target)) == float(one)


def test_the_background_that_comes_in_is_white_where_it_is(lpips: Lpips):
    rgb, target = images(1)
    black, white = (total(Objective("vgg", lpips, white=which, copies=4), rgb, target) for which in (False, True))
    assert float(black) != float(white)


def test_the_mask_counts_where_it_is_asked_for():
    rgb, target = images()
    mask = torch.zeros(2, 16, 16)
    mask[:, :8] = 1.0
    worse = total(Objective("l1", mask=1.0), rgb, target, alpha=1 - mask, target_mask=mask)
    better = total(Objective("l1", mask=1.0), rgb, target, alpha=mask, target_mask=mask)
    assert bool((worse > better + 1).all())
    torch.testing.assert_close(
        total(Objective("l1"), rgb, target, alpha=mask, target_mask=mask), total(Objective("l1"), rgb, target)
    )


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(InputError, match="give the weights of VGG-16"):
        Objective("vgg")
    with pytest.raises(InputError, match="copies -1"):
        Objective("l1", copies=-1)
