"""Batches of small homogeneous matrices for augmentations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def matrix(rows: Sequence[Sequence[Tensor | float]]) -> Float[Tensor, "b n m"]:
    """Matrices from rows of numbers and (b,) tensors, of which there is one at least."""
    known = next(item for row in rows for item in row if isinstance(item, Tensor))
    full = [[item if isinstance(item, Tensor) else torch.full_like(known, item) for item in row] for row in rows]
    return torch.stack([torch.stack(row, dim=-1) for row in full], dim=-2)


def shift(x: Float[Tensor, " b"], y: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    """Translation by (x, y)."""
    return matrix([[1, 0, x], [0, 1, y], [0, 0, 1]])


def scale(x: Float[Tensor, " b"], y: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    """Scaling by x and y."""
    return matrix([[x, 0, 0], [0, y, 0], [0, 0, 1]])


def rotate(angle: Float[Tensor, " b"]) -> Float[Tensor, "b 3 3"]:
    """Rotation from x towards y, in radians."""
    c, s = angle.cos(), angle.sin()
    return matrix([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def around_axis(axis: Float[Tensor, 3], angle: Float[Tensor, " b"]) -> Float[Tensor, "b 4 4"]:
    """Rotation around a unit axis, in radians (Rodrigues)."""
    x, y, z = axis
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    zero = torch.zeros_like(x)
    cross = torch.stack([torch.stack([zero, -z, y]), torch.stack([z, zero, -x]), torch.stack([-y, x, zero])])
    turned = c * torch.eye(3, device=axis.device) + s * cross + (1 - c) * torch.outer(axis, axis)
    full = torch.eye(4, device=axis.device).repeat(len(angle), 1, 1)
    full[:, :3, :3] = turned
    return full
