"""Mesh files that are damaged, or made to do harm: one sentence each, at once, in little memory."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.mesh.gltf_files import SQUARE_UV, TRIANGLE, Gltf, write_glb

from monoform import InputError
from monoform.mesh import load


def whole() -> Gltf:
    file = Gltf()
    positions = file.accessor(TRIANGLE)
    uv = file.accessor(SQUARE_UV)
    texture = file.texture(np.full((4, 4, 3), 9, np.uint8))
    material = file.add("materials", pbrMetallicRoughness={"baseColorTexture": {"index": texture}})
    indices = file.accessor(np.array([0, 1, 2], np.uint16))
    file.primitive({"POSITION": positions, "TEXCOORD_0": uv}, indices=indices, material=material)
    return file


def put(*path: Any) -> Callable[[dict[str, Any]], None]:
    """Set the last of `path` at the place that the others name."""

    def change(tree: dict[str, Any]) -> None:
        place: Any = tree
        for step in path[:-2]:
            place = place[step]
        place[path[-2]] = path[-1]

    return change


def nodes(*entries: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    return put("nodes", list(entries))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (put("extensionsRequired", ["KHR_draco_mesh_compression"]), "needs KHR_draco_mesh_compression.*without comp"),
        (put("extensionsRequired", ["EXT_meshopt_compression"]), "needs EXT_meshopt_compression"),
        (put("extensionsRequired", ["KHR_texture_basisu"]), "needs KHR_texture_basisu.*PNG"),
        (put("extensionsRequired", ["ACME_wonder"]), "needs ACME_wonder"),
        (put("textures", 0, {"extensions": {"KHR_texture_basisu": {"source": 0}}}), "needs KHR_texture_basisu"),
        (put("textures", 0, {}), "no image"),
        (put("accessors", 0, "count", 10**9), "leaves its buffer view"),
        (put("accessors", 0, "count", 10**400), "cannot be read"),
        (put("accessors", 0, "count", 4), "leaves its buffer view"),
        (put("accessors", 0, "count", -1), "cannot be read"),
        (put("accessors", 0, "count", 2.5), "cannot be read"),
        (put("accessors", 1, "count", 2), "has 2 elements"),
        (put("accessors", 0, "componentType", 9), "component type 9"),
        (put("accessors", 0, "type", "VEC2"), "type VEC2"),
        (put("accessors", 0, "byteOffset", 4), "leaves its buffer view"),
        (put("bufferViews", 0, "byteLength", 10**12), "ends at byte"),
        (put("bufferViews", 0, "byteOffset", 10**12), "ends at byte"),
        (put("bufferViews", 0, "byteStride", 1), "every 1 bytes"),
        (put("bufferViews", 0, "buffer", 7), "number 7 of 1 buffers"),
        (put("buffers", 0, "byteLength", 10**6), "cut short"),
        (put("meshes", 0, "primitives", 0, "mode", "x"), "cannot be read"),
        (put("meshes", 0, "primitives", 0, "attributes", {}), "cannot be read"),
        (put("meshes", 0, "primitives", 0, "indices", 99), "number 99"),
        (put("meshes", 0, "primitives", 0, "indices", 0), "cannot be read"),
        (put("meshes", {"0": 1}), "number 0 of 0 meshes"),
        (put("materials", 0, "pbrMetallicRoughness", {"baseColorFactor": [1, "a", 1, 1]}), "baseColorFactor"),
        (put("scene", 5), "number 5 of 1 scenes"),
        (nodes({"children": [0], "mesh": 0}), "reached twice"),
        (nodes({"children": [1]}, {"children": [0]}), "reached twice"),
        (nodes({"children": [1, 1]}, {"mesh": 0}), "reached twice"),
        (nodes({"mesh": 0, "matrix": [1] * 15}), "matrix"),
        (nodes({"mesh": 0, "scale": [1, float("nan"), 1]}), "scale"),
        (nodes({"mesh": 0, "scale": [1e299, 1e299, 1e299], "children": []}), None),
        (put("asset", {"version": "1.0"}), "glTF 1.0"),
        (put("images", 0, {"uri": "data:image/png;base64,AAAA"}), "not an image"),
        (put("images", 0, {"uri": "a\0b.png"}), "no file name"),
        (put("images", 0, {"uri": "x" * 10000}), "no file name|not there"),
    ],
)
def test_damaged_trees(tmp_path: Path, change: Callable[[dict[str, Any]], None], sentence: str | None) -> None:
    file = whole()
    file.tree["buffers"] = [{"byteLength": len(file.body)}]
    change(file.tree)
    path = tmp_path / "a.glb"
    try:
        write_glb(path, file.tree, bytes(file.body))
    except ValueError:  # a number that Python itself will not write
        path.write_bytes(b'{"accessors": [{"count": 1' + b"0" * 400 + b"}]}")
    if sentence is None:
        assert np.isfinite(load(path).vertices).all()
        return
    with pytest.raises(InputError, match=sentence) as caught:
        load(path)
    assert str(path) in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("values", "sentence"),
    [([0, 1, 3], "names vertex 3 of 3"), ([0, 1], "2 corners"), ([0, 1, 65535], "names vertex 65535")],
)
def test_indices_that_lead_nowhere(tmp_path: Path, values: list[int], sentence: str) -> None:
    file = Gltf()
    file.primitive({"POSITION": file.accessor(TRIANGLE)}, indices=file.accessor(np.array(values, np.uint16)))
    with pytest.raises(InputError, match=sentence):
        load(file.save(tmp_path / "a.glb"))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_positions_that_are_no_numbers(tmp_path: Path, bad: float) -> None:
    file = Gltf()
    positions = TRIANGLE.copy()
    positions[1, 1] = bad
    file.primitive({"POSITION": file.accessor(positions)})
    with pytest.raises(InputError, match="not finite"):
        load(file.save(tmp_path / "a.glb"))


def test_every_cut_of_a_glb(tmp_path: Path) -> None:
    data = whole().save(tmp_path / "a.glb").read_bytes()
    for length in range(0, len(data), 7):
        (tmp_path / "b.glb").write_bytes(data[:length])
        with pytest.raises(InputError, match="cannot be read" if length else "is empty"):
            load(tmp_path / "b.glb")


@pytest.mark.parametrize(
    "text",
    [b"[" * 200_000, b'{"a":' * 200_000, b"[" + b"{}," * 3_000_000 + b"{}]", b"\xff\xfe", b"[]", b"3", b"null"],
    ids=["lists", "objects", "many", "bytes", "list", "number", "null"],
)
def test_json_that_is_no_tree(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.gltf").write_bytes(text)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "a.gltf")


def test_compressed_primitives_and_views(tmp_path: Path) -> None:
    """Said by name also where the file only says that it uses the extension, unless plain numbers are there."""
    file = whole()
    file.tree["extensionsUsed"] = ["KHR_draco_mesh_compression"]
    file.tree["meshes"][0]["primitives"][0]["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0}}
    assert len(load(file.save(tmp_path / "a.glb")).faces) == 1
    view = file.tree["accessors"][0].pop("bufferView")
    with pytest.raises(InputError, match="KHR_draco_mesh_compression"):
        load(file.save(tmp_path / "a.glb"))
    del file.tree["meshes"][0]["primitives"][0]["extensions"]
    file.tree["accessors"][0]["bufferView"] = view
    file.tree["bufferViews"][view]["extensions"] = {"EXT_meshopt_compression": {"buffer": 0}}
    assert len(load(file.save(tmp_path / "a.glb")).faces) == 1
    file.tree["bufferViews"][view]["buffer"] = 1
    file.tree["buffers"] = [{"byteLength": len(file.body)}, {"byteLength": 36}]
    with pytest.raises(InputError, match="EXT_meshopt_compression"):
        load(write_glb(tmp_path / "a.glb", file.tree, bytes(file.body)))


def test_counts_without_numbers(tmp_path: Path) -> None:
    """Accessors without a buffer view are zeros, as many as they say."""
    for count in (10**9, 3 * 10**7):
        file = Gltf()
        file.primitive({"POSITION": file.add("accessors", componentType=5126, type="VEC3", count=count)})
        with pytest.raises(InputError, match=r"simplify it|cannot be read"):
            load(file.save(tmp_path / "a.glb"))


@pytest.mark.parametrize("limit", ["MAX_VERTICES", "MAX_FACES", "MAX_NUMBERS"])
def test_one_mesh_in_many_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(f"monoform.mesh.formats.limits.{limit}", 9_000)
    file = Gltf()
    file.primitive({"POSITION": file.add("accessors", componentType=5126, type="VEC3", count=30)})
    for places in (50, 1000):
        file.tree["nodes"] = [{"mesh": 0}] * places
        file.tree["scenes"] = [{"nodes": list(range(places))}]
        if places == 50:
            assert len(load(file.save(tmp_path / "a.glb")).faces) == 500
    with pytest.raises(InputError, match="simplify it"):
        load(file.save(tmp_path / "a.glb"))


def small_bomb(side: int) -> bytes:
    """A PNG that says it has side x side pixels."""
    stored = io.BytesIO()
    Image.new("1", (8, 8)).save(stored, "PNG")
    data = bytearray(stored.getvalue())
    data[16:24] = struct.pack(">II", side, side)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_pictures_too_large(tmp_path: Path, side: int) -> None:
    file = whole()
    file.tree["images"][0] = {"bufferView": file.view(small_bomb(side))}
    with pytest.raises(InputError, match="pixels"):
        load(file.save(tmp_path / "a.glb"))


def test_pictures_whose_readers_run_programs(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    file = whole()
    file.tree["images"][0] = {"uri": "a.png"}
    with pytest.raises(InputError, match="not an image that can be read"):
        load(file.save(tmp_path / "a.glb"))


@pytest.mark.parametrize("suffix", [".glb", ".gltf", ".obj", ".ply", ".stl"])
def test_only_regular_files(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"fifo{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for name in ("fifo", "folder", "zero"):
        with pytest.raises(InputError, match=r"is a device or a pipe|is a folder"):
            load(tmp_path / f"{name}{suffix}")


def test_fifos_as_textures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tex.png")
    file = whole()
    file.tree["images"][0] = {"uri": "tex.png"}
    with pytest.raises(InputError, match=r"tex\.png"):
        load(file.save(tmp_path / "a.glb"))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 1000000000\nproperty float x\nend_header\n"),
        ("b.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 9000000\nproperty float x\nend_header\n1234"),
        (
            "c.ply",
            b"ply\nformat binary_little_endian 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
            b"property float z\nelement face 1\nproperty list uint int vertex_indices\nend_header\n"
            + bytes(12)
            + b"\xff\xff\xff\xff",
        ),
        ("d.ply", b"ply\nformat ascii 1.0\nelement face 9000000\nproperty list int int vertex_index\nend_header\n-5 1"),
        ("a.stl", b"\0" * 80 + struct.pack("<I", 4_000_000_000)),
        ("b.stl", b"\0" * 80 + struct.pack("<I", 9_000_000)),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 99999999999999999999999\n"),
        ("b.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n"),
        ("c.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -1 -2 -4\n"),
        ("d.obj", b"\xff\xfe\x00v 0 0\n\x00\x00"),
        ("e.obj", b"v 1e999 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"),
    ],
)
def test_other_formats(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value) and len(str(caught.value).splitlines()) == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of one program is read from Linux's /proc")
def test_nothing_is_printed_and_little_memory_is_used(tmp_path: Path) -> None:
    """What a hostile file costs, in a process of its own: no line on the screen, less than 2 GB."""
    file = whole()
    file.tree["extensionsRequired"] = ["KHR_draco_mesh_compression"]
    file.save(tmp_path / "a.glb")
    (tmp_path / "b.gltf").write_bytes(json.dumps({"nodes": [{}] * 600_000}).encode())
    code = (
        "import sys\nfrom pathlib import Path\nfrom monoform import InputError\nfrom monoform.mesh import load\n"
        "for path in sys.argv[1:]:\n    try:\n        load(path)\n    except InputError:\n        pass\n"
        "    else:\n        raise SystemExit('not refused')\n"
        # of this program alone: what getrusage tells begins with the peak of the process that started it
        "status = dict(line.split(':', 1) for line in Path('/proc/self/status').read_text().splitlines())\n"
        "sys.exit(int(status['VmHWM'].split()[0]) > 2_000_000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.glb"), str(tmp_path / "b.gltf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("suffix", [".glb", ".gltf", ".obj", ".ply", ".stl"])
def test_empty_files_are_called_so(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"cup{suffix}").touch()
    with pytest.raises(InputError, match=rf"cup\{suffix} is empty \(zero bytes\)\.$"):
        load(tmp_path / f"cup{suffix}")
