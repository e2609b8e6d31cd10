"""Files beside a result, from the command line: each option changes what is there, and result.json tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.mesh.mesh_shapes import icosphere
from tests.pictures import disc, png

from monoform import InputError, Reconstruction, load
from monoform.camera import orbit
from monoform.camera.path_json import path_to_json
from monoform.cli.export import run as run_export
from monoform.cli.film import run as run_film
from monoform.cli.reconstruct import run
from monoform.data.captures.open import open_capture
from monoform.jobs.exports import ExportOptions, write_exports
from monoform.jobs.exports.simulation import body_of
from monoform.jobs.reconstruct_options import ReconstructOptions
from monoform.jobs.write_result import Timings, write_result
from monoform.mesh import Mesh
from monoform.mesh.read import load_points
from monoform.nn.analytic import Sphere
from monoform.outputs import is_marked

SMALL = ["--method", "inflate", "--faces", "600", "--texture", "128", "--resolution", "48", "--frames", "0"]


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    rgb, mask = disc()
    path = tmp_path_factory.mktemp("photo") / "ball.png"
    path.write_bytes(png(np.dstack([rgb, mask])))
    return path


def made(photo: Path, out: Path, *words: str) -> tuple[Path, dict[str, Any]]:
    """The result's folder and the content of its result.json."""
    assert run([str(photo), "-o", str(out), *SMALL, *words]) == 0
    folder = out / "ball"
    summary = json.loads((folder / "result.json").read_text())
    assert set(summary["files"]) == {path.name for path in folder.iterdir()}
    return folder, summary


def test_formats_lie_beside_the_mesh(photo, tmp_path, capsys):
    plain = made(photo, tmp_path / "plain")[1]
    folder, summary = made(photo, tmp_path, "--format", "glb", "obj", "ply", "stl", "3mf", "usdz")
    assert "exports" not in plain["request"] and "exports" not in plain
    names = {f"mesh.{name}" for name in ("obj", "ply", "stl", "3mf", "usdz")}
    assert names < set(summary["exports"]) and "mesh.mtl" in summary["exports"]
    assert set(summary["exports"]) == set(summary["files"]) - set(plain["files"])
    mesh = load(folder).mesh()
    for name in ("mesh.obj", "mesh.ply", "mesh.stl"):
        np.testing.assert_allclose(Mesh.load(folder / name).bounds, mesh.bounds, atol=1e-5)
    assert "mesh.3mf" in (folder / "report.html").read_text()
    capsys.readouterr()
    made(photo, tmp_path, "--format", "glb", "obj", "ply", "stl", "3mf", "usdz")
    assert "already there" in capsys.readouterr().out


def test_a_print_has_its_size_and_stands_on_the_ground(photo, tmp_path):
    words = ("--size-mm", "60", "--on-ground", "--stand", "stable", "--flat-base", "2", "--hollow", "3", "--drain", "5")
    folder, summary = made(photo, tmp_path, "--format", "stl", "glb", "3mf", *words)
    assert set(summary["exports"]) == {"print.stl", "print.glb", "print.3mf"}
    low, high = Mesh.load(folder / "print.stl").bounds
    assert max(high - low) == pytest.approx(60, abs=1e-3) and low[2] == pytest.approx(0, abs=1e-4)
    np.testing.assert_allclose(high - low, summary["print"]["size_mm"], atol=1e-3)
    assert 0 < summary["print"]["material_cm3"] < summary["print"]["volume_cm3"]
    glb = Mesh.load(folder / "print.glb").bounds  # meters, y up
    np.testing.assert_allclose((glb[1] - glb[0])[[0, 2, 1]] * 1000, high - low, atol=1e-3)
    assert "For printing" in (folder / "report.html").read_text()


def test_levels_maps_splats_and_a_webp_texture(photo, tmp_path):
    words = ("--lod", "2", "--maps", "depth", "mask", "--splats", "500", "--texture-format", "webp")
    folder, summary = made(photo, tmp_path, *words)
    names = {"mesh_lod1.glb", "mesh_lod2.glb", "map_depth.png", "map_depth.exr", "map_mask.png", "map_mask.exr"}
    assert set(summary["exports"]) == names | {"maps.npz", "maps.json", "splats.ply"}
    meshes = [Mesh.load(folder / name) for name in ("mesh.glb", "mesh_lod1.glb", "mesh_lod2.glb")]
    assert [mesh.texture.shape[:2] for mesh in meshes] == [(128, 128), (64, 64), (64, 64)]
    assert len(meshes[1].faces) == pytest.approx(len(meshes[0].faces) / 4, rel=0.03)
    assert (
        b"image/webp" in (folder / "mesh.glb").read_bytes()
        and b"EXT_texture_webp" in (folder / "mesh_lod1.glb").read_bytes()
    )
    assert len(load_points(folder / "splats.ply")) == 500
    depth = np.load(folder / "maps.npz")["depth"]
    assert depth.shape == (120, 160) and np.isfinite(depth).any()


def test_films_as_pictures_and_along_a_path(photo, tmp_path):
    cameras = orbit(3, elevation=0.2, distance=2.2, fov_y=0.5, width=48, height=32)
    path = tmp_path / "path.json"
    path.write_text(json.dumps(path_to_json(cameras, 10.0)))
    words = ("--frames", "5", "--turntable", "webp", "apng", "gif")
    folder, summary = made(photo, tmp_path / "out", *words, "--camera-path", str(path))
    assert set(summary["exports"]) == {"turntable.webp", "turntable.apng", "turntable.gif"}
    for name in ("webp", "apng", "gif"):
        with Image.open(folder / f"turntable.{name}") as film:
            assert film.size == (48, 32) and film.n_frames == 3
        assert is_marked(folder / f"turntable.{name}")
    film = tmp_path / "film.webp"
    assert run_film([str(folder), "-o", str(film), "--frames", "4", "--size", "40"]) == 0
    with Image.open(film) as frames:
        assert frames.size == (40, 40) and frames.n_frames == 4
    assert run_film([str(folder), "-o", str(film), "--camera-path", str(path)]) == 0  # ours, so it is replaced
    with Image.open(film) as frames:
        assert frames.size == (48, 32) and frames.n_frames == 3
    path.write_text("{}")
    with pytest.raises(InputError, match=r"path.json: cameras must be a list"):
        run_film([str(folder), "-o", str(film), "--camera-path", str(path)])


def test_a_body_for_simulators_has_the_size_of_the_print(photo, tmp_path):
    words = ("--simulation", "urdf", "mjcf", "--density", "500", "--convex-parts", "1", "--size-mm", "200")
    folder, summary = made(photo, tmp_path, *words)
    assert {"object.urdf", "object.xml", "object.obj", "part_00.stl"} < set(summary["exports"])
    told = summary["simulation"]
    assert told["mass_kg"] == pytest.approx(500 * 1e-6 * summary["print"]["volume_cm3"], rel=1e-3)
    low, high = Mesh.load(folder / "object.obj").bounds
    assert max(high - low) == pytest.approx(0.2, rel=1e-4)


def test_the_camera_for_other_programs(photo, tmp_path):
    folder, summary = made(photo, tmp_path, "--camera-files", "nerfstudio", "colmap", "blender")
    names = {"transforms.json", "cameras.txt", "images.txt", "points3D.txt", "blender_scene.py"}
    assert set(summary["exports"]) == names
    camera, (view,) = load(folder).camera, open_capture(folder / "transforms.json", up="z").views
    torch.testing.assert_close(view.camera.world_from_camera, camera.world_from_camera, atol=1e-5, rtol=0)


def test_a_result_that_is_there_is_exported_into_a_folder_of_its_own(photo, tmp_path, capsys):
    folder, _ = made(photo, tmp_path / "out")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    words = [str(tmp_path / "out"), "-o", str(tmp_path / "print"), "--format", "stl", "--size-mm", "40"]
    capsys.readouterr()
    assert run_export(words) == 0
    assert "print.stl" in capsys.readouterr().out
    names = {"mesh.glb", "photo.jpg", "print.stl", "exports.json"}
    assert {path.name for path in (tmp_path / "print").iterdir()} == names
    low, high = Mesh.load(tmp_path / "print" / "print.stl").bounds
    assert max(high - low) == pytest.approx(40, rel=1e-4)
    films = ["--turntable", "gif", "--frames", "3", "--camera-files", "blender"]
    assert run_export([*words[:3], *films]) == 0  # an earlier export is replaced
    names = {"turntable.gif", "turntable.mp4", "blender_scene.py", "mesh.glb", "photo.jpg", "exports.json"}
    assert {path.name for path in (tmp_path / "print").iterdir()} == names
    (tmp_path / "print" / "own.txt").write_text("mine")
    with pytest.raises(InputError, match=r"own\.txt, which monoform did not write"):
        run_export([*words[:3], *films])
    with pytest.raises(InputError, match="export writes what is asked for"):
        run_export(words[:3])
    with pytest.raises(InputError, match="result"):
        run_export([str(tmp_path / "print"), "-o", str(tmp_path / "other"), "--lod", "1"])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_format_that_is_none_is_told(photo, tmp_path):
    with pytest.raises(InputError, match="--format is 'fbx'"):
        run([str(photo), "-o", str(tmp_path), "--format", "fbx"])


def test_what_has_no_mesh_or_no_camera_says_so(tmp_path):
    sample = Reconstruction(Sphere(radius=0.4))
    wanted = ExportOptions(formats=("stl",), maps=("depth",), camera_files=("colmap",))
    exported = write_exports(sample, icosphere(subdivisions=1), tmp_path, wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["mesh.stl"] == list(exported.files)
    assert len(exported.notices) == 2 and all("nothing is known" in notice for notice in exported.notices)
    options = ReconstructOptions(frames=0, exports=wanted)
    summary = write_result(sample, tmp_path, options, Timings(), {}, meshed=False)
    assert summary["notices"] == ["There are no further files: they are made of a mesh."]


def test_a_mesh_that_is_not_closed_has_no_sure_mass():
    ball = icosphere(subdivisions=2)
    found = body_of(Mesh(ball.vertices, ball.faces[1:]), parts=1)
    assert "not closed" in found.notices[0]
