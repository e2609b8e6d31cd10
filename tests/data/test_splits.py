from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from tests.data import data_shapes as shapes

from monoform.data import choose_validation, excluded_names, training_names, validation_names
from monoform.data.objects.solids import box, ellipsoid, lathe
from monoform.data.objects.splits import Candidate, Likeness
from monoform.errors import InputError
from monoform.mesh import Mesh, sample_surface
from monoform.mesh.solid.alignment import Shape, aligned_chamfer, shape_descriptor, similarity


def spread(mesh: Mesh, *, seed: int = 0, count: int = 4000) -> np.ndarray:
    return sample_surface(mesh, count, seed=seed)[0]


def lamp() -> Mesh:
    foot = lathe(np.array([[0, 0], [0.3, 0], [0.05, 0.1], [0.05, 0.6], [0, 0.6]]))
    shade = box((0.5, 0.2, 0.3), center=(0.15, 0.7, 0.1))
    return shapes.together(foot, shade)


@given(st.integers(0, 10_000), st.floats(0.2, 5.0))
def test_similarity_is_found_exactly(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    points, shift = generator.normal(size=(20, 3)), generator.normal(size=3)
    turn = Rotation.random(random_state=seed).as_matrix()
    found = similarity(points, scale * points @ turn.T + shift)
    assert math.isclose(found[0], scale, rel_tol=1e-9)
    assert np.allclose(found[1], turn) and np.allclose(found[2], shift)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.floats(0.3, 3.0), st.booleans())
def test_descriptor_is_blind_to_similarity(seed: int, scale: float, mirror: bool) -> None:
    points = spread(lamp())
    turn = Rotation.random(random_state=seed).as_matrix() * (-1 if mirror else 1)
    moved = scale * points @ turn.T + np.random.default_rng(seed).normal(size=3)
    assert np.abs(shape_descriptor(points) - shape_descriptor(moved)).max() < 1e-9


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_a_moved_copy_is_recognized_and_another_shape_is_not(quarter: int) -> None:
    angle = quarter * math.pi / 2 + 0.15
    turn = np.array([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
    mesh = lamp()
    copy = Mesh(1.7 * mesh.vertices @ turn.T + 0.3, mesh.faces)
    reference = Shape(spread(mesh))
    floor = aligned_chamfer(Shape(spread(mesh, seed=2)), reference)
    assert aligned_chamfer(Shape(spread(copy, seed=1)), reference) < 1.1 * floor < 0.02
    other = box((0.6, 0.9, 0.3))
    assert aligned_chamfer(Shape(spread(other)), reference) > 3 * floor
    assert aligned_chamfer(Shape(spread(other)), reference, limit=0.02) > 0.02


def test_near_duplicates_among_many() -> None:
    surfaces = {
        "box": spread(box((0.8, 0.4, 0.3))),
        "box small": 0.6 * spread(box((0.8, 0.4, 0.3)), seed=3),
        "box wide": spread(box((0.8, 0.4, 0.7))),
        "egg": spread(ellipsoid((0.3, 0.5, 0.3))),
    }
    likeness = Likeness(surfaces)
    assert likeness.near("box") == ["box small"] and likeness.near("box small") == ["box"]
    assert likeness.near("egg") == [] and likeness.near("box wide") == []


def families(sizes: dict[str, int]) -> tuple[list[Candidate], dict[str, list[str]]]:
    """Categories of many pairs of twins."""
    candidates, like = [], {}
    for category, size in sizes.items():
        for i in range(size):
            prefix = "gso_" if category == "scan" else ""
            candidates.append(Candidate(f"{prefix}{category}{i}", category))
            twin = f"{prefix}{category}{i ^ 1}"
            like[candidates[-1].name] = [twin] if (i ^ 1) < size else []
    return candidates, like


def test_the_rule_on_families() -> None:
    candidates, like = families({"scan": 40, "food": 100, "plant": 60, "bike": 1, "shoe": 2})
    chosen, left_out = choose_validation(candidates, like.__getitem__)
    assert len(chosen) == len(set(chosen)) == 60
    assert sum(name.startswith("gso_") for name in chosen) == 12
    counts = {category: sum(name.startswith(category) for name in chosen) for category in ("food", "plant")}
    assert "bike0" in chosen and any(name.startswith("shoe") for name in chosen)
    assert counts["food"] > counts["plant"] > 10
    assert not set(chosen) & set(left_out)
    assert set(left_out) == {twin for name in chosen for twin in like[name]}
    assert choose_validation(candidates[::-1], like.__getitem__) == (chosen, left_out)
    assert choose_validation(candidates, like.__getitem__, seed=2)[0] != chosen


def test_large_families_are_passed_over() -> None:
    candidates, like = families({"scan": 40, "food": 100})
    crowd = [f"food{i}" for i in range(30)]
    for name in crowd:
        like[name] = [other for other in crowd if other != name]
    chosen, left_out = choose_validation(candidates, like.__getitem__, others=20)
    assert not set(chosen) & set(crowd) and len(left_out) <= 32
    with pytest.raises(InputError, match="too few objects"):
        choose_validation(candidates, like.__getitem__, others=80)


def test_the_frozen_lists() -> None:
    chosen, left_out = validation_names(), excluded_names()
    assert len(chosen) == len(set(chosen)) == 60
    assert sum(name.startswith(("gso_", "ycb_")) for name in chosen) == 12
    assert len(left_out) == len(set(left_out)) > 0 and not set(chosen) & set(left_out)
    names = [chosen[0], f"{chosen[0]}~3", left_out[0], f"{left_out[0]}~1", "another", "another~2"]
    assert training_names(names) == ["another", "another~2"]
