"""Maps read back by other readers: their units are what maps.json says."""

from __future__ import annotations

import json
import math
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tests.mesh.mesh_shapes import icosphere
from tests.mesh.test_mesh_formats import colored, textured

from monoform.camera import Camera, look_at
from monoform.jobs.exports.levels import levels
from monoform.jobs.exports.maps import write_maps
from monoform.mesh import closest_points, sample_surface
from monoform.mesh.texture import surface_colors

os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"


def exr(path: Path) -> dict[str, np.ndarray]:
    """The channels of an uncompressed EXR file of floats."""
    data = path.read_bytes()
    assert struct.unpack("<2i", data[:8]) == (20000630, 2)
    place, attributes = 8, {}
    while data[place]:
        name, kind, rest = data[place:].split(b"\0", 2)
        size = struct.unpack("<i", rest[:4])[0]
        place += len(name) + len(kind) + 2 + 4
        attributes[name] = data[place : place + size]
        place += size
    names = [part[-1:].decode() for part in attributes[b"channels"].split(struct.pack("<i4B2i", 2, 0, 0, 0, 0, 1, 1))]
    names = [attributes[b"channels"][18 * number : 18 * number + 1].decode() for number in range(len(names) - 1)]
    assert names == sorted(names)
    _, _, right, bottom = struct.unpack("<4i", attributes[b"dataWindow"])
    width, height = right + 1, bottom + 1
    (first,) = struct.unpack("<Q", data[place + 1 : place + 9])
    rows = np.frombuffer(data[first:], np.uint8).reshape(height, 8 + 4 * width * len(names))[:, 8:]
    values = np.ascontiguousarray(rows).view("<f4").reshape(height, len(names), width)
    return {name: values[:, number] for number, name in enumerate(names)}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Of a ball of radius 0.5, 2 units before the camera, which looks at it from the side."""
    camera = Camera.from_fov(look_at(torch.tensor([[2.0, 0.0, 0.0]])), math.radians(40), 121, 81)
    told = write_maps(icosphere(subdivisions=5), camera, tmp_path, ("depth", "normal", "mask"))
    assert set(told) == {path.name for path in tmp_path.iterdir()}
    return tmp_path


def test_depth_is_in_world_units(written):
    units = json.loads((written / "maps.json").read_text())["maps"]["depth"]
    pixels = cv2.imread(str(written / "map_depth.png"), cv2.IMREAD_UNCHANGED)
    arrays = np.load(written / "maps.npz")
    assert pixels.dtype == np.uint16 and pixels.shape == (81, 121)
    assert pixels[40, 60] * units["step"] == pytest.approx(1.5, abs=1e-3)
    assert arrays["depth"][40, 60] == pytest.approx(1.5, abs=1e-3)
    hit = np.isfinite(arrays["depth"])
    np.testing.assert_array_equal(pixels > 0, hit)
    np.testing.assert_allclose(pixels[hit] * units["step"], arrays["depth"][hit], atol=0.5 * units["step"] * 1.001)
    np.testing.assert_array_equal(exr(written / "map_depth.exr")["Y"], arrays["depth"])
    assert json.loads(str(arrays["units"]))["maps"]["depth"] == units


def test_normals_are_in_the_cameras_axes(written):
    pixels = cv2.imread(str(written / "map_normal.png"), cv2.IMREAD_UNCHANGED)[..., ::-1]
    normal = np.load(written / "maps.npz")["normal"]
    np.testing.assert_allclose(normal[40, 60], (0, 0, -1), atol=0.02)  # towards the viewer
    assert normal[40, 70][0] > 0.1 and normal[50, 60][1] > 0.1  # x right, y down
    hit = np.abs(normal).sum(-1) > 0
    np.testing.assert_allclose(pixels[hit] / 32767.5 - 1, normal[hit], atol=2e-5)
    assert not pixels[~hit].any()
    channels = exr(written / "map_normal.exr")
    np.testing.assert_array_equal(np.stack([channels[name] for name in "RGB"], axis=-1), normal)


def test_the_mask_is_white_where_depth_is(written):
    pixels = cv2.imread(str(written / "map_mask.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pixels, np.where(np.isfinite(np.load(written / "maps.npz")["depth"]), 65535, 0))


@pytest.mark.parametrize("make", [textured, colored, icosphere])
def test_levels_are_coarser_and_look_alike(make):
    mesh = make()
    before = mesh
    for level in levels(mesh, 2):
        wanted = max(len(before.faces) // 4, 100)
        assert len(level.faces) == pytest.approx(min(wanted, len(before.faces)), rel=0.03)
        assert (level.texture is None) == (mesh.texture is None)
        points, faces, weights = sample_surface(level, 500, seed=0)
        near = closest_points(mesh, points)
        assert near.distance.max() < 0.1
        if make is textured:  # halves of red and blue
            off = np.abs(surface_colors(level, faces, weights) - surface_colors(mesh, near.face, near.barycentric))
            assert np.median(off) < 0.05
        before = level
