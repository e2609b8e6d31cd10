"""LIST's networks against naive twins, and what training leaves alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator
from scipy.spatial import cKDTree
from tests.methods.list.tiny_list import TINY, tiny_coarse, tiny_config, tiny_net

from monoform import InputError
from monoform.methods.list import fast
from monoform.methods.list.config import ListConfig, Network, preset
from monoform.methods.list.decoder import gathered, neighbor_offsets
from monoform.methods.list.fast import FastDistances, looked_up
from monoform.methods.list.frame import map_matrix, turned_to
from monoform.methods.list.localize import frontal, network_query, project
from monoform.methods.list.losses import chamfer_loss, matrix_loss, near_distance_loss, side_loss
from monoform.methods.list.model import ListNet
from monoform.methods.list.packed import mirrored, windows_of
from monoform.methods.list.stages import best_level
from monoform.methods.list.tree import TreeLayer
from monoform.methods.list.volume import occupancy

from monoform.camera import Camera, look_at  # isort: skip


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_the_published_network_has_its_published_size() -> None:
    net = ListNet(preset("shapenet"))
    assert sum(each.numel() for each in net.parameters()) == pytest.approx(105.24e6, rel=1e-3)
    assert net.config.network.points == 4096 and net.config.network.volume_features == 2583
    assert net.config.network.image_channels == 1024


def test_the_small_network_fits_into_four_megabytes() -> None:
    state = ListNet(preset("small")).state_dict()
    assert sum(2 * each.numel() if each.is_floating_point() else 8 for each in state.values()) < 4e6


@pytest.mark.parametrize(
    "changes",
    [
        {"tree_features": (9, 3)},
        {"volume_channels": (1, 2, 1, 1, 8)},
        {"volume_nodes": 16},
        {"hidden": 0},
        {"map_side": 1},
    ],
)
def test_sizes_that_make_no_network_are_refused(changes: dict) -> None:
    with pytest.raises(InputError, match=r"^LIST's"):
        Network(**changes)


def test_a_configuration_needs_a_scale_and_a_known_name() -> None:
    with pytest.raises(InputError, match="sdf_scale is 0"):
        ListConfig(sdf_scale=0)
    with pytest.raises(InputError, match="no configuration 'x'"):
        preset("x")


def test_children_stand_beside_each_other_and_hear_all_ancestors() -> None:
    layer = TreeLayer((3, 4), 5, degree=2, nodes=2, support=2, last=False)
    root, nodes = random(1, 1, 3), random(1, 2, 4, seed=1)
    found = layer([root, nodes])
    for node in range(2):
        inherited = layer.W_root[0](root[0, 0]) + layer.W_root[1](nodes[0, node])
        own = torch.nn.functional.leaky_relu(nodes[0, node] @ layer.W_branch[node], 0.2)
        for child in range(2):
            wanted = inherited + layer.W_loop(own[4 * child : 4 * child + 4]) + layer.bias[0, child]
            wanted = torch.nn.functional.leaky_relu(wanted, 0.2)
            torch.testing.assert_close(found[0, 2 * node + child], wanted)


def test_the_nearest_node_is_that_of_a_search_tree() -> None:
    points = 0.4 * random(1, 300, 3)
    axis = np.linspace(-0.5, 0.5, 9)
    nodes = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    wanted = np.zeros(9**3)
    wanted[cKDTree(nodes).query(points[0].numpy())[1]] = 1
    np.testing.assert_array_equal(occupancy(points, 9)[0].numpy().ravel(), wanted)


def test_volumes_are_read_between_nodes_as_scipy_does() -> None:
    volume = random(1, 2, 4, 5, 6)
    points = 0.9 * (2 * torch.rand(1, 20, 3, generator=torch.Generator().manual_seed(1)) - 1)
    found = gathered([volume], network_query(0.5 * points), torch.zeros(1, 3))
    axes = [np.linspace(-1, 1, count) for count in (4, 5, 6)]
    for channel in range(2):
        wanted = RegularGridInterpolator(axes, volume[0, channel].numpy())(points[0].numpy())
        np.testing.assert_allclose(found[0, channel].numpy(), wanted, atol=1e-5)


def test_a_linear_volume_shows_the_offsets_in_their_order() -> None:
    axis = torch.linspace(-1, 1, 5)
    volume = axis[:, None, None].expand(5, 5, 5)[None, None]  # its value is x
    found = gathered([volume], torch.zeros(1, 1, 3), neighbor_offsets(0.1))[0, :, 0]
    torch.testing.assert_close(found, torch.tensor([0.0, 0, 0, 0, 0, -0.1, 0.1]))  # x is a query's third coordinate


@pytest.mark.parametrize(("fold", "level", "channels"), [(True, 0.0, 64), (False, 0.0, 64), (True, 0.3, 2)])
def test_quick_distances_are_the_plain_ones_from_the_level(
    fold: bool, level: float, channels: int, monkeypatch
) -> None:
    monkeypatch.setattr(fast, "FOLDED_CHANNELS", channels)
    net = tiny_net(3)
    net.config = replace(net.config, level=level)
    with torch.no_grad():
        seen = net.encode(torch.rand(2, 3, 32, 32))
        points = 1.2 * (torch.rand(2, 100, 3) - 0.5)
        wanted = (net.distances(seen, points) - level) / net.config.sdf_scale
    for which in range(2):
        found = FastDistances(net, seen, which, fold=fold)(points[which])
        torch.testing.assert_close(found, wanted[which], atol=1e-5, rtol=1e-4)


def test_rows_beyond_a_grid_are_those_of_its_border() -> None:
    rows = random(12, 2)
    found = looked_up(rows, (3, 4), torch.tensor([[-5.0, -5.0], [5.0, 5.0], [-1.0, 1.0]]))
    torch.testing.assert_close(found, rows[[0, 11, 8]])


def test_the_frontal_camera_sees_the_box_upright_and_whole() -> None:
    corners = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])[None]
    pixels = project(network_query(corners), frontal(137)[None])
    assert pixels.min() >= 0 and pixels.max() <= 136
    right, up = (project(network_query(torch.tensor([[p]])), frontal(137)[None]) for p in ([0.1, 0, 0], [0, 0.1, 0]))
    assert right[0, 0, 0] > 68 and up[0, 0, 1] < 68
    torch.testing.assert_close(project(torch.zeros(1, 1, 3), frontal(137)[None])[0, 0], torch.full((2,), 68.0))


def test_a_fresh_network_begins_near_the_frontal_camera() -> None:
    net = tiny_net()
    with torch.no_grad():
        matrix = net.encode(torch.rand(4, 3, 32, 32)).matrix
        pixels = project(network_query(torch.rand(4, 50, 3) - 0.5), matrix)
    assert ((pixels > -8) & (pixels < 25)).all()


def test_a_known_camera_and_its_matrix_agree() -> None:
    pose = look_at(torch.tensor([[0.7, 0.6, 1.1], [-1.0, 0.2, -0.8]]))
    intrinsics = torch.tensor([[120.0, 0, 60], [0, 120, 62], [0, 0, 1]]).repeat(2, 1, 1)
    windows = torch.tensor([[10.0, 12, 90], [0, -5, 128]])
    surface = 0.4 * random(2, 200, 3)
    frame = turned_to(pose, surface)
    matrix = map_matrix(pose, intrinsics, windows, frame, 32, TINY)
    pixels, _ = Camera(pose, intrinsics, 128, 128).project(surface)
    wanted = ((pixels - windows[:, None, :2]) / windows[:, None, 2:] * 32 - 0.5) * 16 / 31
    torch.testing.assert_close(project(network_query(frame.into(surface)), matrix), wanted, atol=1e-3, rtol=1e-4)
    eye = (frame.rotation @ pose[:, :3, 3, None])[..., 0]
    assert eye[:, 0].abs().max() < 1e-5 and (eye[:, 2] > 0).all(), "the camera stands in front"
    box = frame.into(surface)
    torch.testing.assert_close((box.amax(1) - box.amin(1)).amax(1), torch.ones(2))
    torch.testing.assert_close(frame.out_of(box), surface, atol=1e-5, rtol=1e-5)


def test_mirroring_keeps_points_on_their_pixels() -> None:
    matrix = frontal(17).repeat(8, 1, 1) + 0.1 * random(8, 4, 3)
    points = 0.3 * random(8, 10, 3)
    batch = {"images": torch.rand(8, 3, 4, 4), "cloud": points, "points": points, "matrix": matrix}
    found = mirrored(batch, 17, torch.Generator().manual_seed(0))
    before = project(network_query(points), matrix)
    after = project(network_query(found["cloud"]), found["matrix"])
    flipped = (found["cloud"] != points).any(-1).any(-1)
    assert flipped.any() and not flipped.all()
    torch.testing.assert_close(after[flipped, :, 0], 16 - before[flipped, :, 0], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(after[..., 1], before[..., 1], atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(found["images"][flipped], batch["images"][flipped].flip(-1))


def test_windows_are_square_around_the_mask() -> None:
    masks = torch.zeros(2, 20, 30)
    masks[0, 4:8, 10:20] = 1
    found = windows_of(masks, 1.2)
    torch.testing.assert_close(found[0], torch.tensor([9.0, 0, 12]))
    torch.testing.assert_close(found[1], torch.tensor([-3.0, -8, 36]))


def test_the_chamfer_loss_is_the_naive_one_with_its_gradient() -> None:
    cloud, truth = random(2, 7, 3).double().requires_grad_(), random(2, 9, 3, seed=1).double()
    gaps = (cloud[:, :, None] - truth[:, None]).square().sum(-1)
    wanted = 1000 * (gaps.amin(2).mean() + gaps.amin(1).mean())
    torch.testing.assert_close(chamfer_loss(cloud, truth), wanted)
    ours, naive = (torch.autograd.grad(x, cloud, retain_graph=True)[0] for x in (chamfer_loss(cloud, truth), wanted))
    torch.testing.assert_close(ours, naive)


def test_far_distances_and_far_pixels_count_no_more() -> None:
    truth = torch.tensor([[0.5, -0.5, 0.02]])
    assert float(near_distance_loss(torch.tensor([[9.0, -9, 0.2]]), truth, 10.0)) == pytest.approx(0, abs=1e-7)
    assert float(near_distance_loss(torch.tensor([[1.0, -1, 0.5]]), truth, 10.0)) == pytest.approx(0.1)
    assert float(side_loss(0.2 * torch.ones(1, 3), truth, 10.0)) == pytest.approx(
        (2 * np.log(1 + np.exp(-1)) + np.log(1 + np.exp(1))) / 3, rel=1e-5
    ), "two of three are outside, and said to be as far out as the width"
    far = torch.tensor([[[1e6, 0.0], [3.0, 4.0]]])
    assert float(matrix_loss(far, torch.zeros(1, 2, 2), 10)) == pytest.approx(0.75)


def test_the_level_is_where_inside_agrees_best(monkeypatch) -> None:
    """A network that is 0.12 too large everywhere: its level says so."""
    net = tiny_net(0)
    points = torch.rand(4, 500, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    distance = points.norm(dim=-1) - 0.3
    monkeypatch.setattr(ListNet, "distances", lambda self, seen, asked: 10 * distance + 0.12)
    solids = {"images": torch.zeros(4, 3, 32, 32), "points": points, "inside": distance < 0}
    assert best_level(net.eval(), solids) == pytest.approx(0.12, abs=0.03)


@pytest.mark.parametrize("moving", [False, True])
def test_the_frozen_first_stage_stays_unless_its_norms_are_published(moving: bool) -> None:
    from dataclasses import replace

    from monoform.methods.list.config import Compat

    net = ListNet(replace(tiny_config(), compat=Compat(moving_norms=moving)))
    net.start_from(tiny_coarse())
    net.freeze_first_stage()
    net.train()
    before = {name: tensor.clone() for name, tensor in net.im_encoder.state_dict().items()}
    probability, scaled = net(torch.rand(3, 3, 32, 32), torch.rand(3, 5, 3) - 0.5)
    (probability.sum() + scaled.sum()).backward()
    frozen = [*net.im_encoder.parameters(), *net.point_decoder.parameters()]
    assert all(each.grad is None for each in frozen)
    assert net.im_encoder2.conv1.weight.grad.abs().sum() > 0
    moved = any(not torch.equal(before[name], tensor) for name, tensor in net.im_encoder.state_dict().items())
    assert moved == moving
