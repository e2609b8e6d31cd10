"""Colours of glTF files: factors and COLOR_0 are linear light, textures are for display."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.mesh.gltf_files import SQUARE_UV, TRIANGLE, Gltf, plain_picture
from tests.mesh.mesh_shapes import icosphere

from monoform.mesh import Mesh, load
from monoform.mesh.texture import surface_colors

HALF = 188  # linear 0.5: 255 * (1.055 * 0.5 ** (1 / 2.4) - 0.055) = 187.5


def mean_color(mesh: Mesh) -> np.ndarray:
    weights = np.full((len(mesh.faces), 3), 1 / 3)
    return 255 * surface_colors(mesh, np.arange(len(mesh.faces)), weights).mean(axis=0)


def shown(light: float) -> float:
    return 255 * (light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)


def test_a_factor_is_linear_light(tmp_path: Path) -> None:
    mesh = load(Gltf().painted({"baseColorFactor": [0.5, 0.001, 1, 1]}).save(tmp_path / "a.glb"))
    assert mesh.vertex_colors is not None
    assert mesh.vertex_colors.tolist() == [[HALF, round(shown(0.001)), 255]] * 3


@pytest.mark.parametrize("alpha", ["OPAQUE", "MASK", "BLEND"])
def test_opacity_does_not_change_a_color(tmp_path: Path, alpha: str) -> None:
    file = Gltf().painted({"baseColorFactor": [0.5, 0.5, 0.5, 0.25]})
    file.tree["materials"][0]["alphaMode"] = alpha
    np.testing.assert_allclose(mean_color(load(file.save(tmp_path / "a.glb"))), HALF, atol=0.6)


def test_a_factor_times_a_texture_is_multiplied_as_light(tmp_path: Path) -> None:
    file = Gltf()
    texture = file.texture(plain_picture(255, 128, 10))
    color = {"baseColorFactor": [0.5, 0.5, 0.25, 1], "baseColorTexture": {"index": texture}}
    mesh = load(file.painted(color, TEXCOORD_0=SQUARE_UV).save(tmp_path / "a.glb"))
    # 128 is 0.21586 as light, 10 is 0.0030353
    expected = [HALF, shown(0.5 * 0.21586), shown(0.25 * 0.0030353)]
    assert mesh.texture is not None
    np.testing.assert_allclose(mesh.texture.reshape(-1, 3).mean(axis=0), expected, atol=0.51)


@pytest.mark.parametrize("dtype", ["f4", "u1", "u2"])
@pytest.mark.parametrize("width", [3, 4])
def test_vertex_colors_of_every_kind(tmp_path: Path, dtype: str, width: int) -> None:
    light = np.array([[0.5, 0, 1, 1], [0.25, 0.5, 0, 0], [1, 1, 0.75, 1]])[:, :width]
    stored = light.astype("f4") if dtype == "f4" else np.rint(light * np.iinfo(dtype).max).astype(dtype)
    mesh = load(Gltf().painted(None, COLOR_0=stored).save(tmp_path / "a.glb"))
    expected = [[shown(value) for value in row[:3]] for row in light]
    assert mesh.vertex_colors is not None
    np.testing.assert_allclose(mesh.vertex_colors, expected, atol=1.01)


def test_vertex_colors_are_multiplied_by_the_factor(tmp_path: Path) -> None:
    light = np.array([[0.5, 0.5, 0.5], [1, 1, 1], [0.2, 0.4, 0.8]], np.float32)
    file = Gltf().painted({"baseColorFactor": [0.5, 1, 0.25, 1]}, COLOR_0=light)
    mesh = load(file.save(tmp_path / "a.glb"))
    expected = [[shown(value) for value in row] for row in light * [0.5, 1, 0.25]]
    assert mesh.vertex_colors is not None
    np.testing.assert_allclose(mesh.vertex_colors, expected, atol=0.51)


def test_one_vertex_color_everywhere_dims_the_texture(tmp_path: Path) -> None:
    file = Gltf()
    color = {"baseColorTexture": {"index": file.texture(plain_picture(255, 255, 255))}}
    file.painted(color, TEXCOORD_0=SQUARE_UV, COLOR_0=np.full((3, 3), 0.5, np.float32))
    mesh = load(file.save(tmp_path / "a.glb"))
    assert mesh.texture is not None and len(mesh.vertices) == 3
    assert (mesh.texture == HALF).all()


def test_changing_vertex_colors_tint_the_texture(tmp_path: Path) -> None:
    """Also where the texture repeats, so that one texel is shown in many tints."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:32], stripes[32:] = (255, 255, 255), (128, 128, 128)
    file = Gltf()
    color = {"baseColorTexture": {"index": file.texture(stripes)}}
    light = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    file.painted(color, TEXCOORD_0=SQUARE_UV * 3, COLOR_0=light)
    mesh = load(file.save(tmp_path / "a.glb"))
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], 500)
    height = (3 * weights[:, 2]) % 1  # v downwards in the texture
    inside = np.minimum(np.abs(height - 0.5), np.minimum(height, 1 - height)) > 0.05
    found = surface_colors(mesh, np.zeros(500, int), weights)[inside] * 255
    texel = np.where(height < 0.5, 1.0, 0.21586)[inside]
    expected = [[shown(value) for value in row] for row in weights[inside] * texel[:, None]]
    assert inside.sum() > 300
    assert np.abs(found - expected).mean() < 1.5 and np.abs(found - expected).max() < 12


def test_vertex_colors_beside_a_texture_keep_their_places(tmp_path: Path) -> None:
    file = Gltf()
    color = {"baseColorTexture": {"index": file.texture(plain_picture(10, 20, 30))}}
    file.painted(color, TEXCOORD_0=SQUARE_UV)
    light = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    file.painted(None, COLOR_0=light)
    mesh = load(file.save(tmp_path / "a.glb"))
    corners = np.eye(3) * 0.94 + 0.02
    first = surface_colors(mesh, np.zeros(3, int), corners) * 255
    second = surface_colors(mesh, np.ones(3, int), corners) * 255
    np.testing.assert_allclose(first, [[10, 20, 30]] * 3, atol=0.6)
    assert (second.argmax(axis=1) == [0, 1, 2]).all() and second.max(axis=1).min() > 235


@pytest.mark.parametrize("bits", [np.uint8, np.uint16])
def test_colors_written_are_linear_and_come_back_exactly(tmp_path: Path, bits: type) -> None:
    ball = icosphere(subdivisions=3)
    colors = np.resize(np.arange(256, dtype=np.uint8), (len(ball.vertices), 3))
    path = Mesh(ball.vertices, ball.faces, vertex_colors=colors).export(tmp_path / "a.glb")
    np.testing.assert_array_equal(load(path).vertex_colors, colors)
    light = np.full((3, 4), 0.5, np.float32) if bits is np.uint8 else np.full((3, 4), 32768, np.uint16)
    again = load(Gltf().painted(None, COLOR_0=light).save(tmp_path / "b.glb"))
    assert again.vertex_colors is not None and (again.vertex_colors == HALF).all()


@pytest.mark.parametrize("textured", [False, True])
def test_specular_glossiness(tmp_path: Path, textured: bool) -> None:
    file = Gltf()
    look: dict[str, Any] = {"diffuseFactor": [0.5, 0.5, 0.5, 1]}
    if textured:
        look = {"diffuseTexture": {"index": file.texture(plain_picture(200, 100, 50))}}
    file.painted({"baseColorFactor": [1, 0, 0, 1]}, TEXCOORD_0=SQUARE_UV)
    file.tree["materials"][0]["extensions"] = {"KHR_materials_pbrSpecularGlossiness": look}
    file.tree["extensionsRequired"] = ["KHR_materials_pbrSpecularGlossiness"]
    found = mean_color(load(file.save(tmp_path / "a.glb")))
    np.testing.assert_allclose(found, [200, 100, 50] if textured else [HALF] * 3, atol=0.6)


def test_webp_and_unlit(tmp_path: Path) -> None:
    file = Gltf()
    texture = file.texture(plain_picture(200, 100, 50), "WEBP")
    entry = file.tree["textures"][texture]
    entry["extensions"] = {"EXT_texture_webp": {"source": entry.pop("source")}}
    file.tree["extensionsRequired"] = ["EXT_texture_webp", "KHR_materials_unlit"]
    file.painted({"baseColorTexture": {"index": texture}}, TEXCOORD_0=SQUARE_UV)
    file.tree["materials"][0]["extensions"] = {"KHR_materials_unlit": {}}
    np.testing.assert_allclose(mean_color(load(file.save(tmp_path / "a.glb"))), [200, 100, 50], atol=1.1)


def test_transparent_texels_keep_their_color(tmp_path: Path) -> None:
    file = Gltf()
    pixels = np.full((8, 8, 4), (200, 100, 50, 0), np.uint8)
    file.painted({"baseColorTexture": {"index": file.texture(pixels)}}, TEXCOORD_0=SQUARE_UV)
    np.testing.assert_allclose(mean_color(load(file.save(tmp_path / "a.glb"))), [200, 100, 50], atol=0.6)


def quarters() -> np.ndarray:
    """Top left red, top right green, bottom left blue, bottom right white."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:16, :16, 0] = pixels[:16, 16:, 1] = pixels[16:, :16, 2] = 255
    pixels[16:, 16:] = 255
    return pixels


def color_at_uv(mesh: Mesh) -> list[int]:
    return np.rint(mean_color(mesh)).astype(int).tolist()


RED, GREEN, BLUE, WHITE = [255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({}, RED),
        ({"offset": [0.5, 0]}, GREEN),
        ({"offset": [0, 0.5]}, BLUE),
        ({"scale": [3, 1]}, GREEN),
        ({"rotation": np.pi / 2, "offset": [0, 1]}, BLUE),  # u goes to -v, v to u
        ({"rotation": np.pi / 2, "scale": [3, 1], "offset": [0.5, 1]}, GREEN),  # (0.25, 1 - 0.75) moved by 0.5
        ({"texCoord": 1}, WHITE),
    ],
)
def test_texture_transforms(tmp_path: Path, place: dict[str, Any], expected: list[int]) -> None:
    file = Gltf()
    info = {"index": file.texture(quarters()), "extensions": {"KHR_texture_transform": place}}
    near = np.full((3, 2), 0.25, np.float32)
    file.painted({"baseColorTexture": info}, TEXCOORD_0=near, TEXCOORD_1=near + np.float32(0.5))
    file.tree["extensionsRequired"] = ["KHR_texture_transform"]
    assert color_at_uv(load(file.save(tmp_path / "a.glb"))) == expected


def test_the_second_coordinates(tmp_path: Path) -> None:
    file = Gltf()
    info = {"index": file.texture(quarters()), "texCoord": 1}
    file.painted(
        {"baseColorTexture": info},
        TEXCOORD_0=np.full((3, 2), 0.25, np.float32),
        TEXCOORD_1=np.full((3, 2), 49152, np.uint16),
    )
    assert color_at_uv(load(file.save(tmp_path / "a.glb"))) == WHITE


@pytest.mark.parametrize(
    ("wrap", "u", "expected"),
    [(10497, 1.75, GREEN), (33071, 1.75, GREEN), (33071, -3.0, RED), (33648, 1.25, GREEN), (33648, 1.75, RED)],
)
def test_wrapping(tmp_path: Path, wrap: int, u: float, expected: list[int]) -> None:
    file = Gltf()
    uv = np.array([[u, 0.25]] * 2 + [[u + 1e-3, 0.25]], np.float32)
    file.painted({"baseColorTexture": {"index": file.texture(quarters(), wrapS=wrap, wrapT=wrap)}}, TEXCOORD_0=uv)
    assert color_at_uv(load(file.save(tmp_path / "a.glb"))) == expected


def test_parts_share_a_texture_of_the_sheet(tmp_path: Path) -> None:
    file = Gltf()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    color = {"baseColorTexture": {"index": file.texture(noise)}}
    for _ in range(5):
        file.painted(color, TEXCOORD_0=SQUARE_UV)
    file.painted({"baseColorFactor": [0.5, 0.5, 0.5, 1]})
    mesh = load(file.save(tmp_path / "a.glb"))
    assert mesh.texture is not None and mesh.texture.shape[0] * mesh.texture.shape[1] < 2 * 80 * 80
    assert len(mesh.faces) == 6 and np.allclose(mesh.bounds, [TRIANGLE.min(axis=0), TRIANGLE.max(axis=0)])
