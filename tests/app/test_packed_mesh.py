"""The packed mesh read back as the graphics card reads it."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from tests.app.app_cases import make_mesh

from monoform.app.packed_mesh import pack, reduced
from monoform.mesh import Mesh


def part(content: dict[str, Any], name: str, kind: str, rows: int, stride: int) -> np.ndarray:
    return np.frombuffer(base64.b64decode(content["data"]), kind, rows * stride, content[name]).reshape(rows, stride)


def test_positions_normals_uv_and_faces_come_back() -> None:
    mesh = make_mesh()
    content, count = pack(mesh), len(mesh.vertices)
    positions = (
        np.array(content["low"])
        + np.array(content["extent"]) * part(content, "positions", "<u2", count, 4)[:, :3] / 65535
    )
    assert np.abs(positions - mesh.vertices).max() < 1e-5
    assert np.abs(part(content, "normals", "i1", count, 4)[:, :3] / 127 - mesh.normals).max() < 1 / 250
    box = np.array(content["uv_box"])
    assert mesh.uv is not None
    assert np.abs(box[:2] + box[2:] * part(content, "uv", "<u2", count, 2) / 65535 - mesh.uv).max() < 1e-5
    assert not content["wide"] and content["colors"] is None
    assert np.array_equal(part(content, "faces", "<u2", len(mesh.faces), 3), mesh.faces)


def test_many_vertices_get_wide_indices() -> None:
    ball = trimesh.creation.icosphere(subdivisions=7)
    mesh = Mesh(np.asarray(ball.vertices), np.asarray(ball.faces, np.int64))
    content = pack(mesh)
    assert len(mesh.vertices) > 65535 and content["wide"]
    assert np.array_equal(part(content, "faces", "<u4", len(mesh.faces), 3), mesh.faces)


@given(st.integers(3, 40), st.integers(0, 2**31))
def test_every_part_starts_at_a_multiple_of_four(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    vertices = random.normal(size=(count, 3)) * (1, 0, 10)  # flat: one side of the box is zero
    faces = random.integers(0, count, size=(random.integers(1, 9), 3))
    colors = random.integers(0, 256, size=(count, 3)).astype(np.uint8)
    content = pack(Mesh(vertices, faces, vertex_colors=colors))
    assert all(content[name] % 4 == 0 for name in ("positions", "normals", "colors", "faces"))
    assert np.array_equal(part(content, "colors", "u1", count, 4)[:, :3], colors)


def test_large_mesh_is_reduced_with_its_colors() -> None:
    """Half of the texture red, half blue: after the reduction the upper vertices are red, the lower ones blue."""
    ball = trimesh.creation.icosphere(subdivisions=4)
    vertices = np.asarray(ball.vertices)
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32, :, 0], texture[32:, :, 2] = 255, 255
    uv = np.stack([np.full(len(vertices), 0.5), vertices[:, 1] / 2 + 0.5], axis=1)
    mesh = Mesh(vertices, np.asarray(ball.faces, np.int64), uv=uv, texture=texture)
    small = reduced(mesh, faces=1000)
    assert len(small.faces) == pytest.approx(1000, rel=0.01)
    assert small.vertex_colors is not None
    upper, lower = small.vertices[:, 1] > 0.1, small.vertices[:, 1] < -0.1
    assert (small.vertex_colors[upper] == (255, 0, 0)).all() and (small.vertex_colors[lower] == (0, 0, 255)).all()
    assert reduced(mesh, faces=len(mesh.faces)) is mesh
