"""Rotations and rigid motions as exponentials: SO(3), SE(3) and unit quaternions.

Formulas: Ethan Eade, "Lie Groups for 2D and 3D Transformations" (2017), sections 2 and 3; Shepperd, "Quaternion from
Rotation Matrix" (1978). Every coefficient is a function of the squared angle with a Taylor series near 0, so that
values and all derivatives are exact at the identity.
"""

from __future__ import annotations

from collections.abc import Callable
from math import factorial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .rigid import rigid

# Series in the squared angle, highest power first. They reach float64 precision at their limits: 1/19! for squared
# angles up to 1, 0.01^8/17 for the logarithm.
_EXP_LIMIT, _LOG_LIMIT, _V_LIMIT = 1.0, 0.01, 0.25
_SINC = np.array([(-1) ** k / factorial(2 * k + 1) for k in reversed(range(9))])
_COSC = np.array([(-1) ** k / factorial(2 * k + 2) for k in reversed(range(9))])
_SINC3 = np.array([(-1) ** k / factorial(2 * k + 3) for k in reversed(range(9))])
_ATANC = np.array([(-1) ** k / (2 * k + 1) for k in reversed(range(9))])
# Taylor coefficients |B_2k| / (2k)! of (1 - (a/2) cot(a/2)) / a^2, with the Bernoulli numbers B_2k.
_V_INVERSE = np.array(
    [
        3617 / 10670622842880000,
        1 / 74724249600,
        691 / 1307674368000,
        1 / 47900160,
        1 / 1209600,
        1 / 30240,
        1 / 720,
        1 / 12,
    ]
)


def hat(vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """The skew-symmetric matrix of the cross product with `vector`."""
    x, y, z = vector.unbind(-1)
    zero = torch.zeros_like(x)
    return torch.stack((zero, -z, y, z, zero, -x, -y, x, zero), dim=-1).reshape(*vector.shape[:-1], 3, 3)


def so3_exp(rotation_vector: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """Rotation matrix of a rotation vector (axis times angle in radians): Rodrigues' formula."""
    squared = rotation_vector.square().sum(-1)[..., None, None]
    skew = hat(rotation_vector)
    return torch.eye(3).to(skew) + _sinc(squared) * skew + _cosc(squared) * (skew @ skew)


def so3_log(rotation: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 3"]:
    """Rotation vector of length 0..pi of a rotation matrix; at exactly pi one of the two signs."""
    w, *vector = quaternion_from_rotation(rotation).unbind(-1)
    axis = torch.stack(vector, dim=-1)
    squared_sine = axis.square().sum(-1)
    small = squared_sine < _LOG_LIMIT * w.square()
    safe_w = torch.where(small, w, torch.ones_like(w))
    near = _series(torch.where(small, squared_sine, torch.zeros_like(w)) / safe_w.square(), _ATANC) / safe_w
    sine = torch.where(small, torch.ones_like(w), squared_sine).sqrt()
    far = torch.atan2(sine, w) / sine
    return 2.0 * torch.where(small, near, far)[..., None] * axis


def se3_exp(twist: Float[Tensor, "*b 6"]) -> Float[Tensor, "*b 4 4"]:
    """Rigid motion of a twist (rotation vector in radians, then translational part): exp of its 4 x 4 matrix."""
    rotation_vector, translational = twist[..., :3], twist[..., 3:]
    squared = rotation_vector.square().sum(-1)[..., None, None]
    skew = hat(rotation_vector)
    v = torch.eye(3).to(skew) + _cosc(squared) * skew + _sinc3(squared) * (skew @ skew)
    return rigid(so3_exp(rotation_vector), (v @ translational[..., None])[..., 0])


def se3_log(motion: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b 6"]:
    """The twist of a rigid motion, with a rotation vector of length 0..pi: the inverse of `se3_exp`."""
    rotation_vector = so3_log(motion[..., :3, :3])
    squared = rotation_vector.square().sum(-1)[..., None, None]
    skew = hat(rotation_vector)
    v_inverse = torch.eye(3).to(skew) - 0.5 * skew + _v_inverse(squared) * (skew @ skew)
    return torch.cat((rotation_vector, (v_inverse @ motion[..., :3, 3:])[..., 0]), dim=-1)


def rotation_from_quaternion(quaternion: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 3 3"]:
    """Rotation matrix of a quaternion (w, x, y, z) of any length but 0."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def quaternion_from_rotation(rotation: Float[Tensor, "*b 3 3"]) -> Float[Tensor, "*b 4"]:
    """Unit quaternion (w, x, y, z) with w >= 0 of a rotation matrix, exact at every angle.

    Four rows, each 4 q_i q, can be read off the matrix; the one of the largest |q_i| has no cancellation.
    """
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(-1) for row in rotation.unbind(-2))
    rows = (
        (1 + a + e + i, h - f, c - g, d - b),
        (h - f, 1 + a - e - i, b + d, c + g),
        (c - g, b + d, 1 - a + e - i, f + h),
        (d - b, c + g, f + h, 1 - a - e + i),
    )
    table = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    largest = table.diagonal(dim1=-2, dim2=-1).argmax(dim=-1)
    chosen = torch.take_along_dim(table, largest[..., None, None], dim=-2)[..., 0, :]
    quaternion = torch.nn.functional.normalize(chosen, dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def quaternion_multiply(first: Float[Tensor, "*b 4"], second: Float[Tensor, "*b 4"]) -> Float[Tensor, "*b 4"]:
    """Hamilton product of quaternions (w, x, y, z): the rotation `second`, then `first`."""
    w1, v1, w2, v2 = first[..., :1], first[..., 1:], second[..., :1], second[..., 1:]
    w = w1 * w2 - (v1 * v2).sum(-1, keepdim=True)
    return torch.cat((w, w1 * v2 + w2 * v1 + torch.linalg.cross(v1, v2)), dim=-1)


def _series(x: Tensor, coefficients: Float[np.ndarray, " k"]) -> Tensor:
    """Horner's scheme, from the highest power down."""
    total = torch.zeros_like(x)
    for coefficient in coefficients.tolist():
        total = total * x + coefficient
    return total


def _blend(
    x: Tensor, limit: float, coefficients: Float[np.ndarray, " k"], closed_form: Callable[[Tensor], Tensor]
) -> Tensor:
    """The series of x = angle^2 below `limit`, the closed form of the angle above; both branches stay finite."""
    small = x < limit
    series = _series(torch.where(small, x, torch.zeros_like(x)), coefficients)
    angle = torch.where(small, torch.ones_like(x), x).sqrt()
    return torch.where(small, series, closed_form(angle))


def _sinc(x: Tensor) -> Tensor:
    """sin(a) / a."""
    return _blend(x, _EXP_LIMIT, _SINC, lambda a: torch.sin(a) / a)


def _cosc(x: Tensor) -> Tensor:
    """(1 - cos(a)) / a^2."""
    return _blend(x, _EXP_LIMIT, _COSC, lambda a: 2.0 * (torch.sin(0.5 * a) / a).square())


def _sinc3(x: Tensor) -> Tensor:
    """(a - sin(a)) / a^3."""
    return _blend(x, _EXP_LIMIT, _SINC3, lambda a: (a - torch.sin(a)) / a**3)


def _v_inverse(x: Tensor) -> Tensor:
    """(1 - (a/2) cot(a/2)) / a^2."""
    return _blend(x, _V_LIMIT, _V_INVERSE, lambda a: (1.0 - 0.5 * a / torch.tan(0.5 * a)) / a.square())
