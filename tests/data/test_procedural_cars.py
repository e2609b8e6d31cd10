"""Cars made by rules: closed, longer than wide, on their wheels, and no two alike."""

from __future__ import annotations

import numpy as np
import pytest

from monoform.data import load_source, procedural_cars
from monoform.data.objects.procedural_cars import KINDS, procedural_car
from monoform.data.objects.solids import joined


@pytest.mark.parametrize("kind", KINDS)
def test_cars_are_closed_and_stand_on_their_wheels(kind: str) -> None:
    for seed in range(8):
        for part in KINDS[kind](np.random.default_rng(seed)):
            edges = np.sort(part.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
            assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
        car = joined(KINDS[kind](np.random.default_rng(seed)))
        low, high = car.vertices.min(axis=0), car.vertices.max(axis=0)
        width, height, length = high - low
        assert abs(low[1]) < 1e-9 and length > 1.3 * width and length > height
        assert abs(low[0] + high[0]) < 0.02  # as wide to the left as to the right


def test_cars_differ_and_are_the_same_again() -> None:
    sources = procedural_cars(3)
    first, second, _ = (load_source(source, seed=0) for source in sources)
    assert first.vertices.shape != second.vertices.shape or not np.allclose(first.vertices, second.vertices)
    assert np.array_equal(load_source(sources[0], seed=0).vertices, first.vertices)
    assert np.linalg.norm(first.vertices, axis=1).max() == pytest.approx(0.5)
    colors = {tuple(procedural_car(generator=np.random.default_rng(k)).vertex_colors[0]) for k in range(12)}
    assert len(colors) > 5
