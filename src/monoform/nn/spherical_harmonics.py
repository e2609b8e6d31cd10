"""Real spherical harmonics of directions."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError

MOST = 8


def spherical_harmonics(directions: Float[Tensor, "n 3"], degree: int = 4) -> Float[Tensor, "n degree_squared"]:
    """All of order l = 0 .. degree - 1, each from m = -l to l, of unit directions (x, y, z); orthonormal on the sphere.

    Y_lm = (-1)^m K_lm Q_lm(z) times the real part (m >= 0) or the imaginary part (m < 0) of (x + iy)^|m|, where Q_lm is
    the m-th derivative of the Legendre polynomial of order l. Gradients are those of these polynomials.

    Raises:
        InputError: the degree is not 1..8.
    """
    if not 1 <= degree <= MOST:
        raise InputError(f"Spherical harmonics of degree {degree}; it must lie in 1..{MOST}.")
    x, y, z = directions.unbind(dim=-1)
    powers = [(torch.ones_like(x), torch.zeros_like(x))]
    for _ in range(1, degree):
        real, imaginary = powers[-1]
        powers.append((x * real - y * imaginary, x * imaginary + y * real))
    legendre = _legendre_derivatives(z, degree)
    parts = []
    for order in range(degree):
        for m in range(-order, order + 1):
            size = abs(m)
            norm = math.sqrt((2 * order + 1) / (4 * math.pi) / math.perm(order + size, 2 * size))
            sign = (-1) ** size * (math.sqrt(2.0) if m else 1.0)
            parts.append(sign * norm * legendre[order, size] * powers[size][0 if m >= 0 else 1])
    return torch.stack(parts, dim=-1)


def _legendre_derivatives(z: Float[Tensor, " n"], degree: int) -> dict[tuple[int, int], Float[Tensor, " n"]]:
    """d^m/dz^m P_l(z) for 0 <= m <= l < degree."""
    found = {}
    for m in range(degree):
        found[m, m] = torch.full_like(z, math.prod(range(1, 2 * m, 2)))
        if m + 1 < degree:
            found[m + 1, m] = (2 * m + 1) * z * found[m, m]
        for order in range(m + 2, degree):
            two = (2 * order - 1) * z * found[order - 1, m] - (order + m - 1) * found[order - 2, m]
            found[order, m] = two / (order - m)
    return found
