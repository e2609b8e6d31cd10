"""Where to begin: around a rough pose, or all around an object of which no pose is known."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import look_at, so3_exp
from ...camera.rigid import rigid
from ...camera.sphere import fibonacci_sphere


def around(
    start: Float[Tensor, "4 4"], count: int, angle: float, center: Float[Tensor, " 3"]
) -> Float[Tensor, "count 4 4"]:
    """The start, and orbits of it about the object's center: sideways, up and down, and turned in the picture.

    Args:
        angle: radians of the first six; further ones go twice as far.
    """
    right, down, forward = start[:3, :3].unbind(-1)
    vectors = [torch.zeros_like(right)]
    for ring in range(1, 2 + count // 6):
        size = ring * angle
        vectors += [size * down, -size * down, size * right, -size * right, size * forward, -size * forward]
    turn = so3_exp(torch.stack(vectors[:count]))
    to_center, from_center = rigid(torch.eye(3).to(start), center), rigid(torch.eye(3).to(start), -center)
    return to_center @ rigid(turn, torch.zeros(len(turn), 3).to(start)) @ (from_center @ start)


def over_sphere(
    count: int, distance: float, center: Float[Tensor, " 3"], *, up: tuple[float, float, float] = (0.0, 1.0, 0.0)
) -> Float[Tensor, "count 4 4"]:
    """Upright poses that look at the centre from evenly spread directions (Fibonacci's spiral)."""
    eye = center + distance * fibonacci_sphere(count).to(center)
    return look_at(eye, tuple(center.tolist()), up)
