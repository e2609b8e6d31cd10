"""Rays against boxes and spheres, checked by walking along the ray."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from monoform.render import ray_box, ray_sphere

BOX = torch.tensor([[-0.4, -0.3, -0.2], [0.3, 0.35, 0.25]], dtype=torch.float64)
number = st.floats(-1.5, 1.5).map(lambda x: round(x, 3))
triple = st.tuples(number, number, number)


def ray(origin: tuple, direction: tuple) -> tuple[Tensor, Tensor]:
    unit = torch.nn.functional.normalize(torch.tensor([direction], dtype=torch.float64), dim=-1)
    return torch.tensor([origin], dtype=torch.float64), unit


def walk(origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    t = torch.linspace(0.0, 6.0, 6001, dtype=torch.float64)
    return t, origin + t[:, None] * direction


@given(triple, triple.filter(lambda v: sum(x * x for x in v) > 0.01))
def test_box_span_is_where_the_walk_is_inside(origin: tuple, direction: tuple) -> None:
    o, d = ray(origin, direction)
    near, far, hit = ray_box(o, d, BOX)
    t, points = walk(o, d)
    inside = ((points >= BOX[0]) & (points <= BOX[1])).all(dim=-1)
    assert_span_matches(t, inside, float(near), float(far), bool(hit))


@given(triple, triple.filter(lambda v: sum(x * x for x in v) > 0.01))
def test_sphere_span_is_where_the_walk_is_inside(origin: tuple, direction: tuple) -> None:
    o, d = ray(origin, direction)
    center = (0.1, -0.2, 0.3)
    near, far, hit = ray_sphere(o, d, 0.5, center)
    t, points = walk(o, d)
    inside = (points - torch.tensor(center)).norm(dim=-1) <= 0.5
    assert_span_matches(t, inside, float(near), float(far), bool(hit))


def assert_span_matches(t: Tensor, inside: Tensor, near: float, far: float, hit: bool) -> None:
    step = float(t[1] - t[0])
    if not hit:
        assert near == far == 0.0
        assert int(inside.sum()) <= 2  # a graze between two steps
        return
    strictly = (t > near + 1e-6) & (t < far - 1e-6)
    clearly_out = (t < near - 1e-6) | (t > far + 1e-6)
    assert bool(inside[strictly].all())
    assert not bool(inside[clearly_out].any())
    assert far - near < step or bool(inside.any())


def test_rays_parallel_to_the_sides() -> None:
    origins = torch.tensor([[-2.0, 0.0, 0.0], [-2.0, 0.34, 0.0], [-2.0, 0.36, 0.0], [-2.0, 0.35, 0.25]]).double()
    directions = torch.tensor([[1.0, 0.0, 0.0]]).double().expand(4, -1)
    near, far, hit = ray_box(origins, directions, BOX)
    assert hit.tolist() == [True, True, False, True]
    assert torch.allclose(near[hit], torch.tensor(1.6).double()) and torch.allclose(
        far[hit], torch.tensor(2.3).double()
    )


def test_far_away_sphere_keeps_its_digits_in_float32() -> None:
    near, far, hit = ray_sphere(torch.tensor([[0.3, 0.0, 1000.0]]), torch.tensor([[0.0, 0.0, -1.0]]), 0.5)
    assert bool(hit)
    assert abs(float(far - near) - 0.8) < 2e-4
