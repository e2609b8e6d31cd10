"""Where glTF files put their triangles: accessors of every kind, nodes, names of buffers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.mesh.gltf_files import SQUARE_UV, TRIANGLE, Gltf, plain_picture

from monoform import InputError
from monoform.mesh import Mesh, load

GRID = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 2, 0], [1, 2, 0]], np.float32)


def sorted_triangles(mesh: Mesh) -> list[list[float]]:
    """Triangles as numbers, each turned so that its smallest corner comes first: turned-over ones stay different."""
    rows = []
    for triangle in mesh.triangles.round(6).tolist():
        first = triangle.index(min(triangle))
        rows.append([number for corner in triangle[first:] + triangle[:first] for number in corner])
    return sorted(rows)


@pytest.mark.parametrize(
    ("mode", "indices", "same"),
    [
        (5, [0, 1, 2, 3, 4, 5], [0, 1, 2, 1, 3, 2, 2, 3, 4, 3, 5, 4]),
        (6, [0, 1, 3, 5, 4], [0, 1, 3, 0, 3, 5, 0, 5, 4]),
        (5, None, [0, 1, 2, 1, 3, 2, 2, 3, 4, 3, 5, 4]),
    ],
)
def test_strips_and_fans(tmp_path: Path, mode: int, indices: list[int] | None, same: list[int]) -> None:
    def surface(corners: list[int] | None, mode: int) -> Mesh:
        file = Gltf()
        more = {} if corners is None else {"indices": file.accessor(np.array(corners, np.uint16))}
        file.primitive({"POSITION": file.accessor(GRID)}, mode=mode, **more)
        return load(file.save(tmp_path / "a.glb"))

    assert sorted_triangles(surface(indices, mode)) == sorted_triangles(surface(same, 4))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_points_and_lines_are_left_out(tmp_path: Path, dtype: type) -> None:
    file = Gltf()
    positions = file.accessor(GRID)
    for mode in (0, 1, 2, 3):
        file.primitive({"POSITION": positions}, mode=mode)
    file.primitive({"POSITION": positions}, indices=file.accessor(np.array([0, 1, 2], dtype)))
    assert len(load(file.save(tmp_path / "a.glb")).faces) == 1


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2"])
def test_quantized_positions_and_coordinates(tmp_path: Path, dtype: str, normalized: bool) -> None:
    largest = np.iinfo(dtype).max
    padded = 4 if dtype[1] == "1" else 8
    stored = np.zeros((3, padded // np.dtype(dtype).itemsize), dtype)
    stored[1, 0] = stored[2, 1] = largest
    file = Gltf()
    file.tree["extensionsRequired"] = ["KHR_mesh_quantization"]
    component = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123}[dtype]
    view = file.view(stored.tobytes(), byteStride=padded)
    kind = {"bufferView": view, "componentType": component, "count": 3, "normalized": normalized}
    positions, uv = file.add("accessors", type="VEC3", **kind), file.add("accessors", type="VEC2", **kind)
    texture = file.texture(plain_picture(1, 2, 3))
    material = file.add("materials", pbrMetallicRoughness={"baseColorTexture": {"index": texture}})
    file.primitive({"POSITION": positions, "TEXCOORD_0": uv}, material=material, node={"scale": [2, 2, 2]})
    mesh = load(file.save(tmp_path / "a.glb"))
    top = 1.0 if normalized else float(largest)
    np.testing.assert_allclose(mesh.vertices, np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0]]) * top)
    assert mesh.uv is not None
    np.testing.assert_allclose(mesh.uv, np.array([[0, 1], [0, 1], [0, 1]]) + np.array([[0, 0], [1, 0], [0, -1]]) * top)


def test_interleaved_views(tmp_path: Path) -> None:
    rows = np.zeros(3, [("position", "<f4", 3), ("color", "u1", 4), ("number", "<f4")])
    rows["position"], rows["color"], rows["number"] = TRIANGLE, [[255, 0, 0, 255]] * 3, [3, 4, 5]
    file = Gltf()
    view = file.view(b"....." * 4 + rows.tobytes(), byteStride=rows.itemsize)
    add = {"bufferView": view, "count": 3}
    attributes = {
        "POSITION": file.add("accessors", componentType=5126, type="VEC3", byteOffset=20, **add),
        "COLOR_0": file.add("accessors", componentType=5121, type="VEC4", byteOffset=32, normalized=True, **add),
        "_SURE": file.add("accessors", componentType=5126, type="SCALAR", byteOffset=36, **add),
    }
    file.primitive(attributes)
    mesh = load(file.save(tmp_path / "a.glb"))
    np.testing.assert_allclose(mesh.vertices, TRIANGLE)
    assert mesh.vertex_colors is not None and mesh.vertex_colors.tolist() == [[255, 0, 0]] * 3
    assert mesh.vertex_attributes["sure"].tolist() == [3, 4, 5]


@pytest.mark.parametrize("based", [True, False])
def test_sparse_accessors(tmp_path: Path, based: bool) -> None:
    file = Gltf()
    base = {"bufferView": file.view((TRIANGLE + 1).astype("<f4").tobytes())} if based else {}
    sparse = {
        "count": 2,
        "indices": {"bufferView": file.view(np.array([0, 2], np.uint8).tobytes()), "componentType": 5121},
        "values": {"bufferView": file.view(np.array([[7, 7, 7], [0, 9, 0]], "<f4").tobytes())},
    }
    positions = file.add("accessors", componentType=5126, type="VEC3", count=3, sparse=sparse, **base)
    file.primitive({"POSITION": positions})
    mesh = load(file.save(tmp_path / "a.glb"))
    middle = [2, 1, 1] if based else [0, 0, 0]
    assert mesh.vertices.tolist() == [[7, 7, 7], middle, [0, 9, 0]]


def test_nodes_place_their_meshes(tmp_path: Path) -> None:
    """A chain of translation, rotation and scale, a matrix, a mirror, and one mesh in two places."""
    file = Gltf()
    mesh = file.add("meshes", primitives=[{"attributes": {"POSITION": file.accessor(TRIANGLE)}}] * 2)
    half = float(np.sqrt(0.5))
    file.tree["nodes"] = [
        {"children": [1, 2], "translation": [10, 0, 0], "rotation": [0, 0, half, half]},  # x to y, y to -x
        {"mesh": mesh, "scale": [2, 1, 1]},
        {"mesh": mesh, "matrix": [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]},
        {"mesh": mesh, "translation": [99, 0, 0]},  # of no scene
    ]
    file.tree["scenes"] = [{"nodes": [3]}, {"nodes": [0]}]
    file.tree["scene"] = 1
    loaded = load(file.save(tmp_path / "a.glb"))
    stretched, mirrored = loaded.triangles[0], loaded.triangles[2]
    np.testing.assert_allclose(stretched, [[10, 0, 0], [10, 2, 0], [9, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(sorted(mirrored.tolist()), [[9, 0, 5], [10, -1, 5], [10, 0, 5]], atol=1e-12)
    np.testing.assert_allclose(loaded.face_normals, [[0, 0, 1]] * 4, atol=1e-12)


def test_primitives_share_their_vertices(tmp_path: Path) -> None:
    """Each takes what its faces name; numbers that no face names may be anything."""
    points = np.concatenate([GRID, np.full((100, 3), np.nan, np.float32)])
    file = Gltf()
    attributes = {
        "POSITION": file.accessor(points),
        "COLOR_0": file.accessor(np.resize(np.eye(3, dtype="f4"), (106, 3))),
    }
    for corners in ([0, 1, 2], [2, 1, 3], [3, 5, 4]):
        file.primitive(attributes, indices=file.accessor(np.array(corners, np.uint16)))
    mesh = load(file.save(tmp_path / "a.glb"))
    assert len(mesh.vertices) == 9 and mesh.vertex_colors is not None
    np.testing.assert_allclose(mesh.triangles[1], GRID[[2, 1, 3]])
    assert mesh.vertex_colors[mesh.faces[1]].argmax(axis=1).tolist() == [2, 1, 0]


@pytest.mark.parametrize("missing", ["scene", "scenes", "nodes"])
def test_files_without_a_default_scene(tmp_path: Path, missing: str) -> None:
    file = Gltf().painted(None)
    for name in {"scene": ["scene"], "scenes": ["scene", "scenes"], "nodes": ["scene", "scenes", "nodes"]}[missing]:
        del file.tree[name]
    np.testing.assert_allclose(load(file.save(tmp_path / "a.glb")).vertices, TRIANGLE)


def separate(folder: Path, buffer: str, image: str | None = None) -> Path:
    """A .gltf beside whose folder's files the URIs given are found."""
    file = Gltf()
    color: dict[str, Any] | None = None
    if image is not None:
        texture = file.add("textures", source=file.add("images", uri=image))
        color = {"baseColorTexture": {"index": texture}}
    file.painted(color, TEXCOORD_0=SQUARE_UV)
    file.tree["buffers"] = [{"byteLength": len(file.body), "uri": buffer}]
    folder.mkdir(exist_ok=True)
    (folder / "data.bin").write_bytes(bytes(file.body))
    (folder / "a.gltf").write_text(json.dumps(file.tree))
    return folder / "a.gltf"


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("data.bin", "data.bin"),
        ("my%20box.bin", "my box.bin"),
        ("my box.bin", "my box.bin"),
        ("b%C3%BCchse%2B1.bin", "büchse+1.bin"),
        ("50%.bin", "50%.bin"),
        ("50%25.bin", "50%.bin"),
        ("a%20b.bin", "a%20b.bin"),
        ("parts\\Data.BIN", "parts/data.bin"),
        ("./parts/../data.bin", "data.bin"),
    ],
)
def test_names_of_buffers(tmp_path: Path, uri: str, name: str) -> None:
    path = separate(tmp_path, uri)
    (tmp_path / "parts").mkdir()
    (tmp_path / "data.bin").rename(tmp_path / name)
    np.testing.assert_allclose(load(path).vertices, TRIANGLE)


def test_embedded_buffers_and_pictures(tmp_path: Path) -> None:
    picture = Gltf()
    picture.texture(plain_picture(200, 100, 50))
    image = "data:image/png;base64," + base64.b64encode(bytes(picture.body)).decode()
    path = separate(tmp_path, "data.bin", image)
    body = (tmp_path / "data.bin").read_bytes()
    tree = json.loads(path.read_text())
    tree["buffers"][0]["uri"] = "data:application/octet-stream;base64," + base64.b64encode(body).decode()
    path.write_text("\ufeff" + json.dumps(tree), encoding="utf-8")
    (tmp_path / "data.bin").unlink()
    mesh = load(path)
    assert mesh.texture is not None and mesh.texture[0, 0].tolist() == [200, 100, 50]


def test_a_picture_with_a_percent_name(tmp_path: Path) -> None:
    from PIL import Image

    path = separate(tmp_path, "data.bin", "my%20wood.png")
    with pytest.raises(InputError, match=r"texture 'my wood\.png' is not there"):
        load(path)
    assert len(load(path, appearance=False).faces) == 1
    Image.fromarray(plain_picture(200, 100, 50)).save(tmp_path / "My Wood.png")
    mesh = load(path)
    assert mesh.texture is not None and mesh.texture[0, 0].tolist() == [200, 100, 50]


@pytest.mark.parametrize("name", ["../out/tex.png", "{outside}/tex.png", "..\\out\\tex.png", "%2e%2e/out/tex.png"])
def test_names_stay_within_the_folder(tmp_path: Path, name: str) -> None:
    from PIL import Image

    (tmp_path / "out").mkdir()
    Image.fromarray(plain_picture(1, 2, 3)).save(tmp_path / "out" / "tex.png")
    path = separate(tmp_path / "mesh", "data.bin", name.format(outside=tmp_path / "out"))
    with pytest.raises(InputError, match="outside the folder"):
        load(path)
    allowed = load(path, root=tmp_path).texture
    assert allowed is not None and (allowed == [1, 2, 3]).all()
    Image.fromarray(plain_picture(9, 9, 9)).save(tmp_path / "mesh" / "tex.png")
    beside = load(path).texture  # the file of that name beside the mesh is the modeller's
    assert beside is not None and (beside == 9).all()


@pytest.mark.parametrize("name", ["file:///etc/passwd", "http://localhost/a.png", "FILE:tex.png"])
def test_addresses_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is an address"):
        load(separate(tmp_path, "data.bin", name))
    with pytest.raises(InputError, match="is an address"):
        load(separate(tmp_path, name))
