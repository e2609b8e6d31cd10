"""Training without the samples that have no gradient: the same loss and the same gradients, within single precision."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.methods.pixelnerf.tiny import cameras_around, config, net_of, rays_of

from monoform.methods.pixelnerf.config import PixelNerfConfig, Sampling
from monoform.methods.pixelnerf.losses import color_loss
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.render import render
from monoform.methods.pixelnerf.sparse import SparseQuery
from monoform.render import RaySampleNoise

SIZE, RAYS = 16, 20


def gradients(
    net: PixelNerfNet, *, sparse: bool, views: int = 1, rays: int = RAYS, dtype: torch.dtype = torch.float64
) -> tuple[float, dict[str, torch.Tensor]]:
    """Of the loss of two objects against random colors."""
    net = net.to(dtype).eval()
    net.zero_grad()
    generator = torch.Generator().manual_seed(5)
    images = torch.rand(2, views, SIZE, SIZE, 3, generator=generator).to(dtype)
    cameras = cameras_around(2 * views, SIZE)
    along = rays_of(cameras_around(2, SIZE), net).reshape(2, -1, 8).to(dtype)
    chosen = along[:, torch.randperm(SIZE**2, generator=generator)[:rays]]
    noise = RaySampleNoise.random(2 * rays, net.config.sampling.rays, generator)
    truth = torch.rand(2, rays, 3, generator=generator).to(dtype)
    rendered = render(net, net.encode(images, cameras), chosen, noise=noise, sparse=sparse)
    loss = color_loss(rendered, truth, absolute=False)[0]
    loss.backward()
    found = {name: one.grad.clone() for name, one in net.named_parameters() if one.grad is not None}
    return float(loss.detach()), found


def assert_alike(net: PixelNerfNet, tolerance: float = 1e-6, **options) -> None:
    (plain, expected), (loss, found) = (gradients(net, sparse=sparse, **options) for sparse in (False, True))
    assert loss == pytest.approx(plain, rel=tolerance)
    assert found.keys() == expected.keys()
    for name, one in expected.items():
        assert float((found[name] - one).norm()) <= tolerance * float(one.norm()) + 1e-12, name


@pytest.mark.parametrize("views", [1, 3])
@pytest.mark.parametrize("rays", [2, RAYS])  # fewer and more points than the maps have pixels
@pytest.mark.parametrize(
    "network",
    [
        {},
        {"beta": 3.0},
        {"global_features": 8},
        {"lookup": "bicubic"},
        {"share_perceptron": True},
        {"stop_encoder_gradient": True},
        {"encode_directions": True},
    ],
)
def test_it_gives_the_same_gradients(network: dict, views: int, rays: int):
    net = net_of(config(**network))
    assert SparseQuery.knows(net)
    assert_alike(net, views=views, rays=rays)


@pytest.mark.parametrize("sampling", [Sampling(9, 0, 0), Sampling(9, 6, 3, white=False)])
def test_gradients_through_places_of_samples_too(sampling: Sampling):
    made = config()
    compat = replace(made.compat, depth_gradient=True)
    assert_alike(net_of(PixelNerfConfig(made.network, sampling, made.domain, compat)), views=2)


@pytest.mark.parametrize("network", [{"spade": True}, {"pooling": "max"}, {"use_features": False}])
def test_other_networks_are_trained_plainly(network: dict):
    net = net_of(config(**network))
    assert not SparseQuery.knows(net)
    assert_alike(net, views=2)


def test_noise_on_the_density_is_not_left_out():
    made = config()
    net = net_of(PixelNerfConfig(made.network, replace(made.sampling, noise=1.0), made.domain))
    losses = []
    for sparse in (False, True):
        generator = torch.Generator().manual_seed(0)
        net.train().zero_grad()
        images = torch.rand(1, 1, SIZE, SIZE, 3, generator=generator)
        rays = rays_of(cameras_around(1, SIZE), net).reshape(1, -1, 8)
        encoded = net.encode(images, cameras_around(1, SIZE))
        seen = render(net, encoded, rays, generator=generator, sparse=sparse)
        color_loss(seen, torch.zeros_like(seen.best.rgb), absolute=False)[0].backward()
        losses.append(net.mlp_fine.lin_out.weight.grad.clone())
    torch.testing.assert_close(losses[0], losses[1])


def test_half_precision_stays_near_and_keeps_positions():
    """bfloat16 has 8 bits: gradients within some percent; positions are float32 in both."""
    net = net_of()
    with torch.autocast("cpu", torch.bfloat16):
        coarse = gradients(net, sparse=True, dtype=torch.float32)
        encoded = net.encode(torch.rand(1, 1, SIZE, SIZE, 3), cameras_around(1, SIZE))
    assert encoded.focal.dtype == torch.float32 and encoded.latent.dtype == torch.float32
    loss, expected = gradients(net, sparse=False, dtype=torch.float32)
    assert coarse[0] == pytest.approx(loss, rel=0.02)
    for name in ("mlp_fine.lin_out.weight", "mlp_coarse.lin_in.weight", "mlp_fine.lin_z.1.weight"):
        assert float((coarse[1][name] - expected[name]).norm()) < 0.1 * float(expected[name].norm()), name


def test_what_is_kept_grows_with_what_is_dense():
    """Nothing of empty samples is kept for the backward pass."""
    net = net_of()
    for bias, kept in ((-1e4, False), (1e4, True)):
        with torch.no_grad():
            net.mlp_coarse.lin_out.bias[3] = bias
            query = SparseQuery(net, net.encode(torch.rand(1, 1, SIZE, SIZE, 3), cameras_around(1, SIZE)), 10)
        pieces: list = []
        query.asked(torch.rand(1, 7, 3), torch.rand(1, 7, 3), False, pieces)
        [piece] = pieces
        assert all((len(one) > 0) == kept for one in piece.kept.activations)
