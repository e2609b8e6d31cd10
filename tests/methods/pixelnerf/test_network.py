"""The network's geometry: what it must not depend on, and what each option does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.methods.pixelnerf.tiny import cameras_around, config, encode, net_of, points_in_view, side_by_side

from monoform import InputError
from monoform.camera import Camera, rigid, so3_exp
from monoform.methods.pixelnerf.config import Network
from monoform.methods.pixelnerf.encoder import look_up
from monoform.methods.pixelnerf.mlp import ResnetFC


def test_a_point_is_looked_up_where_its_camera_sees_it():
    net, camera = net_of(), cameras_around(3)
    encoded = encode(net, objects=1, views=3)
    points, _ = points_in_view(20)
    ours, _ = camera.project(points.expand(3, -1, -1))
    # The published pixel centres are whole numbers.
    torch.testing.assert_close(encoded.pixels(encoded.seen(points).local) + 0.5, ours, atol=1e-4, rtol=1e-4)


def test_features_between_pixels_are_bilinear_and_go_on_beyond_the_border():
    network = Network()
    ramp = torch.stack(torch.meshgrid(torch.arange(6.0), torch.arange(8.0), indexing="ij"))[None]
    pixels = torch.tensor([[[0.0, 0.0], [5.0, 3.0], [16.0, 12.0], [-9.0, 30.0]]])
    found = look_up(ramp, pixels, 16, 12, network)[0]
    # Pixel x of 16 lies at x / 2 on a map of 8, at most on its last pixel.
    torch.testing.assert_close(found, torch.tensor([[0, 0], [1.5, 2.5], [5, 7], [5, 0.0]]), atol=1e-5, rtol=0)
    nearest = look_up(ramp, pixels, 16, 12, replace(network, lookup="nearest"))[0]
    assert torch.equal(nearest, nearest.round())
    assert look_up(ramp, pixels, 16, 12, replace(network, padding="zeros"))[0, 3].abs().max() < 1e-5
    reflected = look_up(ramp, torch.tensor([[[18.0, 0.0]]]), 16, 12, replace(network, padding="reflection"))
    torch.testing.assert_close(reflected[0, 0], torch.tensor([0.0, 5.0]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_the_order_of_the_views_does_not_matter(pooling):
    net = net_of(config(pooling=pooling))
    images, cameras = torch.rand(1, 3, 24, 24, 3), cameras_around(3)
    points, directions = points_in_view(15)
    order = torch.tensor([2, 0, 1])
    turned = Camera(cameras.world_from_camera[order], cameras.intrinsics[order], 24, 24)
    with torch.no_grad():
        one = side_by_side(net.query(net.encode(images, cameras), points, directions))
        other = side_by_side(net.query(net.encode(images[:, order], turned), points, directions))
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_objects_of_a_batch_do_not_see_each_other():
    net = net_of()
    encoded = encode(net, objects=2, views=2)
    points, directions = points_in_view(9, objects=2)
    with torch.no_grad():
        together = side_by_side(net.query(encoded, points, directions))
        for number in range(2):
            alone = net.query(encoded[number], points[number : number + 1], directions[number : number + 1])
            torch.testing.assert_close(together[number : number + 1], side_by_side(alone), atol=1e-5, rtol=1e-5)


@settings(max_examples=10)
@given(st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.booleans())
def test_a_turned_world_looks_the_same(rotation, centered):
    net = net_of(config(centered=centered))
    images, cameras = torch.rand(1, 2, 24, 24, 3, generator=torch.Generator().manual_seed(3)), cameras_around(2)
    # With centred positions the origin has to stay where it is.
    shift = torch.zeros(3) if centered else torch.tensor([0.3, -1.0, 2.0])
    motion = rigid(so3_exp(torch.tensor(rotation)[None])[0], shift)
    moved = Camera(motion @ cameras.world_from_camera, cameras.intrinsics, 24, 24)
    points, directions = points_in_view(12)
    with torch.no_grad():
        here = net.query(net.encode(images, cameras), points, directions)
        there = net.query(net.encode(images, moved), points @ motion[:3, :3].T + shift, directions @ motion[:3, :3].T)
    torch.testing.assert_close(side_by_side(here), side_by_side(there), atol=2e-3, rtol=2e-3)


def test_each_view_has_intrinsics_of_its_own():
    net, cameras = net_of(), cameras_around(2)
    images = torch.rand(1, 2, 24, 24, 3)
    wider = cameras.intrinsics.clone()
    wider[1, 0, 0] *= 0.7
    wider[1, 0, 2] += 3
    points, _ = points_in_view(8)
    with torch.no_grad():
        encoded = net.encode(images, Camera(cameras.world_from_camera, wider, 24, 24))
    pixels = encoded.pixels(encoded.seen(points).local) + 0.5
    torch.testing.assert_close(pixels[0], cameras[0].project(points)[0][0], atol=1e-4, rtol=1e-4)
    changed = Camera(cameras.world_from_camera[1:], wider[1:], 24, 24)
    torch.testing.assert_close(pixels[1], changed.project(points)[0][0], atol=1e-4, rtol=1e-4)


OPTIONS = {
    "first_pool": False,
    "feature_scale": 0.5,
    "lookup": "nearest",
    "factor": 3.0,
    "use_xyz": False,
    "encode_positions": False,
    "use_directions": False,
    "encode_directions": True,
    "centered": False,
    "global_features": 16,
    "pooling": "max",
    "beta": 10.0,
    "spade": True,
    "maps": 3,
    "frequencies": 4,
    "padding": "zeros",
    "backbone": "resnet34",
    "blocks": 5,
    "width": 32,
    "pooled_block": 3,
}


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_changes_the_answer(name):
    points, directions = points_in_view(40)
    answers = []
    for changes in ({}, {name: OPTIONS[name]}):
        net = net_of(config(**changes))
        with torch.no_grad():
            answers.append(side_by_side(net.query(encode(net, views=2), 2 * points, directions)))
    assert torch.isfinite(answers[1]).all() and (answers[1][..., :3] > 0).all() and (answers[1][..., 3] >= 0).all()
    assert not torch.allclose(answers[0], answers[1], atol=1e-4)


def test_the_global_vector_is_another_networks():
    net = net_of(config(global_features=16, global_backbone="resnet18"))
    assert net.global_encoder.fc.weight.shape == (16, 512)
    assert encode(net, views=2).vectors.shape == (2, 16)
    assert (
        net_of(config(global_features=512, global_backbone="resnet18"))
        .state_dict()
        .keys()
        .isdisjoint({"global_encoder.fc.weight"})
    )


def test_gradients_reach_the_encoder_unless_they_are_stopped():
    points, directions = points_in_view(5)
    for stopped in (False, True):
        net = net_of(config(stop_encoder_gradient=stopped))
        encoded = net.encode(torch.rand(1, 1, 24, 24, 3), cameras_around(1))
        side_by_side(net.query(encoded, points, directions)).sum().backward()
        assert (net.encoder.model.conv1.weight.grad is None) == stopped
        assert net.mlp_fine.lin_in.weight.grad is not None and net.mlp_coarse.lin_in.weight.grad is None


def test_a_perceptron_is_residual_blocks_with_features_in_the_first():
    network = config(spade=True, beta=2.0).network
    torch.manual_seed(0)
    mlp = ResnetFC(6, 5, network).double()
    z, x = torch.randn(2, 3, 6).double(), torch.randn(2, 3, 5).double()

    def soft(values):
        return torch.log(1 + torch.exp(2 * values)) / 2

    hidden = x @ mlp.lin_in.weight.T + mlp.lin_in.bias
    for number, block in enumerate(mlp.blocks):
        if number == 2:
            hidden = hidden.mean(0, keepdim=True)
        if number < 2:
            scale = z @ mlp.scale_z[number].weight.T + mlp.scale_z[number].bias
            hidden = scale * hidden + z @ mlp.lin_z[number].weight.T + mlp.lin_z[number].bias
        inner = soft(hidden) @ block.fc_0.weight.T + block.fc_0.bias
        hidden = hidden + soft(inner) @ block.fc_1.weight.T + block.fc_1.bias
    expected = soft(hidden) @ mlp.lin_out.weight.T + mlp.lin_out.bias
    torch.testing.assert_close(mlp(z, x, views=2), expected)


def test_unused_layers_are_built_only_to_be_kept():
    assert not any("layer2" in name for name in net_of(config()).state_dict())
    assert any("layer4" in name for name in net_of(config(keep_unused_layers=True)).state_dict())


def test_wrong_input_is_refused():
    net = net_of()
    images, cameras = torch.rand(1, 2, 24, 24, 3), cameras_around(2)
    for shown, camera, words in (
        (images[:, :1], cameras, "one camera of the same size"),
        (images, cameras_around(2, 32), "one camera of the same size"),
        (images, Camera.orthographic(cameras.world_from_camera, 1.0, 24, 24), "pinhole"),
    ):
        with pytest.raises(InputError, match=words):
            net.encode(shown, camera)
    with pytest.raises(InputError, match="pools no views"):
        net_of(config(pooled_block=9)).encode(images, cameras)
    with pytest.raises(InputError, match="maps is 6; it must lie in"):
        Network(maps=6)


def test_the_first_step_of_the_original_is_in_evaluation_mode():
    made = config()
    assert net_of(made).begin_step(0).training
    kept = replace(made, compat=replace(made.compat, first_step_in_evaluation=True))
    assert not net_of(kept).begin_step(0).training and net_of(kept).begin_step(1).training
