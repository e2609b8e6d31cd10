"""Exponentials of rotations and motions: group axioms, round trips, exact derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from tests.camera.camera_strategies import rotation_vectors, vectors
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.functional import jacobian

from monoform.camera import (
    hat,
    quaternion_from_rotation,
    quaternion_multiply,
    rigid_inverse,
    rotation_from_quaternion,
    se3_exp,
    se3_log,
    so3_exp,
    so3_log,
)
from monoform.camera.rigid import rotation_x, rotation_y, rotation_z

IDENTITY = torch.eye(3, dtype=torch.float64)


def series_exponential(matrix: Tensor) -> Tensor:
    """exp by scaling and squaring of a plain Taylor sum: the naive twin."""
    small = matrix / 2**20
    total, term = torch.eye(len(matrix)).to(matrix), torch.eye(len(matrix)).to(matrix)
    for k in range(1, 12):
        term = term @ small / k
        total = total + term
    for _ in range(20):
        total = total @ total
    return total


@given(rotation_vectors())
def test_exponential_is_a_rotation_and_equals_the_matrix_series(vector: Tensor) -> None:
    rotation = so3_exp(vector)
    assert torch.allclose(rotation @ rotation.mT, IDENTITY, atol=1e-14)
    assert abs(float(torch.linalg.det(rotation)) - 1.0) < 1e-14
    assert torch.allclose(rotation, series_exponential(hat(vector)), atol=1e-8)


@given(rotation_vectors(), rotation_vectors(), rotation_vectors())
def test_rotations_form_a_group(a: Tensor, b: Tensor, c: Tensor) -> None:
    a, b, c = so3_exp(a), so3_exp(b), so3_exp(c)
    assert torch.allclose((a @ b) @ c, a @ (b @ c), atol=1e-14)
    product = a @ b
    assert torch.allclose(so3_exp(so3_log(product)), product, atol=1e-12)
    assert torch.allclose(so3_exp(-so3_log(a)) @ a, IDENTITY, atol=1e-12)


@given(rotation_vectors(largest=math.pi - 1e-6))
def test_logarithm_undoes_the_exponential(vector: Tensor) -> None:
    assert torch.allclose(so3_log(so3_exp(vector)), vector, atol=1e-9, rtol=0)


@given(rotation_vectors())
def test_logarithm_near_half_a_turn_keeps_the_axis(vector: Tensor) -> None:
    vector = vector / vector.norm().clamp_min(1e-300) * math.pi if float(vector.norm()) > 0 else vector
    back = so3_log(so3_exp(vector))
    assert min(float((back - vector).norm()), float((back + vector).norm())) < 1e-7


@given(rotation_vectors(), vectors)
def test_motion_round_trip_and_inverse(rotation_vector: Tensor, translational: Tensor) -> None:
    twist = torch.cat((rotation_vector, translational))
    motion = se3_exp(twist)
    assert torch.allclose(se3_exp(se3_log(motion)), motion, atol=1e-7)
    assert torch.allclose(rigid_inverse(motion) @ motion, torch.eye(4).double(), atol=1e-14)
    assert torch.allclose(se3_exp(-twist), rigid_inverse(motion), atol=1e-13)
    generator = torch.zeros(4, 4, dtype=torch.float64)
    generator[:3, :3], generator[:3, 3] = hat(rotation_vector), translational
    assert torch.allclose(motion, series_exponential(generator), atol=1e-8)


@given(rotation_vectors(), rotation_vectors())
def test_quaternions_multiply_as_rotations(a: Tensor, b: Tensor) -> None:
    first, second = so3_exp(a), so3_exp(b)
    product = quaternion_multiply(quaternion_from_rotation(first), quaternion_from_rotation(second))
    assert torch.allclose(rotation_from_quaternion(product), first @ second, atol=1e-13)
    assert torch.allclose(rotation_from_quaternion(-3.0 * product), first @ second, atol=1e-13)
    assert float(quaternion_from_rotation(first)[0]) >= 0.0
    assert abs(float(quaternion_from_rotation(first).norm()) - 1.0) < 1e-14


def test_values_at_the_identity_are_exact() -> None:
    zero = torch.zeros(6, dtype=torch.float64)
    assert torch.equal(so3_exp(zero[:3]), IDENTITY)
    assert torch.equal(so3_log(IDENTITY), zero[:3])
    assert torch.equal(se3_exp(zero), torch.eye(4).double())
    assert torch.equal(se3_log(torch.eye(4).double()), zero)


def test_derivatives_at_the_identity_are_the_generators() -> None:
    slope = jacobian(so3_exp, torch.zeros(3, dtype=torch.float64))
    assert torch.equal(slope.movedim(-1, 0), hat(IDENTITY))
    assert torch.equal(jacobian(lambda v: so3_log(so3_exp(v)), torch.zeros(3).double()), IDENTITY)
    assert torch.equal(jacobian(lambda v: se3_log(se3_exp(v)), torch.zeros(6).double()), torch.eye(6).double())


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.1, 0.21, 0.499, 0.501, 0.999, 1.001, 2.0, 3.0, 3.14])
def test_gradients_hold_at_every_angle(angle: float) -> None:
    axis = torch.tensor([0.6, -0.48, 0.64], dtype=torch.float64)
    vector = (axis * angle).requires_grad_()
    twist = torch.cat((axis * angle, torch.tensor([0.3, -0.2, 0.5]).double())).requires_grad_()
    rotation, motion = so3_exp(vector).detach().requires_grad_(), se3_exp(twist).detach().requires_grad_()
    assert gradcheck(so3_exp, (vector,))
    assert gradcheck(se3_exp, (twist,))
    assert gradcheck(so3_log, (rotation,))
    assert gradcheck(se3_log, (motion,))
    assert gradcheck(quaternion_from_rotation, (rotation,))
    assert gradgradcheck(so3_exp, (vector,))


def test_no_nan_where_a_pose_starts_at_the_identity_in_float32() -> None:
    twist = torch.zeros(2, 6, requires_grad=True)
    se3_log(se3_exp(twist)).square().sum().backward()
    assert torch.equal(twist.grad, torch.zeros(2, 6))


@pytest.mark.parametrize("make", [rotation_x, rotation_y, rotation_z])
def test_axis_rotations_are_exponentials(make) -> None:
    axis = IDENTITY[(rotation_x, rotation_y, rotation_z).index(make)]
    angles = torch.linspace(-4.0, 4.0, 9, dtype=torch.float64)
    assert torch.allclose(make(angles), so3_exp(angles[:, None] * axis), atol=1e-14)
