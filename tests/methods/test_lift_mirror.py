"""lift's mirror plane: found where the prediction agrees with it, and the hidden side follows what is seen."""

from __future__ import annotations

import math

import pytest
import torch

from monoform.methods.lift.mirror import DOUBTFUL, Mirror, find_mirror, mirrored
from monoform.methods.lift.model import Surfaces, without_hollow

SIZE = 48
AZIMUTH = math.radians(30)


def prism():
    """An upright wedge seen from the side, turned by AZIMUTH: front, back and mask, in parallel projection.

    Its plan is a kite that is its own image in the plane through its long axis.
    """
    steps = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    z = torch.linspace(-1, 1, 801)
    x = steps[:, None].expand(SIZE, 801)
    along, across = x * math.cos(AZIMUTH) + z * math.sin(AZIMUTH), -x * math.sin(AZIMUTH) + z * math.cos(AZIMUTH)
    held = across.abs() < 0.3 * (0.6 - along).clamp_max(0.5) * (along > -0.7)
    some = held.any(1)
    front = torch.where(held, z, 9.0).amin(1)
    back = torch.where(held, z, -9.0).amax(1)
    mask = some[None] & (steps.abs() < 0.5)[:, None]
    return *(torch.where(mask, depth[None], 0.0)[None] for depth in (front, back)), mask


def said(front, back):
    maps = torch.zeros(1, 3, SIZE, SIZE)
    scale = torch.full((1, 2, SIZE, SIZE), 0.1)
    return Surfaces(front, back, scale, maps, maps, torch.zeros(1), without_hollow(front), torch.zeros(1, 0))


def crop_of(mask):
    from monoform.methods.lift.crop import with_outlines

    pixels = torch.cat((torch.zeros(1, 3, SIZE, SIZE), mask[None, None].float()), 1)
    return with_outlines(torch.nn.functional.interpolate(pixels, scale_factor=2.0))


def test_the_image_of_an_image_is_the_point():
    mirror = Mirror(torch.tensor([0.6, 0.0, 0.8]), 0.2, 1.0)
    points = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mirror.image(mirror.image(points)), points)
    middle = 0.5 * (points + mirror.image(points)) @ mirror.normal
    torch.testing.assert_close(middle, torch.full((50,), 0.2))


def test_the_plane_of_a_wedge_is_found():
    front, back, mask = prism()
    outline = crop_of(mask)[:, 4:5, ::2, ::2]
    found = find_mirror(torch.cat((front[None], back[None], outline), 1), mask, 0.0, 0.0, torch.zeros(0))
    turned = math.degrees(math.atan2(float(found.normal[2]), float(found.normal[0]))) % 180
    assert turned == pytest.approx(120, abs=8) and found.certainty == 1.0
    assert abs(found.place) < 0.06


def test_the_hidden_side_follows_the_seen_one():
    front, true, mask = prism()
    wrong = torch.where(mask, 0.5 * (true + true[0][mask].mean()), 0.0)  # as deep, but half as steep
    found, certainty = mirrored(said(front, wrong), crop_of(mask), 0.0)
    off = [float((back - true)[0][mask].abs().mean()) for back in (wrong, found.back)]
    assert certainty > 0.5 and off[1] < 0.75 * off[0]
    assert torch.equal(found.front, front)


def test_without_a_plane_nothing_moves():
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[4:44, 4:44] = True
    generator = torch.Generator().manual_seed(0)
    front = -1.2 + 2.4 * torch.rand(1, 5, 5, generator=generator)
    front = torch.nn.functional.interpolate(front[None], (SIZE, SIZE))[0]
    found, certainty = mirrored(said(front, front + 0.03), crop_of(mask), 0.0)
    assert certainty == 0.0 and torch.equal(found.back, front + 0.03)
    empty, certainty = mirrored(said(front, front + 0.2), crop_of(torch.zeros_like(mask)), 0.0)
    assert certainty == 0.0 and torch.equal(empty.back, front + 0.2) and DOUBTFUL < 0.1
