"""Texture coordinates: inside the unit square, no texel shared, never late."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.mesh.mesh_shapes import box, icosphere, joined, sponge, star_solids, torus

from monoform import InputError
from monoform.camera import Camera, look_at
from monoform.mesh import Mesh, front_back_atlas, is_watertight, project_uv, report, unwrap
from monoform.mesh.raster import cover

unwrap_module = sys.modules["monoform.mesh.unwrap"]
LIMITS = [0.0, 30.0]  # box atlas, xatlas


def texel_corners(mesh: Mesh, resolution: int) -> np.ndarray:
    assert mesh.uv is not None
    return mesh.uv[mesh.faces] * resolution


def shared_texels(mesh: Mesh, resolution: int) -> int:
    """Texels whose centre lies well inside two faces."""
    corners = texel_corners(mesh, resolution)
    shrunk = corners + 1e-3 * (corners.mean(axis=1, keepdims=True) - corners)
    texel = cover(shrunk, resolution, resolution).texel
    return len(texel) - len(np.unique(texel))


@pytest.mark.parametrize("time_limit", LIMITS)
@pytest.mark.parametrize("shape", [icosphere(), torus(), box(), joined(torus(), icosphere(0.1))])
def test_atlas_is_valid(shape: Mesh, time_limit: float) -> None:
    mesh = unwrap(shape, resolution=256, time_limit=time_limit)
    assert mesh.uv is not None and mesh.uv.min() >= 0 and mesh.uv.max() <= 1
    assert shared_texels(mesh, 256) == 0
    assert report(mesh) == report(shape)
    texel_area = (
        0.5
        * np.abs(
            np.cross(*np.moveaxis(np.diff(np.pad(texel_corners(mesh, 256), ((0, 0), (0, 0), (0, 1))), axis=1), 1, 0))
        )[:, 2]
    )
    assert texel_area.sum() > 0.25 * 256**2
    share = texel_area / texel_area.sum() / (mesh.face_areas / mesh.face_areas.sum())
    assert np.median(share) > 0.5 and share.min() > 0.05


@settings(max_examples=25, deadline=None)
@given(st.one_of(star_solids(), st.integers(0, 100)))
def test_the_fallback_never_overlaps(shape: Mesh | int) -> None:
    mesh = sponge(shape, resolution=14, smooth=2.5) if isinstance(shape, int) else shape
    result = unwrap(mesh, resolution=256, time_limit=0)
    assert result.uv is not None and result.uv.min() >= 0 and result.uv.max() <= 1
    assert shared_texels(result, 256) == 0
    assert is_watertight(result)


def test_a_folded_surface_is_taken_apart() -> None:
    """A spiral band: all of it looks along one axis or another, and each view of it folds over itself."""
    turns = np.linspace(0, 6 * np.pi, 200)
    rim = np.stack([turns * np.cos(turns), turns * np.sin(turns)], axis=1)
    lower, upper = np.pad(rim, ((0, 0), (0, 1))), np.pad(rim, ((0, 0), (0, 1)), constant_values=2.0)
    k = np.arange(199)
    faces = np.concatenate([np.stack([k, k + 1, k + 200], 1), np.stack([k + 1, k + 201, k + 200], 1)])
    ramp = Mesh(np.concatenate([lower, upper]) + np.pad(turns, (0, 200))[:400, None] * [0, 0, 0.2], faces)
    assert shared_texels(unwrap(ramp, resolution=256, time_limit=0), 256) == 0


def test_many_loose_faces_fit() -> None:
    corners = np.random.default_rng(0).normal(size=(6000, 3))
    mesh = unwrap(Mesh(corners, np.arange(6000).reshape(-1, 3)), resolution=64, time_limit=0)
    assert mesh.uv is not None and mesh.uv.min() >= 0 and mesh.uv.max() <= 1


@pytest.mark.parametrize("time_limit", LIMITS)
def test_degenerate_faces_do_not_stop_it(time_limit: float) -> None:
    ball = icosphere(subdivisions=1)
    needle = np.array([[0.0, 0, 0], [1, 0, 0], [0.5, 0, 0]])
    mesh = Mesh(np.concatenate([ball.vertices, needle]), np.concatenate([ball.faces, [[42, 43, 44]]]))
    result = unwrap(mesh, resolution=128, time_limit=time_limit)
    assert result.uv is not None and len(result.faces) == len(mesh.faces)
    assert np.isfinite(result.uv).all()


def test_a_worker_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import time, pathlib\ntime.sleep(60)\npathlib.Path(__file__).with_name('woke').touch()\n")
    monkeypatch.setattr(unwrap_module, "_WORKER", sleeper)
    started = time.perf_counter()
    mesh = unwrap(icosphere(), resolution=64, time_limit=0.5)
    assert time.perf_counter() - started < 10
    assert mesh.uv is not None and shared_texels(mesh, 64) == 0


@pytest.mark.parametrize("program", ["raise SystemExit(3)", "print('not arrays')", "import os; os.abort()", ""])
def test_a_worker_that_fails_is_replaced_by_the_fallback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(program)
    monkeypatch.setattr(unwrap_module, "_WORKER", broken)
    mesh = unwrap(icosphere(), resolution=64)
    assert mesh.uv is not None and shared_texels(mesh, 64) == 0


def test_the_worker_starts_quickly_and_answers() -> None:
    started = time.perf_counter()
    assert unwrap_module._xatlas(icosphere().merged(), 128, 30.0) is not None
    assert time.perf_counter() - started < 5.0  # about 0.2 s on an idle machine


@pytest.mark.parametrize("time_limit", LIMITS)
def test_charts_keep_apart_by_texels_of_the_chosen_resolution(time_limit: float) -> None:
    """On a coarse texture the gutters take more of the sheet."""
    coarse, fine = (unwrap(box(), resolution=side, time_limit=time_limit) for side in (32, 512))
    covered = [len(np.unique(cover(texel_corners(mesh, 1024), 1024, 1024).texel)) for mesh in (coarse, fine)]
    assert covered[0] < 0.9 * covered[1]


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="resolution=8"):
        unwrap(box(), resolution=8)
    with pytest.raises(InputError, match="no faces"):
        unwrap(Mesh(np.zeros((3, 3)), np.zeros((0, 3), np.int64)))


def test_projected_coordinates_are_places_in_the_crop() -> None:
    camera = Camera.from_fov(look_at(torch.tensor([[0.0, 0.0, 2.0]])), 0.8, 200, 100)
    mesh = box((0.2, 0.2, 0.2))
    pixels, _ = camera.to(torch.float64).project(torch.from_numpy(mesh.vertices)[None])
    whole = project_uv(mesh, camera)
    assert whole.uv is not None
    np.testing.assert_allclose(whole.uv[:, 0] * 200, pixels[0, :, 0].numpy())
    np.testing.assert_allclose((1 - whole.uv[:, 1]) * 100, pixels[0, :, 1].numpy())
    top = mesh.vertices[:, 1] > 0
    assert whole.uv[top, 1].min() > 0.5 > whole.uv[~top, 1].max()
    part = project_uv(mesh, camera, crop=(50.0, 20.0, 100.0, 60.0))
    assert part.uv is not None
    np.testing.assert_allclose(part.uv[:, 0] * 100 + 50, pixels[0, :, 0].numpy())
    np.testing.assert_allclose((1 - part.uv[:, 1]) * 60 + 20, pixels[0, :, 1].numpy())


def test_projection_refuses_what_it_cannot_see() -> None:
    camera = Camera.from_fov(look_at(torch.tensor([[0.0, 0.0, 0.05]])), 0.8, 20, 10)
    with pytest.raises(InputError, match="behind the camera"):
        project_uv(box(), camera)
    with pytest.raises(InputError, match="crop"):
        project_uv(box(), camera, crop=(0, 0, 0, 5))


def test_two_sheets_share_a_shape_and_no_texel():
    ball = icosphere(subdivisions=3)
    flat = Mesh(ball.vertices, ball.faces, uv=0.5 + 0.45 * ball.vertices[:, :2] / np.abs(ball.vertices).max())
    behind = ball.triangles.mean(axis=1)[:, 2] < 0
    sheets = front_back_atlas(flat, behind)
    np.testing.assert_allclose(sheets.triangles, ball.triangles)
    across = sheets.uv[sheets.faces][..., 0]
    assert (across[behind] >= 0.5).all() and (across[~behind] <= 0.5).all()
    np.testing.assert_allclose(2 * across[~behind], flat.uv[flat.faces][~behind][..., 0])
    assert report(sheets).watertight
