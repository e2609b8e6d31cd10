"""Sampling and compositing as published, against loops that say the same."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.methods.pixelnerf.tiny import SAMPLING, cameras_around, config, encode, net_of, rays_of

from monoform import InputError
from monoform.methods.pixelnerf.config import Sampling
from monoform.methods.pixelnerf.render import render, render_query
from monoform.nn.field import FieldSamples
from monoform.render import RaySampleNoise
from monoform.render.passes import composite


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 20))
def test_compositing_is_a_loop_along_the_ray(seed, white, count):
    generator = torch.Generator().manual_seed(seed)
    colors = torch.rand(3, count, 4, generator=generator).double() * torch.tensor([1, 1, 1, 30.0])
    distances = torch.sort(torch.rand(3, count, generator=generator).double() + 0.8)[0]
    far = torch.full((3, 1), 1.8, dtype=torch.float64)
    samples = FieldSamples(colors[..., 3], colors[..., :3])
    found = composite(samples, distances, torch.full_like(far, 0.8), far, Sampling(white=white).rays)
    rgb, depth, weights = found.rgb, found.depth, found.weights
    for ray in range(3):
        passing, seen, way = 1.0, np.zeros(3), 0.0
        for number in range(count):
            end = float(distances[ray, number + 1]) if number + 1 < count else 1.8
            alpha = 1 - math.exp(-float(colors[ray, number, 3]) * (end - float(distances[ray, number])))
            assert float(weights[ray, number]) == pytest.approx(passing * alpha, abs=1e-8)
            seen = seen + passing * alpha * colors[ray, number, :3].numpy()
            way += passing * alpha * float(distances[ray, number])
            passing *= 1 - alpha
        np.testing.assert_allclose(rgb[ray].numpy(), seen + (passing if white else 0), atol=1e-8)
        assert float(depth[ray]) == pytest.approx(way, abs=1e-8)


def test_a_plain_fog_has_the_coverage_that_absorption_says():
    def fog(points, directions, *, fine):
        return FieldSamples(torch.full_like(points[..., 0], 2.0), torch.full_like(points, 0.25))

    rays = torch.tensor([[[0, 0, 2.0, 0, 0, -1, 0.8, 1.8]]])
    sampling = Sampling(coarse=64, fine=32, depth=16)
    seen = render_query(fog, rays, sampling, RaySampleNoise.even(1, sampling.rays))
    first = float(seen.coarse.distances[0, 0, 0])
    assert float(seen.coarse.alpha) == pytest.approx(1 - math.exp(-2 * (1.8 - first)), abs=1e-5)
    alpha = float(seen.best.alpha)
    torch.testing.assert_close(seen.best.rgb[0, 0], torch.full((3,), 0.25 * alpha + 1 - alpha))
    black = render_query(fog, rays, replace(sampling, white=False), RaySampleNoise.even(1, sampling.rays))
    torch.testing.assert_close(black.best.rgb[0, 0], torch.full((3,), 0.25 * alpha))


def test_pieces_and_draws_do_not_change_the_image():
    net = net_of()
    encoded, rays = encode(net, views=2), rays_of(cameras_around(5, 6), net)[3:4].reshape(1, -1, 8)
    noise = RaySampleNoise.random(36, SAMPLING.rays, torch.Generator().manual_seed(4))
    with torch.no_grad():
        whole = render(net, encoded, rays, noise=noise)
        cut = render(net, encoded, rays, noise=noise, points_per_call=37)
        same = render(net, encoded, rays, generator=torch.Generator().manual_seed(4))
        other = render(net, encoded, rays, generator=torch.Generator().manual_seed(5))
        even, again = (render(net, encoded, rays) for _ in range(2))
    torch.testing.assert_close(whole.fine.rgb, cut.fine.rgb, atol=1e-5, rtol=0)
    assert torch.equal(whole.fine.rgb, same.fine.rgb) and torch.equal(even.fine.rgb, again.fine.rgb)
    assert not torch.allclose(whole.fine.rgb, other.fine.rgb, atol=1e-5)
    assert whole.fine.distances.shape[2] == SAMPLING.coarse + SAMPLING.fine
    assert (whole.fine.distances.diff(dim=-1) >= 0).all()
    alone = render(net, encoded, rays, sampling=Sampling(8, 0, 0))
    assert alone.fine is None and alone.best is alone.coarse


def test_the_fine_loss_moves_the_coarse_network_only_under_compat():
    for kept in (False, True):
        made = config()
        net = net_of(replace(made, compat=replace(made.compat, depth_gradient=kept)))
        rays = rays_of(cameras_around(1, 4), net).reshape(1, -1, 8)
        net.mlp_coarse.lin_out.bias.data[3] = 10.0  # the coarse depth lies behind near
        render(net, encode(net), rays).fine.rgb.sum().backward()
        moved = net.mlp_coarse.lin_in.weight.grad
        assert (moved is not None and float(moved.abs().max()) > 0) == kept


def test_gradients_are_those_of_differences():
    net = net_of().double()
    encoded = encode(net_of()).to(torch.float64)
    rays = rays_of(cameras_around(1, 3), net).double().reshape(1, -1, 8)
    weight = net.mlp_fine.lin_out.weight
    noise = RaySampleNoise.even(9, SAMPLING.rays)

    def loss():
        return render(net, encoded, rays, noise=noise).fine.rgb.square().sum()

    loss().backward()
    for place in ((0, 3), (3, 7)):
        values = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weight[place] += step
                values.append(float(loss()))
                weight[place] -= step
        assert float(weight.grad[place]) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-4, abs=1e-8)


def test_noise_is_on_the_density_in_training_only():
    made = config()
    net = net_of(replace(made, sampling=replace(SAMPLING, noise=5.0)))
    quiet = net_of(made)
    encoded, rays = encode(net), rays_of(cameras_around(1, 4), net).reshape(1, -1, 8)
    with torch.no_grad():
        images = []
        for one, training in ((quiet, True), (net, False), (net, True)):
            seen = render(one.train(training), encoded, rays, generator=torch.Generator().manual_seed(1))
            images.append(seen.fine.rgb)
    assert torch.equal(images[0], images[1]) and not torch.allclose(images[1], images[2], atol=1e-3)


def test_impossible_counts_are_refused():
    for counts, words in (((0, 0, 0), "coarse is 0"), ((8, 4, 5), "depth is 5"), ((8, 4, -1), "depth is -1")):
        with pytest.raises(InputError, match=words):
            Sampling(*counts)
