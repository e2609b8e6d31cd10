"""Polygons into triangles, and the formats that hold polygons."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from monoform import InputError
from monoform.mesh import Mesh, load
from monoform.mesh.formats.polygons import triangulate

NOTCH = [(0, 0), (2, 0), (2, 2), (1, 0.2), (0, 2)]  # 2.2 by the shoelace formula
ARROW = [(0, 0), (2, 1), (0, 2), (1, 1)]
ELL = [(0, 0), (3, 0), (3, 1), (1, 1), (1, 3), (0, 3)]


def shoelace(points: np.ndarray) -> float:
    x, y = points.T
    return float(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def cut(points: np.ndarray) -> np.ndarray:
    """The triangles of one polygon, given as rows of x, y or x, y, z."""
    vertices = np.pad(points, ((0, 0), (0, 3 - points.shape[1])))
    faces, owner = triangulate(vertices, np.arange(len(points)), np.array([len(points)]))
    assert len(faces) == len(points) - 2 and (owner == 0).all()
    return vertices[faces]


def signed_areas(triangles: np.ndarray) -> np.ndarray:
    return 0.5 * np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])[:, 2]


@pytest.mark.parametrize("outline", [NOTCH, ARROW, ELL])
@pytest.mark.parametrize("turned", [False, True])
def test_concave_polygons_from_every_first_corner(outline: list[tuple[float, float]], turned: bool) -> None:
    for shift in range(len(outline)):
        points = np.roll(np.array(outline, float), shift, axis=0)[:: -1 if turned else 1]
        areas = signed_areas(cut(points)) * (-1 if turned else 1)
        assert areas.min() > 0 and areas.sum() == pytest.approx(abs(shoelace(points)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 40))
def test_stars_are_covered_once(seed: int, count: int) -> None:
    """Any outline around a point: triangles of one sense whose areas add up overlap nowhere and leave nothing."""
    generator = np.random.default_rng(seed)
    angles = 2 * np.pi * (np.arange(count) + generator.uniform(0.1, 0.9, count)) / count
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * generator.uniform(0.1, 1, (count, 1))
    areas = signed_areas(cut(points))
    assert areas.min() > -1e-12 and areas.sum() == pytest.approx(shoelace(points))


def test_polygons_in_space_that_are_not_flat() -> None:
    points = np.array([(x, y, 0.05 * (-1) ** k) for k, (x, y) in enumerate(ELL)])
    spin = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    spin *= np.linalg.det(spin)
    triangles = cut(points @ spin.T) @ spin
    assert signed_areas(triangles).min() > 0
    assert signed_areas(triangles).sum() == pytest.approx(shoelace(np.array(ELL, float)))


def test_a_hole_joined_to_the_outline() -> None:
    outer, inner = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0)], [(1, 1), (1, 3), (3, 3), (3, 1), (1, 1)]
    areas = signed_areas(cut(np.array(outer + inner, float)))
    assert areas.min() >= -1e-12 and areas.sum() == pytest.approx(16 - 4)


def test_straight_corners_and_outlines_without_area() -> None:
    square = np.array([(0, 0), (1, 0), (2, 0), (2, 2), (1, 0.5), (0, 2)], float)
    assert signed_areas(cut(square)).sum() == pytest.approx(shoelace(square))
    assert len(cut(np.array([(0, 0), (1, 0), (2, 0), (3, 0), (1, 0)], float))) == 3
    assert len(cut(np.zeros((6, 3)))) == 4
    assert len(cut(np.array([(0, 0), (2, 2), (2, 0), (0, 2), (1, 3)], float))) == 3  # crosses itself


def test_round_polygons_stay_quick_and_endless_ones_are_refused() -> None:
    angles = np.linspace(0, 2 * np.pi, 20_000, endpoint=False)
    disc = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert signed_areas(cut(disc)).sum() == pytest.approx(np.pi, rel=1e-6)
    gear = disc * np.where(np.arange(len(disc)) % 2, 0.9, 1.0)[:, None]
    with pytest.raises(InputError, match="20000 corners"):
        cut(gear)
    assert signed_areas(cut(gear[::40])).min() > 0


def test_many_polygons_of_many_sizes_keep_their_order() -> None:
    vertices = np.pad(np.array(NOTCH + ARROW + ELL, float), ((0, 0), (0, 1)))
    counts = np.array([5, 2, 4, 1, 3, 3])
    corners = np.array([*range(5), 0, 1, *range(5, 9), 0, *range(9, 12), 9, 12, 13])
    faces, owner = triangulate(vertices, corners, counts)
    assert owner.tolist() == [0, 0, 0, 2, 2, 4, 5]
    areas = signed_areas(vertices[corners[faces]])
    assert areas[:3].sum() == pytest.approx(2.2) and areas[3:5].sum() == pytest.approx(1.0)


def obj_of(points: list[tuple[float, float]]) -> str:
    rows = "".join(f"v {x} {y} 0\n" for x, y in points)
    return rows + "f " + " ".join(str(k + 1) for k in range(len(points))) + "\n"


def ply_head(form: str, vertices: int, faces: int, *, more: str = "", of_face: str = "", head: str = "") -> str:
    return (
        f"ply\nformat {form} 1.0\n{head}element vertex {vertices}\nproperty float x\nproperty float y\n"
        f"property float z\n{more}element face {faces}\nproperty list uchar int vertex_indices\n{of_face}end_header\n"
    )


def write_ply(path: Path, form: str, polygons: list[list[int]], points: list[tuple[float, float]]) -> Path:
    head = ply_head(form, len(points), len(polygons)).encode()
    if form == "ascii":
        rows = [f"{x} {y} 0" for x, y in points] + [" ".join(map(str, [len(each), *each])) for each in polygons]
        path.write_bytes(head + "\n".join(rows).encode())
        return path
    order = "<" if "little" in form else ">"
    body = b"".join(struct.pack(f"{order}3f", x, y, 0) for x, y in points)
    body += b"".join(struct.pack(f"{order}B{len(each)}i", len(each), *each) for each in polygons)
    path.write_bytes(head + body)
    return path


def test_obj_polygons(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text(obj_of(NOTCH))
    assert load(tmp_path / "a.obj").face_areas.sum() == pytest.approx(2.2)


@pytest.mark.parametrize("form", ["ascii", "binary_little_endian", "binary_big_endian"])
@pytest.mark.parametrize("mixed", [False, True])
def test_ply_polygons(tmp_path: Path, form: str, mixed: bool) -> None:
    polygons = [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], *([[0, 1, 3]] if mixed else [])]
    mesh = load(write_ply(tmp_path / "a.ply", form, polygons, NOTCH))
    assert mesh.face_areas.sum() == pytest.approx(2 * 2.2 + (0.2 if mixed else 0))
    assert signed_areas(mesh.triangles).sum() == pytest.approx(0.2 if mixed else 0)


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("uchar", "128 7 255", [128, 7, 255]),
        ("float", "0.5 0.2 1", [128, 51, 255]),
        ("ushort", "32896 0 65535", [128, 0, 255]),
    ],
)
def test_ply_colors_are_for_display(tmp_path: Path, kind: str, values: str, expected: list[int]) -> None:
    names = "".join(f"property {kind} {color}\n" for color in ("red", "green", "blue"))
    rows = "".join(f"{x} {y} 0 {values}\n" for x, y in ARROW)
    (tmp_path / "a.ply").write_text(ply_head("ascii", 4, 1, more=names) + rows + "4 0 1 2 3\n")
    mesh = load(tmp_path / "a.ply")
    assert mesh.vertex_colors is not None and mesh.vertex_colors.tolist() == [expected] * 4
    rows = "".join(f"{x} {y} 0\n" for x, y in ARROW)
    (tmp_path / "b.ply").write_text(ply_head("ascii", 4, 1, of_face=names) + rows + f"4 0 1 2 3 {values}\n")
    mesh = load(tmp_path / "b.ply")
    assert mesh.vertex_colors is not None and mesh.vertex_colors.tolist() == [expected] * 6


@pytest.mark.parametrize("at", ["vertex", "face"])
def test_ply_textures(tmp_path: Path, at: str) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = (200, 100, 50)  # the upper half, v above 0.5
    head = "comment TextureFile my wood.png\n"
    more = "property float s\nproperty float t\n" if at == "vertex" else ""
    lists = "property list uchar float texcoord\n" if at == "face" else ""
    rows = "".join(f"{x} {y} 0{' 0.5 0.75' if at == 'vertex' else ''}\n" for x, y in ARROW)
    face = "4 0 1 2 3" + (" 8" + " 0.5 0.75" * 4 if at == "face" else "") + "\n"
    path = tmp_path / "a.ply"
    path.write_text(ply_head("ascii", 4, 1, more=more, of_face=lists, head=head) + rows + face)
    with pytest.raises(InputError, match=r"texture 'my wood\.png' is not there"):
        load(path)
    Image.fromarray(pixels).save(tmp_path / "my wood.png")
    mesh = load(path)
    assert mesh.texture is not None and mesh.uv is not None
    np.testing.assert_allclose(mesh.uv, [[0.5, 0.75]] * 6)


@pytest.mark.parametrize("text", [False, True])
def test_stl_as_text_and_bytes(tmp_path: Path, text: bool) -> None:
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0]], "<f4")
    if text:
        rows = "".join(f"    vertex {x} {y} {z}\n" for x, y, z in corners)
        content = f" solid a b\n facet normal 0 0 1\n  outer loop\n{rows}  endloop\n endfacet\nendsolid\n".encode()
    else:
        content = b"solid but bytes".ljust(80) + struct.pack("<I", 1) + bytes(12) + corners.tobytes() + bytes(2)
    (tmp_path / "a.stl").write_bytes(content)
    mesh = load(tmp_path / "a.stl")
    assert isinstance(mesh, Mesh)
    np.testing.assert_allclose(mesh.triangles[0], corners)
