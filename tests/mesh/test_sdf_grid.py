"""Grids coarse to fine: the surface of the dense grid, from few of its nodes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from monoform import InputError
from monoform.mesh.sdf_grid import (
    GridValues,
    dense_values,
    estimated_slope,
    sparse_values,
    surface_of,
)
from monoform.mesh.topology import is_watertight, volume
from monoform.methods.list.published_points import rescaled_as_published


def ball(radius: float, *, center=(0.0, 0.0, 0.0), slope: float = 1.0):
    return lambda points: slope * ((points - torch.tensor(center)).norm(dim=1) - radius)


def slab(points: torch.Tensor) -> torch.Tensor:
    """A plate thinner than a cell, askew."""
    turned = points @ torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(5)))[0]
    outside = turned.abs() - torch.tensor([0.3, 0.006, 0.25])
    return outside.clamp(min=0).norm(dim=1) + outside.amax(1).clamp(max=0)


@pytest.mark.parametrize(
    "field", [ball(0.4), ball(0.03, center=(0.21, -0.17, 0.3)), slab, ball(0.6), ball(0.3, slope=3.0)]
)
@pytest.mark.parametrize("nodes", [40, 65])
def test_the_surface_is_that_of_the_dense_grid(field, nodes: int) -> None:
    dense = dense_values(field, nodes)
    sparse = sparse_values(field, nodes, coarse=9, slope=3.0 if field(torch.zeros(1, 3))[0] < -0.5 else 1.0)
    assert sparse.evaluated < dense.evaluated
    ours, theirs = surface_of(sparse), surface_of(dense)
    assert ours.faces.shape == theirs.faces.shape
    np.testing.assert_allclose(ours.vertices, theirs.vertices, atol=1e-5)


def test_few_nodes_are_asked() -> None:
    assert sparse_values(ball(0.35), 129).evaluated < 129**3 / 18


def test_vertices_lie_on_the_surface_whatever_the_grid() -> None:
    mesh = surface_of(dense_values(ball(0.3, center=(0.1, 0.0, -0.05)), 48))
    radii = np.linalg.norm(mesh.vertices - [0.1, 0.0, -0.05], axis=1)
    np.testing.assert_allclose(radii, 0.3, atol=1e-3)
    assert is_watertight(mesh) and volume(mesh) == pytest.approx(4 / 3 * np.pi * 0.3**3, rel=0.01)


def test_a_surface_that_the_box_cuts_is_closed_there_or_left_open() -> None:
    grid = dense_values(ball(0.6), 33)
    closed, opened = surface_of(grid), surface_of(grid, closed=False)
    assert is_watertight(closed) and not is_watertight(opened)
    assert np.abs(closed.vertices).max() == pytest.approx(0.5, abs=1e-3)


def test_the_published_placing_is_right_only_for_what_fills_the_grid() -> None:
    filling = surface_of(dense_values(lambda p: p.abs().amax(1) - 0.49, 33), closed=False).vertices
    raw = 32 * (filling + 0.5)
    scaled = rescaled_as_published(filling, 33)
    np.testing.assert_allclose(scaled, (raw - raw.min()) / raw.max() - 0.5)
    small = surface_of(dense_values(ball(0.2), 33), closed=False).vertices
    assert np.abs(rescaled_as_published(small, 33) - small).max() > 0.1
    few = small[:10]
    np.testing.assert_allclose(rescaled_as_published(few, 33), 32 * (few + 0.5))


def test_nothing_inside_and_values_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="no surface in the box"):
        surface_of(dense_values(lambda points: points.norm(dim=1) + 1, 9))
    with pytest.raises(InputError, match="not finite"):
        dense_values(lambda points: points.norm(dim=1) * torch.nan, 9)
    with pytest.raises(InputError, match="too small"):
        sparse_values(ball(0.3), 1)


def test_the_slope_is_estimated() -> None:
    assert estimated_slope(dense_values(ball(0.3, slope=2.5), 33)) == pytest.approx(2.5, rel=0.1)


@settings(max_examples=20)
@given(st.floats(0.02, 0.45), st.tuples(*[st.floats(-0.3, 0.3)] * 3), st.integers(20, 50))
def test_balls_of_any_size_and_place(radius: float, center: tuple, nodes: int) -> None:
    field = ball(radius, center=center)
    dense = dense_values(field, nodes)
    sparse = sparse_values(field, nodes, coarse=8)
    np.testing.assert_array_equal(sparse.values < 0, dense.values < 0)
    if (dense.values < 0).any():
        gap = cKDTree(surface_of(dense).vertices).query(surface_of(sparse).vertices)[0]
        assert gap.max() < 1e-5


def test_grid_values_know_their_box() -> None:
    grid = GridValues(np.ones((3, 3, 3), np.float32), 2.0, 27)
    grid.values[1, 1, 1] = -1
    assert np.abs(surface_of(grid).vertices).max() == pytest.approx(1.0)


def test_between_nodes_and_beyond_the_box() -> None:
    grid = dense_values(lambda points: points @ torch.tensor([1.0, 2.0, 3.0]), 9)
    inside = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    torch.testing.assert_close(grid.between(inside), inside @ torch.tensor([1.0, 2.0, 3.0]), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(grid.between(torch.tensor([[0.7, 0.0, 0.0]])), torch.tensor([0.5 + 0.2]))
