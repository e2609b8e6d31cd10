"""Images and cameras that are moved alike."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monoform.methods.bootstrap.augment import Similarity
from monoform.methods.bootstrap.pose_parameters import PoseParameters, inverse_matrices


def still(count: int = 1) -> Similarity:
    return Similarity(torch.zeros(count), torch.ones(count), torch.zeros(count, 2))


def places(world_from_camera: Tensor, focal: Tensor | None, points: Tensor) -> Tensor:
    """Where world points are seen, in half images from the middle, y up."""
    inverse = inverse_matrices(world_from_camera)
    local = points @ inverse[:, :3, :3].mT + inverse[:, None, :3, 3]
    if focal is None:
        return local[..., :2] / world_from_camera[:, None, 3:, 3]
    return 2 * focal[:, None, None] * local[..., :2] / -local[..., 2:]


def test_nothing_moves_without_a_motion():
    images = torch.rand(2, 4, 9, 9)
    for white in (False, True):
        torch.testing.assert_close(still(2).images(images, white=white), images)
    drawn = Similarity.draw(50, 0.0)
    assert not drawn.rotation.any() and not drawn.shift.any() and bool((drawn.scale == 1).all())


def test_a_quarter_turn_and_a_whole_shift_move_pixels():
    images = torch.rand(1, 3, 8, 8)
    turned = Similarity(torch.tensor([math.pi / 2]), torch.ones(1), torch.zeros(1, 2)).images(images, white=False)
    torch.testing.assert_close(turned, torch.rot90(images, 1, (2, 3)), atol=1e-5, rtol=0)
    # A shift of a quarter of the picture's -1..1 is one pixel of eight: the view goes right, the object left.
    shifted = Similarity(torch.zeros(1), torch.ones(1), torch.tensor([[0.25, 0.0]])).images(images, white=True)
    torch.testing.assert_close(shifted[..., :-1], images[..., 1:], atol=1e-5, rtol=0)
    assert bool((shifted[..., -1] == 1).all())


@given(st.integers(0, 2**31), st.booleans())
def test_cameras_see_points_where_images_are_moved_to(seed: int, orthographic: bool):
    """The grid of `images` says which place is seen at each place: the camera's picture must be turned back by it."""
    draw = torch.Generator().manual_seed(seed)
    normal = torch.randn(3, 8, generator=draw, dtype=torch.float64)
    focal = None if orthographic else normal[:, 7].clamp(-1, 1)
    pose = PoseParameters(normal[:, :4], 0.2 * normal[:, 4:6], (0.2 * normal[:, 6]).exp(), focal)
    matrices, lengths = pose.matrices(flipped=False)
    motion = Similarity.draw(3, generator=draw).to(matrices)
    points = 0.1 * torch.randn(3, 10, 3, generator=draw, dtype=torch.float64)
    if not orthographic:  # the published shift is that of the origin's depth
        points[:, :, 2] = 0.0
        points = points @ inverse_matrices(matrices)[:, :3, :3]
    before = places(matrices, lengths, points)
    after = places(*motion.cameras(matrices, lengths), points)
    # A place (x, y) of the moved image shows the place R s ((x, y) + shift) of the first, y down.
    down = torch.tensor([1.0, -1.0]).double()
    shown = motion.scale[:, None, None] * ((after + motion.shift[:, None]) * down @ motion._turn().mT)
    torch.testing.assert_close(shown * down, before, atol=1e-8, rtol=1e-7)


def test_each_part_happens_with_its_probability():
    drawn = Similarity.draw(4000, 0.3, generator=torch.Generator().manual_seed(0))
    for part in (drawn.rotation != 0, drawn.scale != 1, drawn.shift[:, 0] != 0):
        assert float(part.float().mean()) == pytest.approx(0.3, abs=0.03)
    assert float(drawn.shift.abs().max()) < 0.6
    assert bool((Similarity.draw(5, scaled=False).scale == 1).all())
    whole = Similarity.draw(4000, generator=torch.Generator().manual_seed(1))
    assert float(whole.scale.log2().std()) == pytest.approx(0.2, abs=0.01)
