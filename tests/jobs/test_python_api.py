"""The three lines of the README, and what they give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.pictures import mug

import monoform
from monoform.camera import orbit
from monoform.methods.inflate import InflateConfig
from monoform.scene.meshing import MeshingOptions


@pytest.fixture(scope="module")
def result():
    rgb, mask = mug()
    return monoform.reconstruct(rgb, mask=mask)


def test_three_lines(result, tmp_path):
    result.mesh(faces=2000, resolution=96, texture=128).export(tmp_path / "mug.glb")
    assert (tmp_path / "mug.glb").read_bytes()[:4] == b"glTF"
    assert (result.camera.width, result.camera.height) == (320, 240)
    assert result.capabilities == {"geometry", "color", "camera"}


def test_rendering_from_anywhere(result):
    camera = orbit(1, elevation=0.3, distance=2.0, fov_y=0.6, width=64, height=48)
    seen = result.render(camera)
    assert seen.rgb.shape == (48, 64, 3) and seen.mask.any()
    assert np.isfinite(seen.depth[seen.mask]).all()


def test_options_reach_the_method():
    rgb, mask = mug()
    flat = monoform.reconstruct(rgb, mask=mask, method="inflate", thickness=0.4)
    assert flat.provenance.config.thickness == 0.4
    long = monoform.reconstruct(rgb, mask=mask, focal=900.0)
    assert float(long.camera.intrinsics[0, 0, 0]) == 900.0
    with pytest.raises(monoform.InputError, match="focal length of 3"):
        monoform.reconstruct(rgb, mask=mask, focal=3.0)
    with pytest.raises(monoform.InputError, match="no option thicknes"):
        monoform.reconstruct(rgb, mask=mask, method="inflate", thicknes=0.4)


def test_options_of_a_method_may_be_given_typed():
    rgb, mask = mug()
    made = monoform.reconstruct(rgb, mask=mask, method=InflateConfig(thickness=0.4), seed=3)
    assert made.provenance.method == "inflate" and made.provenance.config.thickness == 0.4
    assert (
        monoform.reconstruct(rgb, mask=mask, method=InflateConfig(), thickness=0.6).provenance.config.thickness == 0.6
    )
    with pytest.raises(monoform.InputError, match=r"MeshingOptions is no method's options: give a name, one of .*lift"):
        monoform.reconstruct(rgb, mask=mask, method=MeshingOptions())


def test_what_is_printed_is_a_line_and_what_a_notebook_shows_are_pictures():
    rgb, mask = mug()
    made = monoform.reconstruct(rgb, mask=mask, method="inflate")
    for each in (made, made.field, made.photo, made.camera, made.views, monoform.load):
        assert len(repr(each)) < 300 and "\n" not in repr(each), repr(each)
    assert made._repr_html_().count("<img") == 1
    mesh = made.mesh(faces=500, resolution=48, texture=64)
    assert repr(mesh) == f"<Mesh of {len(mesh.vertices):,} vertices and 500 faces, texture of 64 x 64 pixels>"
    assert made._repr_html_().count("<img") == 1 + 4 and mesh._repr_html_().count("data:image/png;base64,") == 4


def test_a_saved_result_loads_with_the_same_camera_mesh_and_shape(result, tmp_path):
    result.save(tmp_path / "mug")
    back = monoform.load(tmp_path / "mug")
    torch.testing.assert_close(back.camera.world_from_camera, result.camera.world_from_camera)
    torch.testing.assert_close(back.camera.intrinsics, result.camera.intrinsics)
    assert len(back.mesh().faces) == len(result.mesh().faces)
    np.testing.assert_allclose(back.photo.mask, result.photo.mask, atol=0.01)
    points = torch.rand(3000, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    true, found = result.field.geometry(points), back.field.geometry(points)
    clear = true.abs() > 0.02
    assert ((true < 0) == (found < 0))[clear].float().mean() > 0.995
    near = true.abs() < 0.03
    assert (true - found).abs()[near].mean() < 0.01
    colors = back.field.values(points[true.abs() < 0.01])
    assert (colors - result.field.values(points[true.abs() < 0.01])).abs().mean() < 0.08


def test_public_names_are_there_and_others_are_not():
    for name in monoform.__all__:
        assert getattr(monoform, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = monoform.nothing
    ours = ["bootstrap", "inerf", "inflate", "lift", "list", "nerf", "pixelnerf", "pof3d", "realfusion", "triposr"]
    assert [card.name for card in monoform.list_methods()] == ours
    assert "igarashi1999teddy" in monoform.cite("inflate")
