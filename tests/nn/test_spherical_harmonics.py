"""Spherical harmonics: orthonormal on the sphere, and the ones that are known by heart."""

from __future__ import annotations

import math

import pytest
import torch

from monoform import InputError
from monoform.nn.spherical_harmonics import spherical_harmonics


def test_they_are_orthonormal() -> None:
    """By Gauss-Legendre quadrature in z and even steps around it, exact for these polynomials."""
    nodes, weights = map(torch.from_numpy, __import__("numpy").polynomial.legendre.leggauss(12))
    around = torch.arange(24, dtype=torch.float64) * (2 * math.pi / 24)
    z, phi = (values.flatten() for values in torch.meshgrid(nodes, around, indexing="ij"))
    ring = (1 - z * z).sqrt()
    directions = torch.stack((ring * phi.cos(), ring * phi.sin(), z), dim=-1)
    values = spherical_harmonics(directions, 8)
    area = (weights * 2 * math.pi / 24).repeat_interleave(24)
    torch.testing.assert_close((values * area[:, None]).T @ values, torch.eye(64, dtype=torch.float64))


def test_the_first_ones() -> None:
    x, y, z = 0.36, -0.48, 0.8
    values = spherical_harmonics(torch.tensor([[x, y, z]], dtype=torch.float64), 3)[0]
    one, two = math.sqrt(3 / (4 * math.pi)), math.sqrt(15 / (4 * math.pi))
    expected = [0.5 / math.sqrt(math.pi), -one * y, one * z, -one * x, two * x * y, -two * y * z]
    expected += [0.25 * math.sqrt(5 / math.pi) * (3 * z * z - 1), -two * x * z, 0.5 * two * (x * x - y * y)]
    torch.testing.assert_close(values, torch.tensor(expected, dtype=torch.float64))


def test_other_degrees_are_refused() -> None:
    with pytest.raises(InputError, match="degree 9"):
        spherical_harmonics(torch.zeros(1, 3), 9)
