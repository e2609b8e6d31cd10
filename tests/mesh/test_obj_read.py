"""OBJ as modelling programs write it: materials, names from other systems, polygons, colours at vertices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monoform import InputError
from monoform.mesh import Mesh, load
from monoform.mesh.texture import surface_colors

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0.1 0.1\nvt 0.4 0.1\nvt 0.4 0.4\nvt 0.1 0.4\n"
FACE = "f 1/1 2/2 3/3 4/4\n"
RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


def write(folder: Path, obj: str, mtl: str | None = None, *, name: str = "box.mtl") -> Path:
    if mtl is not None:
        (folder / name).write_text(mtl)
    (folder / "box.obj").write_text(obj)
    return folder / "box.obj"


def quarters(path: Path) -> None:
    """Top left red, top right green, bottom left blue, bottom right white."""
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:32, :32, 0] = pixels[:32, 32:, 1] = pixels[32:, :32, 2] = 255
    pixels[32:, 32:] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def color_of(mesh: Mesh) -> list[int]:
    weights = np.full((len(mesh.faces), 3), 1 / 3)
    colors = surface_colors(mesh, np.arange(len(mesh.faces)), weights)
    assert np.ptp(colors, axis=0).max() < 0.01
    return np.rint(255 * colors.mean(axis=0)).astype(int).tolist()


@pytest.mark.parametrize(
    ("named", "file"),
    [
        ("tex.png", "tex.png"),
        ("textures\\tex.png", "textures/tex.png"),
        (".\\Textures\\TEX.PNG", "textures/tex.png"),
        ("my nice wood.png", "my nice wood.png"),
        ('"my wood.png"', "my wood.png"),
        ("C:\\Users\\me\\tex.png", "tex.png"),
        ("/home/me/tex.png", "tex.png"),
        ("..\\tex.png", "tex.png"),
        ("-bm 0.5 -blendu on tex.png", "tex.png"),
        ("-s 1 1 1 -o 0 0 0 my wood.png", "my wood.png"),
        ("-o 0 0 2.png", "2.png"),
    ],
)
def test_names_of_textures(tmp_path: Path, named: str, file: str) -> None:
    quarters(tmp_path / file)
    path = write(
        tmp_path, f"mtllib box.mtl\n{SQUARE}usemtl a b\n{FACE}", f"newmtl a b\nKd 0.1 0.1 0.1\nmap_Kd {named}\n"
    )
    assert color_of(load(path)) == BLUE  # uv 0.1 to 0.4, v upwards


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("-o 0.5", WHITE),
        ("-o 0.5 0.5 0", GREEN),
        ("-o 0 0.5", RED),
        ("-s -1 1 1", WHITE),
        ("-s 1 -1", RED),
        ("-s 0.1 0.1 -o 0.6 0.6", GREEN),
        ("-clamp on -o 3 3", GREEN),
        ("-clamp on -o -3 3", RED),
        ("-clamp off -o 3 3", BLUE),
    ],
)
def test_options_of_textures(tmp_path: Path, options: str, expected: list[int]) -> None:
    quarters(tmp_path / "tex.png")
    path = write(tmp_path, f"mtllib box.mtl\n{SQUARE}usemtl a\n{FACE}", f"newmtl a\n\tmap_Kd {options} tex.png\n")
    assert color_of(load(path)) == expected


@pytest.mark.parametrize(
    ("mtl", "sentence"),
    [
        ("newmtl a\nmap_Kd wood.png\n", r"texture 'wood\.png' is not there"),
        ("newmtl a\nmap_Kd ../../etc/passwd\n", "outside the folder"),
        ("newmtl a\nmap_Kd file:///etc/passwd\n", "is an address"),
        ("newmtl a\nmap_Kd -mm 0.2 0.5 tex.png\n", "map_Kd -mm 0.2 0.5"),
        ("newmtl a\nmap_Kd -t 1 1 1 tex.png\n", "map_Kd -t 1 1 1"),
        ("newmtl a\nmap_Kd box.mtl\n", "not an image"),
        ("newmtl a\nKd spectral file.rfl\n", "Kd spectral"),
        ("newmtl a\nKd red\n", "cannot be read"),
        (None, r"material file 'box\.mtl' is not there"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, mtl: str | None, sentence: str) -> None:
    path = write(tmp_path, f"mtllib box.mtl\n{SQUARE}usemtl a\n{FACE}", mtl)
    with pytest.raises(InputError, match=sentence):
        load(path)
    assert len(load(path, appearance=False).faces) == 2


def test_textures_elsewhere_in_the_folder_that_was_given(tmp_path: Path) -> None:
    """As ShapeNet has them: models/model.obj and images/texture0.png."""
    quarters(tmp_path / "images" / "tex.png")
    (tmp_path / "models").mkdir()
    path = write(
        tmp_path / "models", f"mtllib box.mtl\n{SQUARE}usemtl a\n{FACE}", "newmtl a\nmap_Kd ../images/tex.png\n"
    )
    assert color_of(load(path, root=tmp_path)) == BLUE
    from monoform.data import load_source, mesh_sources

    assert color_of(load_source(mesh_sources(tmp_path)[0], seed=0)) == BLUE
    with pytest.raises(InputError, match=r"'\.\./images/tex\.png' lies outside"):
        load(path)


def test_plain_colors_are_for_display(tmp_path: Path) -> None:
    text = f"mtllib box.mtl\n{SQUARE}usemtl a\nf 1 2 3\nusemtl b\nf 1 3 4\n"
    mesh = load(write(tmp_path, text, "newmtl a\nKd 0.5 0.2 1\nnewmtl b\nKd 0.8\n"))
    assert mesh.vertex_colors is not None
    assert mesh.vertex_colors[mesh.faces[0]].tolist() == [[128, 51, 255]] * 3
    assert mesh.vertex_colors[mesh.faces[1]].tolist() == [[204, 204, 204]] * 3


def test_a_material_without_a_definition_has_no_color(tmp_path: Path) -> None:
    mesh = load(write(tmp_path, f"mtllib box.mtl\n{SQUARE}usemtl None\n{FACE}", "newmtl other\nKd 1 0 0\n"))
    assert mesh.vertex_colors is None and mesh.texture is None


@pytest.mark.parametrize("line", ["mtllib a.mtl b.mtl", "mtllib a.mtl\nmtllib b.mtl", "mtllib A.MTL B.MTL"])
def test_several_material_files(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.mtl").write_text("newmtl a\nKd 1 0 0\n")
    (tmp_path / "b.mtl").write_text("newmtl b\nKd 0 0 1\n")
    assert color_of(load(write(tmp_path, f"{line}\n{SQUARE}usemtl b\n{FACE}"))) == BLUE


def test_a_material_file_with_spaces_and_backslashes(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    text = f"mtllib sub\\my box.mtl\n{SQUARE}usemtl a\n{FACE}"
    assert color_of(load(write(tmp_path, text, "newmtl a\nKd 1 0 0\n", name="sub/my box.mtl"))) == RED


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_colors_at_vertices(tmp_path: Path, scale: float) -> None:
    rows = [(0, 0, 0, 1, 0, 0), (1, 0, 0, 0.2, 0.4, 0.6), (0, 1, 0, 0, 0, 1)]
    text = "".join(f"v {x} {y} {z} {r * scale} {g * scale} {b * scale}\n" for x, y, z, r, g, b in rows)
    mesh = load(write(tmp_path, text + "f 1 2 3\n"))
    assert mesh.vertex_colors is not None
    assert mesh.vertex_colors.tolist() == [[255, 0, 0], [51, 102, 153], [0, 0, 255]]


def test_marks_continued_lines_and_negative_numbers(tmp_path: Path) -> None:
    text = "\ufeffv 0 0 \\\n0\r\nv 2 0 0 # a comment\nv 0 2 0\n\n# f 9 9 9\nf -3 \\\n -2 \\\n -1\n"
    (tmp_path / "a.obj").write_bytes(text.encode())
    assert load(tmp_path / "a.obj").face_areas.sum() == pytest.approx(2.0)
    (tmp_path / "a.obj").write_bytes(b"g \xfc\xff\nv 0 0 0 1.0\nv 2 0 0 1.0\nv 0 2 0 1.0\nf 1//1 2//1 3//1")
    mesh = load(tmp_path / "a.obj")
    assert mesh.face_areas.sum() == pytest.approx(2.0) and mesh.vertex_colors is None


def test_numbers_count_from_where_the_face_stands(tmp_path: Path) -> None:
    first = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n"
    mesh = load(write(tmp_path, first + first.replace("v 0 0 0", "v 0 0 5") + "f 1 2 4\n"))
    np.testing.assert_allclose(mesh.triangles[1, 0], [0, 0, 5])
    np.testing.assert_allclose(mesh.triangles[2, 2], [0, 0, 5])
