"""Analytic fields: exact distances, colours in range, and the protocol."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from monoform.nn import Box, Field, Fog, Sphere, Torus

FIELDS = [Sphere(0.3, center=(0.1, 0.0, -0.05)), Box((0.3, 0.2, 0.1)), Torus(0.25, 0.1), Fog(0.4, 3.0)]


def cloud(n: int, seed: int = 0) -> torch.Tensor:
    return 1.2 * torch.rand(n, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.6


@pytest.mark.parametrize("field", FIELDS)
def test_fields_satisfy_the_protocol(field: Field) -> None:
    assert isinstance(field, Field)
    points = cloud(500)
    assert field.geometry(points).shape == (500,) and field.geometry(points).dtype == torch.float64
    colors = field.values(points)
    assert bool(((colors >= 0) & (colors <= 1)).all())
    lower, upper = field.bounds
    outside = points[((points < lower) | (points > upper)).any(dim=-1)]
    values = field.geometry(outside)
    assert bool((values > 0).all()) if field.kind == "sdf" else bool((values == 0).all())


@pytest.mark.parametrize("field", FIELDS[:3])
def test_signed_distances_have_slope_one_and_lead_to_the_surface(field: Field) -> None:
    points = cloud(2000).requires_grad_()
    distance = field.geometry(points)
    (slope,) = torch.autograd.grad(distance.sum(), points)
    assert torch.allclose(slope.norm(dim=-1), torch.ones(2000).double(), atol=1e-9)
    assert bool((distance < 0).any()) and bool((distance > 0).any())
    outside = distance > 0
    landed = field.geometry((points - distance[:, None] * slope)[outside])
    assert torch.allclose(landed, torch.zeros_like(landed), atol=1e-9)


@given(st.tuples(*[st.floats(-1, 1)] * 3))
def test_box_distance_equals_the_nearest_of_many_surface_points(point: tuple[float, float, float]) -> None:
    box = Box((0.3, 0.2, 0.1))
    half = torch.tensor(box.half_sizes, dtype=torch.float64)
    at = torch.tensor([point], dtype=torch.float64)
    nearest = at.clamp(-half, half)
    outside = float((at - nearest).norm())
    inside = float((half - at.abs()).min())
    expected = outside if outside > 0 else -inside
    assert float(box.geometry(at)) == pytest.approx(expected, abs=1e-7)


def test_float64_points_get_float64_answers() -> None:
    points = cloud(50)
    exact = (points - torch.tensor([0.1, 0.0, -0.05], dtype=torch.float64)).norm(dim=-1) - 0.3
    assert float((FIELDS[0].geometry(points) - exact).abs().max()) < 1e-15
    face = torch.tensor([[0.3, 0.1, 0.05]], dtype=torch.float64)
    assert float(FIELDS[1].geometry(face).abs()) < 1e-15


def test_box_has_a_gradient_on_its_faces_and_at_its_center() -> None:
    points = torch.tensor([[0.3, 0.0, 0.0], [0.0, 0.0, 0.0], [0.3, 0.2, 0.1]]).requires_grad_()
    Box((0.3, 0.2, 0.1)).geometry(points).sum().backward()
    assert bool(torch.isfinite(points.grad).all())


def test_plain_color_and_fog_density() -> None:
    assert torch.allclose(Sphere(rgb=(0.1, 0.5, 0.9)).values(torch.zeros(1, 3)), torch.tensor([[0.1, 0.5, 0.9]]))
    assert torch.equal(Fog(0.4, 3.0).geometry(torch.tensor([[0.0, 0.3, 0.0], [0.3, 0.3, 0.0]])), torch.tensor([3.0, 0]))
    assert math.isclose(float(Sphere(0.4).geometry(torch.zeros(1, 3))), -0.4, rel_tol=1e-6)
