"""Quick images are those of the plain renderer: exactly where nothing is left out, else within the stated bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.methods.pixelnerf.tiny import SAMPLING, cameras_around, config, encode, net_of, points_in_view, rays_of

from monoform import InputError
from monoform.methods.pixelnerf.config import Perceptron, Sampling
from monoform.methods.pixelnerf.fast import EVERYTHING, FastOptions, render_image
from monoform.methods.pixelnerf.fast_field import ROWS, FastField
from monoform.methods.pixelnerf.render import render
from monoform.methods.pixelnerf.skipping import probe
from monoform.nn import FieldSamples
from monoform.render import RaySampleNoise

NETWORKS = {
    "published layout": {},
    "maximum": {"pooling": "max"},
    "softplus": {"beta": 5.0},
    "global vector": {"global_features": 8, "global_backbone": "resnet18"},
    "scaled features": {"spade": True},
    "nearest features": {"lookup": "nearest"},
    "zeros beyond": {"padding": "zeros"},
    "not centred": {"centered": False, "feature_scale": 0.5},
    "another fine network": {"fine": Perceptron(width=40, blocks=3, pooled_block=1)},
    "one network for both": {"share_perceptron": True},
    "features of the whole image": {"encoder_features": 12},
    "no features": {"use_features": False},
    "only a global vector": {"use_features": False, "global_features": 8, "global_backbone": "resnet18"},
    "bicubic": {"upsampling": "bicubic", "lookup": "bicubic"},
    "plain positions": {"encode_positions": False},
    "encoding alone": {"keep_positions": False},
    "depth alone": {"use_xyz": False, "use_directions": False},
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("views", [1, 3])
def test_a_fast_field_gives_the_networks_numbers(name, views):
    net = net_of(config(**NETWORKS[name]))
    encoded = encode(net, views=views)
    points, directions = points_in_view(ROWS // views + 7)
    points[0, 0] = torch.tensor([0.0, 0.0, 50.0])  # behind the cameras and outside their images
    field = FastField(net, encoded)
    for fine in (False, True):
        with torch.no_grad():
            expected = net.query(encoded, points, directions, fine=fine)
        found = field.query(points[0], directions[0], fine=fine)
        torch.testing.assert_close(found.geometry, expected.geometry[0], atol=2e-4, rtol=2e-4)
        torch.testing.assert_close(found.values, expected.values[0], atol=2e-4, rtol=2e-4)
        raw = field.raw(points[0], directions[0], fine=fine)[:, 3]
        torch.testing.assert_close(raw.clamp_min(0), found.geometry)


@pytest.mark.parametrize("sampling", [SAMPLING, Sampling(9, 0, 0), Sampling(9, 5, 5), Sampling(9, 4, 0, white=False)])
def test_an_image_with_nothing_left_out_is_the_plain_one(sampling):
    net = net_of()
    encoded, rays = encode(net, views=2), rays_of(cameras_around(5, 8), net)[2]
    noise = RaySampleNoise.random(64, sampling.rays, torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = render(net, encoded, rays.reshape(1, -1, 8), sampling=sampling, noise=noise).best
    for memory in (1 << 28, 20_000):
        options = replace(EVERYTHING, memory_bytes=memory)
        quick = render_image(net, encoded, rays, sampling=sampling, noise=noise, options=options)
        torch.testing.assert_close(quick.rgb.reshape(1, -1, 3), plain.rgb, atol=2e-5, rtol=0)
        torch.testing.assert_close(quick.depth.reshape(1, -1), plain.depth, atol=2e-5, rtol=0)
        torch.testing.assert_close(quick.alpha.reshape(1, -1), plain.alpha, atol=2e-5, rtol=0)
        assert quick.evaluations == 64 * (2 * sampling.coarse + sampling.fine if sampling.fine else sampling.coarse)


def test_bfloat16_is_close():
    net = net_of()
    encoded, rays = encode(net), rays_of(cameras_around(5, 12), net)[2]
    images = [
        render_image(net, encoded, rays, options=replace(EVERYTHING, precision=precision)).rgb
        for precision in ("float32", "bfloat16")
    ]
    error = float((images[0] - images[1]).square().mean())
    assert error > 0 and -10 * math.log10(error) > 40


def test_draws_come_from_the_generator_and_are_even_without_one():
    net = net_of()
    field, rays = FastField(net, encode(net)), rays_of(cameras_around(5, 6), net)[2]
    seeded = [render_image(net, field, rays, generator=torch.Generator().manual_seed(seed)).rgb for seed in (1, 1, 2)]
    assert torch.equal(seeded[0], seeded[1]) and not torch.equal(seeded[0], seeded[2])
    assert torch.equal(render_image(net, field, rays).rgb, render_image(net, field, rays).rgb)


class Shape(FastField):
    """A field of a formula, which counts nothing and needs no network."""

    def __init__(self, density, *, probed=None):
        self.density, self.probed = density, probed or density

    def raw(self, points, directions, *, fine):
        return torch.nn.functional.pad(self.probed(points)[:, None], (3, 0))

    def query(self, points, directions, *, fine):
        color = torch.sigmoid(3 * points + directions)
        return FieldSamples(self.density(points).clamp_min(0), color)


def ball(x: float, y: float, radius: float, density: float = 300.0):
    return lambda points: density * (radius - (points - torch.tensor([x, y, 0.0])).norm(dim=1))


@settings(max_examples=6)
@given(st.floats(-0.2, 0.2), st.floats(-0.2, 0.2), st.floats(0.08, 0.3))
def test_skipping_keeps_a_ball_and_leaves_out_most_of_the_rest(x, y, radius):
    net = net_of()
    rays = rays_of(cameras_around(3, 40), net)[1]
    sampling, shape = Sampling(32, 16, 8), Shape(ball(x, y, radius))
    whole = render_image(net, shape, rays, sampling=sampling, options=EVERYTHING)
    quick = render_image(net, shape, rays, sampling=sampling, options=FastOptions(opaque=0.0))
    if radius >= 0.12:
        torch.testing.assert_close(quick.rgb, whole.rgb, atol=1e-6, rtol=0)
        torch.testing.assert_close(quick.depth, whole.depth, atol=1e-6, rtol=0)
    else:  # smaller than a cell: where all probes around it are as far away, a piece of it is not seen
        apart = (quick.rgb - whole.rgb).abs()
        assert float((apart > 1e-6).float().mean()) < 0.005 and float(apart.max()) < 0.01
    quicker = render_image(net, shape, rays, sampling=sampling)
    assert quicker.evaluations <= quick.evaluations < 0.8 * whole.evaluations
    assert float((quicker.rgb - whole.rgb).square().mean()) < 1e-6


@settings(max_examples=6)
@given(st.integers(0, 10_000))
def test_no_sample_of_a_half_space_is_left_out(seed):
    """Planes are what any smooth density is from near: their probes tell all of a cell."""
    generator = torch.Generator().manual_seed(seed)
    normal, offset = torch.randn(3, generator=generator), float(torch.rand((), generator=generator) - 0.5)
    shape = Shape(lambda points: points @ normal + offset)
    rays = rays_of(cameras_around(3, 21), net_of())[0]
    occupancy = probe(shape, rays, SAMPLING, block=4, slices=24, margin=0.5)
    fractions = torch.rand(21, 21, 50, generator=generator)
    points = rays[:, :, None, :3] + (0.8 + fractions[..., None]) * rays[:, :, None, 3:6]
    rows, columns = (values.reshape(-1) for values in torch.meshgrid(torch.arange(21), torch.arange(21), indexing="ij"))
    cells = occupancy.columns(rows, columns, fine=True)
    kept = cells.gather(1, (fractions * 24).long().clamp_max(23).reshape(-1, 50))
    dense = shape.density(points.reshape(-1, 3)).reshape(-1, 50) > 0
    assert bool((kept | ~dense).all())


@settings(max_examples=6)
@given(st.floats(0.01, 1.0), st.booleans())
def test_what_probes_miss_changes_a_pixel_no_more_than_stated(density, white):
    """Probes that see nothing, over a fog that is there."""
    fog = Shape(lambda points: torch.full_like(points[:, 0], density), probed=lambda points: -torch.ones(len(points)))
    net, sampling = net_of(), Sampling(64, 0, 0, white=white)
    rays = rays_of(cameras_around(3, 5), net)[1]
    whole = render_image(net, fog, rays, sampling=sampling, options=EVERYTHING)
    quick = render_image(net, fog, rays, sampling=sampling)
    assert quick.evaluations < 5 * 5 * 64 * 5 and (quick.alpha == 0).all()
    change = float((whole.rgb - quick.rgb).abs().max())
    assert 0 < change <= 1 - math.exp(-density * 1.0) + 1e-6


@settings(max_examples=6)
@given(st.floats(1e-4, 0.3), st.integers(0, 1000))
def test_what_lies_behind_the_opaque_changes_a_pixel_by_less(opaque, seed):
    generator = torch.Generator().manual_seed(seed)
    waves = 12 * torch.randn(3, 4, generator=generator)
    shape = Shape(lambda points: 20 * torch.sin(points @ waves).sum(dim=1))
    net, sampling = net_of(), Sampling(48, 0, 0)
    rays = rays_of(cameras_around(3, 6), net)[1]
    whole = render_image(net, shape, rays, sampling=sampling, options=EVERYTHING)
    quick = render_image(net, shape, rays, sampling=sampling, options=replace(EVERYTHING, opaque=opaque))
    assert quick.evaluations <= whole.evaluations
    assert float((whole.rgb - quick.rgb).abs().max()) <= opaque
    assert float((whole.alpha - quick.alpha).abs().max()) <= opaque


def test_an_empty_image_is_its_background_and_only_probed():
    net = net_of()
    rays = rays_of(cameras_around(3, 16), net)[1]
    empty = Shape(lambda points: -torch.ones(len(points)))
    for white in (True, False):
        image = render_image(net, empty, rays, sampling=replace(SAMPLING, white=white))
        assert (image.rgb == float(white)).all() and (image.alpha == 0).all()
        assert image.evaluations == 2 * 5 * 5 * FastOptions().slices


def test_one_row_or_column_is_an_image_too():
    net = net_of()
    field, rays = FastField(net, encode(net)), rays_of(cameras_around(3, 9), net)[1]
    whole = render_image(net, field, rays, options=EVERYTHING).rgb
    for part in (rays[4:5], rays[:, 4:5], rays[4:5, 4:5]):
        shown = render_image(net, field, part)
        assert shown.rgb.shape == (*part.shape[:2], 3)
    torch.testing.assert_close(
        render_image(net, field, rays[4:5], options=EVERYTHING).rgb, whole[4:5], atol=1e-5, rtol=0
    )


def test_impossible_requests_are_refused():
    for wrong in ({"block": 0}, {"slices": 1}, {"margin": -1.0}, {"opaque": 1.0}, {"memory_bytes": 0}):
        with pytest.raises(InputError, match="Skipping needs"):
            FastOptions(**wrong)
    net = net_of()
    with pytest.raises(InputError, match="holds one object"):
        FastField(net, encode(net, objects=2))
