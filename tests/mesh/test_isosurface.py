"""Level sets against analytic solids and against the full grid."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import marching_cubes
from tests.mesh.mesh_shapes import NoiseField

from monoform import InputError
from monoform.mesh import Mesh, extract, report
from monoform.nn import Field
from monoform.nn.analytic import Box, Sphere, Torus


@dataclass
class Blob(Field):
    """A density that falls off linearly from the centre of a ball."""

    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = 0.3
    steepness: float = 200.0
    calls: int = 0
    points: int = 0
    kind: str = "density"
    representative_direction: Any = None

    @property
    def bounds(self) -> torch.Tensor:
        return torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        self.calls += 1
        self.points += len(points)
        distance = (points - torch.tensor(self.center)).norm(dim=-1)
        return (10.0 + self.steepness * (self.radius - distance)).clamp_min(0.0)

    def values(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> torch.Tensor:
        return torch.zeros_like(points)


def dense_surface(field: Any, resolution: int, level: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Marching cubes over every node of the grid, inside negative, closed at the border: vertices and faces."""
    low, high = field.bounds.numpy().astype(np.float64)
    spacing = (high - low).max() / resolution
    cells = np.ceil((high - low) / spacing - 1e-9).astype(int)
    axes = [0.5 * (a + b) + spacing * (np.arange(n + 1) - 0.5 * n) for a, b, n in zip(low, high, cells, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    with torch.no_grad():
        values = field.geometry(torch.from_numpy(points).float()).numpy().reshape(cells + 1)
    values = values - level if field.kind == "sdf" else level - values
    tiny = 1e-3 * (spacing if field.kind == "sdf" else level)
    values = np.where(np.abs(values) < tiny, np.where(values < 0, -tiny, tiny), values).astype(np.float32)
    closed = np.pad(values, 1, mode="edge")
    inner = np.zeros(closed.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    on_borders = sum(
        np.isin(index, (0, size - 1)).astype(int)
        for index, size in zip(np.indices(closed.shape), closed.shape, strict=True)
    )
    closed = np.where(inner, closed, np.abs(closed) * 50.0**on_borders)
    vertices, faces, _, _ = marching_cubes(closed.astype(np.float32), 0.0)
    return np.array([axis[0] for axis in axes]) + spacing * (vertices - 1.0), faces


def assert_same(mesh: Mesh, dense: tuple[np.ndarray, np.ndarray]) -> None:
    np.testing.assert_array_equal(mesh.faces, dense[1])
    np.testing.assert_allclose(mesh.vertices, dense[0], atol=1e-6)


def test_sphere_has_its_area_volume_and_euler_number() -> None:
    measured = report(extract(Sphere(0.4), resolution=96))
    assert measured.watertight and measured.components == 1 and measured.euler_number == 2
    assert measured.volume == pytest.approx(4 / 3 * math.pi * 0.4**3, rel=2e-3)
    assert measured.area == pytest.approx(4 * math.pi * 0.4**2, rel=2e-3)


def test_error_falls_with_the_square_of_the_cell_size() -> None:
    exact = 4 / 3 * math.pi * 0.4**3
    errors = [abs(report(extract(Sphere(0.4), resolution=n)).volume - exact) for n in (24, 48, 96)]
    assert 3.0 < errors[0] / errors[1] < 5.5 and 3.0 < errors[1] / errors[2] < 5.5


def test_torus_has_one_hole() -> None:
    measured = report(extract(Torus(), resolution=80))
    assert measured.watertight and measured.euler_number == 0
    assert measured.volume == pytest.approx(2 * math.pi**2 * 0.3 * 0.1**2, rel=5e-3)


def test_vertices_lie_on_the_surface_in_world_units() -> None:
    mesh = extract(Sphere(0.2, center=(0.3, -0.2, 0.1)), resolution=64)
    distance = np.linalg.norm(mesh.vertices - [0.3, -0.2, 0.1], axis=1)
    assert np.abs(distance - 0.2).max() < 1e-3


@pytest.mark.parametrize("field", [Sphere(0.4), Torus(), Box((0.4, 0.05, 0.2)), Sphere(0.1, center=(0.3, 0.1, 0))])
@pytest.mark.parametrize(("resolution", "coarse"), [(48, 12), (50, 7), (33, 33), (61, 3), (64, None)])
def test_signed_distances_give_the_dense_surface(field: Any, resolution: int, coarse: int | None) -> None:
    assert_same(extract(field, resolution=resolution, coarse=coarse), dense_surface(field, resolution))


@pytest.mark.parametrize("center", [(0.0, 0.0, 0.0), (0.1, 0.37, -0.21), (0.5, 0.5, 0.5)])
@pytest.mark.parametrize("coarse", [6, 13, None])
def test_densities_give_the_dense_surface(center: tuple[float, float, float], coarse: int | None) -> None:
    blob = Blob(center=center)
    assert_same(extract(blob, resolution=52, coarse=coarse), dense_surface(blob, 52, level=10.0))


def test_density_surface_follows_the_level() -> None:
    mesh = extract(Blob(), resolution=64)
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.3).max() < 2e-3
    smaller = extract(Blob(), resolution=64, level=30.0)
    assert np.abs(np.linalg.norm(smaller.vertices, axis=1) - 0.2).max() < 2e-3
    assert report(mesh).watertight and report(mesh).volume > 0


def test_only_a_part_of_the_grid_is_evaluated_and_chunks_are_kept() -> None:
    blob = Blob()
    extract(blob, resolution=128, chunk=5000)
    assert blob.points < 0.25 * 129**3
    assert blob.calls >= blob.points / 5000


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), coarse=st.sampled_from([8, 10, 16]))
def test_parts_met_once_are_found_whole(seed: int, coarse: int) -> None:
    """A random density with many parts: the surface is closed and holds nothing that the dense one has not."""
    field = _Negated(NoiseField(seed, smooth=2.0))
    mesh = extract(field, resolution=32, coarse=coarse, level=1.0)
    vertices, faces = dense_surface(field, 32, level=1.0)
    full = Mesh(vertices, faces.astype(np.int64))
    assert report(mesh).watertight
    known = {tuple(row) for row in np.round(full.vertices, 5).tolist()}
    # A hollow at the border that the first pass misses is closed over there, where the dense surface goes in.
    within = mesh.vertices[(np.abs(mesh.vertices) <= 0.5).all(axis=1)]
    assert {tuple(row) for row in np.round(within, 5).tolist()} <= known
    if len(mesh.vertices) == len(full.vertices):
        assert_same(mesh, (vertices, faces))


@dataclass
class _Negated(Field):
    field: NoiseField
    kind: str = "density"
    representative_direction: Any = None

    @property
    def bounds(self) -> torch.Tensor:
        return self.field.bounds

    def geometry(self, points: torch.Tensor) -> torch.Tensor:
        return 1.0 - self.field.geometry(points)

    def values(self, points: torch.Tensor, directions: torch.Tensor | None = None) -> torch.Tensor:
        return self.field.values(points, directions)


def test_a_surface_cut_by_the_bounds_is_closed() -> None:
    mesh = extract(Blob(center=(0.5, 0.0, 0.0)), resolution=40)
    measured = report(mesh)
    assert measured.watertight
    assert measured.volume == pytest.approx(2 / 3 * math.pi * 0.3**3, rel=0.03)


def test_nothing_and_nonsense_are_refused() -> None:
    with pytest.raises(InputError, match="no surface at level 500"):
        extract(Blob(), resolution=32, level=500.0)
    with pytest.raises(InputError, match="at least 2"):
        extract(Blob(), resolution=1)

    class Broken(Blob):
        def geometry(self, points: torch.Tensor) -> torch.Tensor:
            return torch.full((len(points),), float("nan"))

    with pytest.raises(InputError, match="not finite"):
        extract(Broken(), resolution=16)


def test_nodes_on_the_surface_do_not_tear_it() -> None:
    """Box faces that coincide with grid planes: every value there is exactly zero."""
    box = Box((0.25, 0.25, 0.25), margin=0.25)
    measured = report(extract(box, resolution=32))
    assert measured.watertight and measured.euler_number == 2
    assert measured.volume == pytest.approx(0.125, rel=0.03)
    np.testing.assert_allclose(measured.bounds, [[-0.25] * 3, [0.25] * 3], atol=1e-4)


def test_a_fine_sphere_takes_little_time() -> None:
    extract(Sphere(0.4), resolution=32)
    started = time.process_time()
    extract(Sphere(0.4), resolution=256)
    assert time.process_time() - started < 3.0  # processor time of all threads; about 1 s is usual


@dataclass
class Comet(Blob):
    """A small ball with a tail so thin that the nodes of a coarse look miss it, and whose end lies far away."""

    def geometry(self, points: torch.Tensor) -> torch.Tensor:
        across = (points[:, :2] - 0.042).norm(dim=-1)
        tail = 10.0 + self.steepness * (0.03 - torch.maximum(across, (points[:, 2] - 0.2).abs() - 0.25))
        return torch.maximum(super().geometry(points), tail)


def test_a_surface_is_followed_out_of_the_box_around_the_first_look() -> None:
    comet = Comet(center=(0.0, 0.0, -0.1), radius=0.12)
    assert_same(extract(comet, resolution=96, coarse=12), dense_surface(comet, 96, 10.0))


def test_the_surface_of_an_extraction_is_merged_as_it_is() -> None:
    mesh = extract(Torus(0.3, 0.1), resolution=40)
    copy = Mesh(mesh.vertices, mesh.faces)
    assert mesh.merged() is mesh
    assert len(copy.merged().vertices) == len(mesh.vertices) and len(copy.merged().faces) == len(mesh.faces)
