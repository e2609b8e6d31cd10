"""Surfaces that pass through themselves, and those that do not."""

from __future__ import annotations

import numpy as np
import pytest
from tests.mesh.mesh_shapes import icosphere

from monoform import Mesh
from monoform.mesh.self_intersections import intersecting_faces


def crossed_by_all_pairs(mesh: Mesh) -> np.ndarray:
    """The same by looking at every pair of faces: signs of volumes of the tetrahedra of an edge and a face."""

    def side(a, b, c, d) -> float:
        return float(np.dot(np.cross(b - a, c - a), d - a))

    def passes(p, q, face) -> bool:
        a, b, c = face
        if side(a, b, c, p) * side(a, b, c, q) >= 0:
            return False
        signs = {np.sign(side(p, q, *pair)) for pair in ((a, b), (b, c), (c, a))}
        return len(signs) == 1 and 0 not in signs

    found = np.zeros(len(mesh.faces), bool)
    for one in range(len(mesh.faces)):
        for two in range(one):
            if set(mesh.faces[one]) & set(mesh.faces[two]):
                continue
            pair = mesh.triangles[one], mesh.triangles[two]
            if any(passes(e[k], e[(k + 1) % 3], f) for e, f in (pair, pair[::-1]) for k in range(3)):
                found[one] = found[two] = True
    return found


def both(first: Mesh, second: Mesh) -> Mesh:
    return Mesh(
        np.concatenate((first.vertices, second.vertices)),
        np.concatenate((first.faces, second.faces + len(first.vertices))),
    )


def test_a_plain_surface_does_not_cross_itself() -> None:
    assert not intersecting_faces(icosphere()).any()
    ball = icosphere(0.5, 2)
    beside = Mesh(ball.vertices + np.array([3.0, 0, 0]), ball.faces)
    assert not intersecting_faces(both(ball, beside)).any()


def test_a_large_face_is_crossed_by_a_small_one() -> None:
    """One large triangle in the plane z = 0, and a small one that stands in it: two faces of two."""
    large = Mesh(np.array([[-5.0, -5, 0], [9, -4, 0], [-4, 9, 0]]), np.array([[0, 1, 2]]))
    small = Mesh(np.array([[0.1, 0.2, -0.1], [0.15, 0.2, 0.1], [0.1, 0.25, 0.1]]), np.array([[0, 1, 2]]))
    assert intersecting_faces(both(large, small)).all()
    lifted = Mesh(small.vertices + np.array([0, 0, 0.2]), small.faces)
    assert not intersecting_faces(both(large, lifted)).any()


@pytest.mark.parametrize("seed", [0, 1])
def test_it_finds_what_all_pairs_tell(seed: int) -> None:
    generator = np.random.default_rng(seed)
    ball = icosphere(0.5, 0)
    turned = ball.vertices @ np.linalg.qr(generator.normal(size=(3, 3)))[0] + 0.2
    mesh = both(ball, Mesh(turned, ball.faces))
    found = intersecting_faces(mesh)
    np.testing.assert_array_equal(found, crossed_by_all_pairs(mesh))
    assert 0 < found.sum() < len(found)
