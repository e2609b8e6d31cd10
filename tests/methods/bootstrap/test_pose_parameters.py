"""The published camera matrices and their parameters: there and back, and against the house's cameras."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monoform.methods.bootstrap.pose_parameters import (
    PoseParameters,
    condition_vectors,
    inverse_matrices,
    perturbed_poses,
    rotation_degrees,
)

SEEDS = st.integers(0, 2**31)


def some(seed: int, *, orthographic: bool, count: int = 4) -> PoseParameters:
    draw = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, 8, generator=draw, dtype=torch.float64)
    quaternion = torch.nn.functional.normalize(normal[:, :4], dim=1)
    scale = (0.3 * normal[:, 4]).exp()
    return PoseParameters(quaternion, 0.3 * normal[:, 5:7], scale, None if orthographic else normal[:, 7])


@given(SEEDS, st.booleans(), st.booleans())
def test_there_and_back(seed: int, orthographic: bool, flipped: bool):
    pose = some(seed, orthographic=orthographic)
    back = PoseParameters.of_matrices(*pose.matrices(flipped=flipped), flipped=flipped)
    sign = (back.quaternion * pose.quaternion).sum(1, keepdim=True).sign()
    torch.testing.assert_close(back.quaternion * sign, pose.quaternion, atol=1e-9, rtol=0)
    torch.testing.assert_close(back.offset, pose.offset, atol=1e-9, rtol=0)
    torch.testing.assert_close(back.scale, pose.scale)
    if pose.focal is not None:
        torch.testing.assert_close(back.focal, pose.focal, atol=1e-9, rtol=0)
    else:
        assert back.focal is None


@given(SEEDS, st.booleans())
def test_the_inverse_of_a_camera_is_the_motion_to_it(seed: int, orthographic: bool):
    matrices, _ = some(seed, orthographic=orthographic).matrices(flipped=False)
    inverse = inverse_matrices(matrices)
    rotation = matrices[:, :3, :3] / matrices[:, 3:, 3:]
    torch.testing.assert_close(inverse[:, :3, :3] @ rotation, torch.eye(3).double().expand(4, 3, 3))
    center = (inverse[:, :3, :3] @ matrices[:, :3, 3:])[:, :, 0] + inverse[:, :3, 3]
    torch.testing.assert_close(center, torch.zeros(4, 3).double(), atol=1e-9, rtol=0)


def test_the_origin_lies_where_offset_and_scale_say():
    """The offset is the origin's place in a picture that spans -1..1."""
    pose = some(3, orthographic=False)
    matrices, focal = pose.matrices(flipped=False)
    assert focal is not None
    origin = inverse_matrices(matrices)[:, :3, 3]
    # The published camera looks along its -z; its distance is 2 f / s.
    torch.testing.assert_close(-origin[:, 2], 2 * focal / pose.scale)
    torch.testing.assert_close(2 * focal[:, None] * origin[:, :2] / origin[:, 2:], pose.offset)


def test_turning_the_axes_around_is_the_same_for_any_length_of_the_quaternion():
    pose = some(5, orthographic=True)
    longer = PoseParameters(3.0 * pose.quaternion, pose.offset, pose.scale)
    plain, flipped = (longer.matrices(flipped=which)[0] for which in (False, True))
    torch.testing.assert_close(plain, pose.matrices(flipped=False)[0])
    torch.testing.assert_close(plain[:, :3, 0], flipped[:, :3, 0])
    torch.testing.assert_close(plain[:, :3, 1:], -flipped[:, :3, 1:])
    torch.testing.assert_close(plain[:, 3, 3], 1 / pose.scale)


def test_the_condition_has_thirteen_numbers_with_the_rotation_last():
    pose = some(7, orthographic=False)
    matrices, focal = pose.matrices(flipped=True)
    assert focal is not None
    vectors = condition_vectors(matrices, focal, flipped=True)
    torch.testing.assert_close(vectors[:, 0], focal.log())
    torch.testing.assert_close(vectors[:, 1:4], torch.cat([pose.offset, pose.scale[:, None]], dim=1))
    rotation = vectors[:, 4:].reshape(-1, 3, 3)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).double().expand(4, 3, 3))
    flat = some(7, orthographic=True)
    assert bool((condition_vectors(*flat.matrices(flipped=True), flipped=True)[:, 0] == 0).all())


def test_disturbed_poses_are_of_the_set_and_as_far_as_asked():
    matrices, _ = some(9, orthographic=False, count=300).matrices(flipped=False)
    still = perturbed_poses(matrices, 30.0, torch.zeros(300))
    assert still.tolist() == list(range(300))
    chosen = perturbed_poses(matrices, 30.0, torch.rand(300, generator=torch.Generator().manual_seed(0)))
    assert float(rotation_degrees(matrices, matrices[chosen]).mean()) == pytest.approx(30.0, abs=6.0)


def test_gradients_reach_every_parameter():
    pose = some(11, orthographic=False)
    leaves = [value.requires_grad_() for value in (pose.quaternion, pose.offset, pose.scale, pose.focal)]
    matrices, focal = PoseParameters(*leaves).matrices(flipped=True)
    assert focal is not None
    (matrices.square().sum() + focal.sum()).backward()
    assert all(bool((leaf.grad != 0).any()) for leaf in leaves)
