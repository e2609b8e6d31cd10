"""Meshes written and read back; files that cannot be used."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.mesh.mesh_shapes import box, icosphere, two_triangles

from monoform import InputError
from monoform.camera import Camera, look_at
from monoform.mesh import Mesh, load, sample_texture, unwrap
from monoform.mesh.texture import surface_colors

RED, BLUE = np.array([200, 10, 20], np.uint8), np.array([10, 30, 220], np.uint8)


def textured() -> Mesh:
    mesh = unwrap(icosphere(subdivisions=2), resolution=64, time_limit=0)
    texture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    return Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, texture=texture)


def gltf_tree(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    magic, version, length, json_length, kind = struct.unpack("<4sIII4s", data[:20])
    assert (magic, version, kind) == (b"glTF", 2, b"JSON") and length == len(data)
    return json.loads(data[20 : 20 + json_length])


def photo_camera(model: str = "pinhole") -> Camera:
    pose = look_at(torch.tensor([[0.7, 0.9, 1.6]]))
    if model == "orthographic":
        return Camera.orthographic(pose, 1.5, 300, 200)
    return Camera.from_fov(pose, math.radians(40), 300, 200)


def test_glb_keeps_shape_and_texture(tmp_path: Path) -> None:
    mesh = textured()
    again = load(mesh.export(tmp_path / "a.glb"))
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=1e-7)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    assert again.uv is not None and mesh.uv is not None
    np.testing.assert_allclose(again.uv, mesh.uv, atol=1e-6)
    np.testing.assert_array_equal(again.texture, mesh.texture)


def test_glb_keeps_numbers_of_vertices(tmp_path: Path) -> None:
    mesh = textured()
    height = mesh.vertices[:, 1].astype(np.float32)
    tall = Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, texture=mesh.texture, vertex_attributes={"confidence": height})
    path = tall.export(tmp_path / "a.glb")
    assert "_CONFIDENCE" in gltf_tree(path)["meshes"][0]["primitives"][0]["attributes"]
    again = load(path)
    np.testing.assert_allclose(again.vertex_attributes["confidence"], again.vertices[:, 1], atol=1e-6)


def test_glb_stores_v_downwards_and_a_matte_one_sided_material(tmp_path: Path) -> None:
    mesh = textured()
    path = mesh.export(tmp_path / "a.glb")
    tree = gltf_tree(path)
    material = tree["materials"][0]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0.0
    assert material["pbrMetallicRoughness"]["roughnessFactor"] == 1.0
    assert not material.get("doubleSided", False)
    assert tree["images"][0]["mimeType"] == "image/png"
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    data = path.read_bytes()
    chunk = 20 + struct.unpack("<I", data[12:16])[0] + 8
    start = chunk + view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    stored = np.frombuffer(data[start : start + 8 * accessor["count"]], "<f4").reshape(-1, 2)
    assert mesh.uv is not None
    np.testing.assert_allclose(stored[:, 1], 1.0 - mesh.uv[:, 1], atol=1e-6)


def test_glb_carries_the_perspective_camera(tmp_path: Path) -> None:
    camera = photo_camera()
    path = textured().export(tmp_path / "a.glb", camera=camera)
    tree = gltf_tree(path)
    lens = tree["cameras"][0]
    assert lens["type"] == "perspective"
    assert lens["perspective"]["yfov"] == pytest.approx(math.radians(40), abs=1e-6)
    assert lens["perspective"]["aspectRatio"] == pytest.approx(1.5, abs=1e-6)
    node = next(node for node in tree["nodes"] if "camera" in node)
    matrix = np.array(node["matrix"]).reshape(4, 4).T
    pose = camera.world_from_camera[0].numpy()
    np.testing.assert_allclose(matrix[:3, 0], pose[:3, 0], atol=1e-6)  # right
    np.testing.assert_allclose(matrix[:3, 1], -pose[:3, 1], atol=1e-6)  # up
    np.testing.assert_allclose(matrix[:3, 2], -pose[:3, 2], atol=1e-6)  # backward
    np.testing.assert_allclose(matrix[:3, 3], pose[:3, 3], atol=1e-6)
    assert Camera.from_dict(node["extras"]["camera"]).width == 300


def test_another_reader_finds_camera_and_texture(tmp_path: Path) -> None:
    camera = photo_camera()
    scene = trimesh.load_scene(textured().export(tmp_path / "a.glb", camera=camera))
    assert scene.has_camera
    expected = camera.world_from_camera[0].numpy() @ np.diag([1.0, -1, -1, 1])
    np.testing.assert_allclose(scene.camera_transform, expected, atol=1e-6)
    assert scene.camera.fov[1] == pytest.approx(40.0, abs=1e-3)
    solid = next(iter(scene.geometry.values()))
    assert solid.visual.material.baseColorTexture.size == (64, 64)


def test_glb_carries_the_orthographic_camera(tmp_path: Path) -> None:
    path = textured().export(tmp_path / "a.glb", camera=photo_camera("orthographic"))
    lens = gltf_tree(path)["cameras"][0]
    assert lens["type"] == "orthographic"
    assert lens["orthographic"]["ymag"] == pytest.approx(0.75)
    assert lens["orthographic"]["xmag"] == pytest.approx(0.75 * 1.5)
    assert len(load(path).faces) == len(textured().faces)


def test_gltf_node_tree_reaches_every_node(tmp_path: Path) -> None:
    tree = gltf_tree(textured().export(tmp_path / "a.glb", camera=photo_camera()))
    reached: set[int] = set()
    waiting = list(tree["scenes"][tree["scene"]]["nodes"])
    while waiting:
        node = waiting.pop()
        assert node not in reached
        reached.add(node)
        waiting += tree["nodes"][node].get("children", [])
    assert reached == set(range(len(tree["nodes"])))


@pytest.mark.parametrize("suffix", [".obj", ".ply", ".stl"])
def test_other_formats_keep_the_surface(tmp_path: Path, suffix: str) -> None:
    again = load(textured().export(tmp_path / f"a{suffix}")).merged()
    merged = textured().merged()
    assert len(again.faces) == len(merged.faces)
    np.testing.assert_allclose(again.triangles.sum(axis=0), merged.triangles.sum(axis=0), atol=1e-4)


def test_obj_keeps_the_texture(tmp_path: Path) -> None:
    mesh = textured()
    again = load(mesh.export(tmp_path / "a.obj"))
    assert again.texture is not None
    weights = np.full((len(mesh.faces), 3), 1 / 3)
    every = np.arange(len(mesh.faces))
    ours, theirs = surface_colors(mesh, every, weights), surface_colors(again, every, weights)
    assert np.abs(ours - theirs).max() < 0.03


def test_vertex_colors_survive(tmp_path: Path) -> None:
    ball = icosphere(subdivisions=1)
    colors = np.random.default_rng(0).integers(0, 255, (len(ball.vertices), 3), dtype=np.uint8)
    for suffix in (".glb", ".ply"):
        again = load(Mesh(ball.vertices, ball.faces, vertex_colors=colors).export(tmp_path / f"a{suffix}"))
        np.testing.assert_array_equal(again.vertex_colors, colors)


def test_export_refuses_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.xyz.*\.glb"):
        box().export(tmp_path / "a.xyz")
    with pytest.raises(InputError, match="no faces"):
        Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)).export(tmp_path / "a.glb")
    poses = torch.eye(4).expand(2, 4, 4)
    with pytest.raises(InputError, match="one camera, not 2"):
        box().export(tmp_path / "a.glb", camera=Camera.from_fov(poses, 0.5, 4, 4))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.txt", b"", "not a mesh file"),
        ("a.glb", b"", "is empty"),
        ("a.glb", b"glTF\x02\x00\x00\x00rubbish", "cannot be read"),
        ("a.gltf", b"{", "cannot be read"),
        ("a.obj", b"", "is empty"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no triangles|cannot be read"),
        ("a.obj", b"v 0 0 0\nv nan 0 0\nv 0 1 0\nf 1 2 3\n", "not finite"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "cannot be read|damaged"),
        ("a.stl", b"solid nothing\nendsolid nothing\n", "no triangles|cannot be read"),
        ("a.ply", b"ply\nformat ascii 1.0\n", "cannot be read|no triangles"),
    ],
)
def test_bad_files_give_a_sentence(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        load(path)


def test_a_missing_file_gives_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "none.glb")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".glb", ".gltf", ".obj", ".ply", ".stl"]),
    cut=st.floats(0, 1),
    noise=st.binary(max_size=64),
)
def test_damaged_files_never_give_a_traceback(tmp_path: Path, suffix: str, cut: float, noise: bytes) -> None:
    whole = trimesh.creation.box().export(file_type=suffix[1:] if suffix != ".gltf" else "glb")
    data = whole.encode() if isinstance(whole, str) else whole
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(data[: int(cut * len(data))] + noise)
    try:
        mesh = load(path)
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert len(mesh.faces) > 0


def test_node_transforms_are_applied_and_mirrors_turned(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[:3, 3] = (5, 0, 0)
    scene.add_geometry(trimesh.creation.box((1, 1, 1)), transform=mirror)
    path = tmp_path / "scene.glb"
    scene.export(path)
    mesh = load(path)
    np.testing.assert_allclose(mesh.bounds, [[4.5, -0.5, -0.5], [5.5, 0.5, 0.5]])
    a, b, c = (mesh.triangles[:, k] - [5, 0, 0] for k in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) / 6 == pytest.approx(1.0)


def _square(texture: np.ndarray | None, offset: float, uv_scale: float = 1.0) -> trimesh.Trimesh:
    mesh = two_triangles()
    assert mesh.uv is not None
    material = (
        trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(texture))
        if texture is not None
        else trimesh.visual.material.PBRMaterial(baseColorFactor=[10, 220, 30, 255])
    )
    visual = trimesh.visual.TextureVisuals(uv=mesh.uv * uv_scale, material=material)
    return trimesh.Trimesh(mesh.vertices + np.array([offset, 0, 0]), mesh.faces, visual=visual, process=False)


def test_several_materials_become_one_texture(tmp_path: Path) -> None:
    halves = np.concatenate([np.tile(RED, (8, 4, 1)), np.tile(BLUE, (8, 4, 1))], axis=1)
    stripes = np.concatenate([np.tile(BLUE, (4, 16, 1)), np.tile(RED, (4, 16, 1))])
    scene = trimesh.Scene([_square(halves, 0.0), _square(None, 2.0), _square(stripes, 4.0, uv_scale=2.0)])
    scene.export(tmp_path / "a.glb")
    mesh = load(tmp_path / "a.glb")
    assert mesh.texture is not None and mesh.uv is not None and mesh.uv.min() >= 0 and mesh.uv.max() <= 1

    def color_at(x: float, y: float) -> list[int]:
        from monoform.mesh import RayCaster

        hits = RayCaster(mesh).cast(np.array([[x, y, 1.0]]), np.array([[0.0, 0, -1]]))
        return np.rint(255 * surface_colors(mesh, hits.face, hits.barycentric))[0].astype(int).tolist()

    assert color_at(0.2, 0.5) == RED.tolist() and color_at(0.8, 0.5) == BLUE.tolist()
    assert color_at(2.5, 0.3) == [56, 239, 96]  # the factor 10, 220, 30 of 255, linear light, in sRGB
    assert color_at(4.5, 0.10) == RED.tolist() and color_at(4.5, 0.40) == BLUE.tolist()  # uv 0.2 and 0.8
    assert color_at(4.5, 0.60) == RED.tolist() and color_at(4.5, 0.90) == BLUE.tolist()  # repeated


def test_texture_coordinates_repeat_outside_the_unit_square() -> None:
    texture = np.random.default_rng(1).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    uv = np.random.default_rng(2).uniform(0, 1, (50, 2))
    inside = sample_texture(texture, uv)
    np.testing.assert_allclose(sample_texture(texture, uv + np.array([3.0, -2.0])), inside, atol=0.02)


def test_sampling_hits_texel_centers_from_the_bottom_left() -> None:
    texture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    rows, columns = np.meshgrid(np.arange(4), np.arange(6), indexing="ij")
    uv = np.stack([(columns + 0.5) / 6, 1 - (rows + 0.5) / 4], axis=-1).reshape(-1, 2)
    np.testing.assert_allclose(sample_texture(texture, uv).reshape(4, 6, 3) * 255, texture, atol=1e-4)
    halfway = sample_texture(texture, np.array([[1.0 / 6, 1 - 0.5 / 4]]))[0] * 255
    np.testing.assert_allclose(halfway, 0.5 * (texture[0, 0] + texture[0, 1].astype(float)), atol=0.51)
