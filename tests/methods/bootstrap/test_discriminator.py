"""Bootstrapped inversion's discriminator: conditions, batches of any size, gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from monoform.errors import InputError
from monoform.methods.bootstrap import preset
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, DiscriminatorConfig, discriminator_of

TINY = DiscriminatorConfig(resolution=8, channel_base=64, channel_max=8)


def made(config: DiscriminatorConfig, seed: int = 0) -> BootstrapDiscriminator:
    torch.manual_seed(seed)
    return BootstrapDiscriminator(config)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 8])
def test_any_batch_is_judged_in_the_largest_groups_that_divide_it(count: int) -> None:
    """An image far from the others moves the scores of its own group, and of no other."""
    net, size = made(TINY), {1: 1, 2: 2, 3: 3, 5: 1, 6: 3, 8: 4}[count]
    images, cameras = torch.randn(count, 4, 8, 8), torch.randn(count, 13)
    moved = images.clone()
    moved[0] += 3
    with torch.no_grad():
        before, after = net(images, cameras), net(moved, cameras)
    changed = (before != after)[:, 0].nonzero()[:, 0].tolist()
    groups = count // size
    assert changed == list(range(0, count, groups))


def test_conditions_are_looked_at_and_asked_for() -> None:
    images, cameras = torch.randn(2, 4, 8, 8), torch.randn(2, 13)
    told = made(replace(TINY, classes=3))
    same = told(images, cameras, torch.tensor([1, 1]))
    assert not torch.equal(same, told(images, cameras, torch.tensor([2, 2])))
    assert not torch.equal(same, told(images, cameras + 1, torch.tensor([1, 1])))
    assert told.backbone.mapping is not None
    # Classes stand before cameras, as in the published program.
    assert told.label_embedding is not None
    condition = torch.cat((told.label_embedding(torch.tensor([1, 1])), cameras), dim=1)
    torch.testing.assert_close(same, told.backbone(images, condition))
    alone = made(replace(TINY, conditional_pose=False))
    assert alone.backbone.mapping is None and alone(images).shape == (2, 1)
    with pytest.raises(InputError, match="under their cameras"):
        made(TINY)(images)
    with pytest.raises(InputError, match="knows 3 classes"):
        told(images, cameras)
    with pytest.raises(InputError, match="no classes"):
        made(TINY)(images, cameras, torch.zeros(2, dtype=torch.long))


def test_gradients_of_images_are_those_of_finite_differences() -> None:
    """Of the penalty, too, which differentiates twice, in double precision."""
    net = made(TINY).double()
    images, cameras = torch.randn(2, 4, 8, 8, dtype=torch.float64), torch.randn(2, 13, dtype=torch.float64)

    def penalty(scale: torch.Tensor) -> torch.Tensor:
        at = (images * scale).requires_grad_()
        return torch.autograd.grad(net(at, cameras).sum(), at, create_graph=True)[0].square().sum()

    scale, step = torch.ones((), dtype=torch.float64, requires_grad=True), 1e-6
    slope = torch.autograd.grad(penalty(scale), scale)[0]
    ahead, behind = (penalty(torch.tensor(1 + sign * step, dtype=torch.float64)) for sign in (1, -1))
    torch.testing.assert_close(slope, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-7)


def test_it_fits_the_generator_that_it_trains() -> None:
    assert discriminator_of(preset("carla")).channels == 3
    cars = discriminator_of(preset("p3d_car"))
    assert (cars.channels, cars.resolution, cars.mapping_layers) == (4, 128, 2)
    birds = replace(preset("cub"), network=replace(preset("cub").network, classes=200))
    assert discriminator_of(birds).classes == 200


def test_a_score_is_the_product_with_the_mapped_class_and_camera() -> None:
    """Embedding, then the camera's 13 numbers, through layers of equalized rates without normalization; by formulas."""
    net = made(replace(TINY, classes=3)).double()
    images = torch.randn(4, 4, 8, 8, dtype=torch.float64)
    cameras, classes = torch.randn(4, 13, dtype=torch.float64), torch.tensor([0, 2, 1, 2])
    assert net.label_embedding is not None and net.backbone.mapping is not None
    x = torch.cat((net.label_embedding.weight[classes], cameras), dim=1)
    for layer in ("fc0", "fc1"):
        weight, bias = (getattr(getattr(net.backbone.mapping, layer), part) for part in ("weight", "bias"))
        x = x @ weight.T * (0.01 / weight.shape[1] ** 0.5) + 0.01 * bias
        x = 2**0.5 * torch.where(x > 0, x, 0.2 * x)
    features = net.backbone.b4.score(net.backbone.b4.flat(net.backbone.features(images)))
    wanted = (features * x).sum(dim=1, keepdim=True) / features.shape[1] ** 0.5
    torch.testing.assert_close(net(images, cameras, classes), wanted)
