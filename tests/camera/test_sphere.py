"""Directions over the sphere, and what rays have in common."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from monoform.camera.sphere import fibonacci_sphere, nearest_point


@given(st.integers(8, 400))
def test_directions_are_unit_and_even(count: int) -> None:
    directions = fibonacci_sphere(count)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(count).double())
    # Each has about its share of the sphere: the nearest other is about sqrt(4 pi / n) away.
    cosines = directions @ directions.T - 2 * torch.eye(count)
    nearest = torch.arccos(cosines.amax(dim=1).clamp(-1, 1)) / (4 * torch.pi / count) ** 0.5
    assert float(nearest.min()) > 0.7 and float(nearest.max()) < 1.4
    assert float(directions.mean(dim=0).norm()) < 2 / count


@given(st.integers(2, 30), st.integers(0, 999))
def test_rays_through_a_point_have_it_in_common(count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    point, *origins = torch.randn(count + 1, 3, generator=generator).double()
    origins = torch.stack(origins)
    found, sure = nearest_point(origins, normalize(point - origins, dim=1))
    assert float((found - point).norm()) < 1e-6 / max(float(sure), 1e-6)
    assert 0 < float(sure) < 0.67


def test_the_point_minimizes_the_squared_distances_and_parallel_rays_have_none() -> None:
    generator = torch.Generator().manual_seed(0)
    origins = torch.randn(5, 3, generator=generator).double()
    directions = normalize(torch.randn(5, 3, generator=generator).double(), dim=1)
    found, _ = nearest_point(origins, directions)

    def cost(point: torch.Tensor) -> float:
        return float(torch.linalg.cross(point - origins, directions).square().sum())

    for step in 1e-3 * torch.randn(20, 3, generator=generator).double():
        assert cost(found) < cost(found + step)
    _, sure = nearest_point(origins, directions[:1].expand(5, -1))
    assert abs(float(sure)) < 1e-12
