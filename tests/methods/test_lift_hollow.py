"""lift's further heads: the hollow that is cut out, the planes that mirror, and the features of the backbone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch.nn import functional

from monoform import InputError
from monoform.camera import look_at
from monoform.methods.lift.batches import _mirrors
from monoform.methods.lift.config import LiftConfig
from monoform.methods.lift.field import FrameSolid
from monoform.methods.lift.hollow import WALL
from monoform.methods.lift.losses import NEAR, hollow_loss, surface_loss
from monoform.methods.lift.model import LiftNet, Surfaces, turned_over, without_hollow
from monoform.methods.lift.train import LiftTraining, _network
from monoform.scene.outline import signed_distance
from monoform.training import save_pretrained

TINY = LiftConfig(image_size=32, channels=(8, 8, 16, 16), attention=1, heads=2)
SIZE = 64
NONE = without_hollow(torch.zeros(1, SIZE, SIZE))


def block(hollow):
    """A box from z = -0.5 to 0.5 behind the square of half side 0.75, with what is told of its hollow."""
    front = torch.full((1, SIZE, SIZE), -0.5)
    plain = torch.zeros(1, 3, SIZE, SIZE)
    scale, away = torch.full((1, 2, SIZE, SIZE), 0.1), -functional.one_hot(torch.tensor(2), 3)[None, :, None, None]
    normal = away.float().expand(1, 3, SIZE, SIZE)
    return Surfaces(front, -front, scale, plain, normal, torch.zeros(1), hollow, torch.zeros(1, 0))


def square():
    mask = np.zeros((SIZE, SIZE), np.float32)
    mask[8:56, 8:56] = 1
    return torch.from_numpy(signed_distance(mask) * 2 / SIZE).float()[None, None]


def told(columns, *, begin=0.25, end=0.75):
    """A hollow in these columns of the picture."""
    hollow = without_hollow(torch.zeros(1, SIZE, SIZE)).clone()
    hollow[:, 0, :, columns], hollow[:, 1], hollow[:, 2] = 6.0, begin, end
    return hollow


def solid(hollow):
    return FrameSolid.of(block(hollow), torch.zeros(1, 3, SIZE, SIZE), square())


def grid(count=48):
    steps = (torch.arange(count) + 0.5) * 2 / count - 1
    return torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), -1).flatten(0, 2)


def test_a_hollow_is_cut_out_and_the_outline_stays():
    points = grid()
    whole, cut = (
        solid(each).geometry(points, points[:, :2]) < 0
        for each in (without_hollow(torch.zeros(1, SIZE, SIZE)), told(slice(20, 44)))
    )
    x, z = points[:, 0], points[:, 2]
    within, clear = (x.abs() < 0.33) & (z.abs() < 0.22), (x.abs() > 0.42) | (z.abs() > 0.28)
    assert whole[within & (points[:, 1].abs() < 0.7)].all() and not cut[within].any()
    clear &= (points[:, :2].abs() < 0.55).all(dim=1)  # the rim is round only where no hollow reaches it
    assert torch.equal(cut[clear], whole[clear])
    shape = cut.reshape(48, 48, 48)
    assert torch.equal(shape.any(2), whole.reshape(48, 48, 48).any(2))
    assert ndimage.label(shape.numpy())[1] == 1


@pytest.mark.parametrize("hollow", [told(slice(0, 64)), told(slice(20, 44), begin=0.49, end=0.51)])
def test_no_hollow_that_leaves_two_pieces_or_is_thinner_than_can_be_told(hollow):
    assert solid(hollow).hollow is None


def test_walls_stay_before_and_behind():
    points = torch.tensor([[0.0, 0.0, z] for z in (-0.5 + 0.8 * WALL, 0.5 - 0.8 * WALL, -0.5 + 1.3 * WALL, 0.0)])
    signed = solid(told(slice(20, 44), begin=0.0, end=1.0)).geometry(points, points[:, :2])
    assert (signed < 0).tolist() == [True, True, False, False]


def test_a_mirror_is_told_as_the_camera_sees_it():
    errors = torch.full((1, 24), 0.1)
    errors[0, 0] = 0.0  # left and right are alike: the normal of the plane is the world's x
    for azimuth, expected in ((0.0, 0), (math.pi / 2, 6), (math.pi / 4, 9), (-math.pi / 4, 3)):
        eye = torch.tensor([[math.sin(azimuth), 0.3, math.cos(azimuth)]])
        found = _mirrors(errors, look_at(eye)[:, :3, :3], 12)
        assert found.argmax() == expected and found.max() > 0.99 and found.sum() < 1.01
        flipped = _mirrors(errors, look_at(eye * torch.tensor([-1.0, 1.0, 1.0]))[:, :3, :3], 12)
        torch.testing.assert_close(turned_over(found), flipped, atol=1e-3, rtol=0)


def test_hollows_are_learned_where_they_are():
    valid = torch.ones(1, 2, 2, dtype=torch.bool)
    true = torch.tensor([[[0.2, -1.0], [0.2, -1.0]], [[0.6, -1.0], [0.6, -1.0]]])[None]
    sure = torch.tensor([20.0, -20.0]).expand(1, 1, 2, 2)
    exact = torch.cat((sure, true.clamp_min(0.0)), 1)
    assert float(hollow_loss(exact, true, valid)) < 1e-6
    assert float(hollow_loss(exact + torch.tensor([0, 0.1, 0.1])[:, None, None], true, valid)) == pytest.approx(0.1)
    assert float(hollow_loss(-exact, true, valid)) > 10


def test_training_starts_from_weights_without_the_further_heads(tmp_path):
    torch.manual_seed(0)
    known = LiftNet(replace(LiftConfig(), channels=(32, 64, 128, 192))).eval()
    save_pretrained(known, known.config, tmp_path / "known", card="A card.", exact=True)

    torch.manual_seed(1)
    net = _network(LiftTraining(start=str(tmp_path / "known")), hollows=True).eval()
    crops = torch.rand(2, 6, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(crops).front, known(crops).front)
        assert net(crops).mirror.shape == (2, 12) and net(crops).hollow.shape == (2, 3, 32, 32)

        small = _network(LiftTraining(start=str(tmp_path / "known"), early=1.0), hollows=False).eval()
        assert small.config.image_size == 64 and small.places.shape[2:] == (4, 4)
        torch.testing.assert_close(small(crops).front, known(crops).front)


def test_the_surface_that_is_missed_counts_by_its_area_and_no_more_the_farther_it_is():
    valid = torch.ones(1, 16, 16, dtype=torch.bool)
    ramp = torch.linspace(-1, 1, 17)[:16].expand(1, 16, 16)  # slope 1 across: the distance is the depth's / sqrt(2)
    assert float(surface_loss(ramp, ramp, valid)) == 0
    assert float(surface_loss(ramp + NEAR * math.sqrt(2), ramp, valid)) == pytest.approx(0.5, abs=1e-3)
    assert 0.85 < float(surface_loss(ramp + 1, ramp, valid)) < float(surface_loss(ramp + 9, ramp, valid)) < 1
    # Likelier beats the middle: of three places the two alike are nearer to all than what lies between.
    places = torch.tensor([0.0, 0.0, 1.0])[:, None, None].expand(3, 16, 16)
    lost = [float(surface_loss(torch.full_like(places, z), places, valid.expand(3, -1, -1))) for z in (0.0, 0.33, 1.0)]
    assert lost[0] < lost[2] < lost[1]


def test_features_of_a_backbone_begin_without_a_say():
    torch.manual_seed(0)
    net = LiftNet(replace(TINY, zoom=2, hollows=True, mirrors=6)).eval()
    plain = LiftNet(TINY).eval()
    plain.load_state_dict({name: value for name, value in net.state_dict().items() if name in plain.state_dict()})
    crops = torch.rand(2, 6, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(crops).back, plain(functional.avg_pool2d(crops, 2)).back)
    loss = net.train()(crops).front.square().sum()
    loss.backward()
    assert all(adapter.weight.grad.abs().sum() > 0 for adapter in net.adapters)
    assert net.backbone.conv_stem.weight.grad is None
    assert TINY.crop_size == 32 and net.config.crop_size == 64


def test_a_zoom_of_one_is_refused():
    with pytest.raises(InputError, match="zoom is 1"):
        LiftConfig(zoom=1)
