"""ShapeNet's renderings with more variation: their cameras, both sets, and our own in that layout."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from monoform import InputError, Mesh
from monoform.data import mesh_sources
from monoform.data.packs.layout_renderings import camera_of, renderings_of, unit_diagonal
from monoform.data.packs.layouts import LayoutOptions, render_layout
from monoform.data.sdf.disn import DisnObjects
from monoform.data.sdf.items import resized
from monoform.data.sdf.renderings import RenderedFrom, read_cameras

LINE = "[90.0,30.0,0,0.8,35,32,1.75,0.1,-0.05,0.02]"


def test_a_line_tells_the_camera_as_the_published_program_has_it(tmp_path: Path) -> None:
    (tmp_path / "rendering_metadata.txt").write_text(f"{LINE}, \n\n")
    (view,) = read_cameras(tmp_path / "rendering_metadata.txt")
    assert (view.azimuth, view.elevation, view.ratio) == (90, 30, 0.8) and view.shift == (0.1, 0.02, 0.05)
    way = 0.8 * 1.75
    wanted = (-0.1, way * 0.5 - 0.02, way * math.cos(math.radians(30)) - 0.05)  # y is up, 90 degrees is +z
    assert view.eye == pytest.approx(wanted)
    (tmp_path / "again.txt").write_text(view.line())
    assert read_cameras(tmp_path / "again.txt") == [view]
    # The origin of the moved object, which is not where the camera looks, and the point that it does look at.
    camera = camera_of([view], 224)
    assert camera.project(torch.tensor([[[-0.1, -0.02, -0.05]]]))[0].flatten().tolist() == pytest.approx([112, 112])
    assert camera.intrinsics[0, 0, 0] == 245
    (tmp_path / "short.txt").write_text("[1, 2]")
    with pytest.raises(InputError, match="line 1, has 2 numbers and not 10"):
        read_cameras(tmp_path / "short.txt")


def test_objects_of_the_hard_set_are_moved_and_stay_in_the_picture() -> None:
    made = trimesh.creation.box((1.0, 0.6, 0.4))
    mesh = unit_diagonal(Mesh(np.asarray(made.vertices) + 3, np.asarray(made.faces)))
    assert np.linalg.norm(np.ptp(mesh.vertices, axis=0)) == pytest.approx(1)
    found = renderings_of(mesh, 12, 64, generator=np.random.default_rng(0))
    easy, hard = found.views[:12], found.views[12:]
    assert all(view.shift == (0, 0, 0) for view in easy) and all(any(view.shift) for view in hard)
    pixels, depth = found.cameras.project(torch.from_numpy(mesh.vertices).float().expand(24, -1, -1))
    assert (depth > 0).all() and (pixels > 0).all() and (pixels < 64).all()


def test_our_renderings_are_read_as_theirs(tmp_path: Path) -> None:
    meshes = tmp_path / "meshes" / "03001627"
    meshes.mkdir(parents=True)
    trimesh.creation.box((1.0, 0.6, 0.4)).export(meshes / "box.obj")
    options = LayoutOptions("shapenet", views=3, size=48, samples=1, split="train")
    render_layout(mesh_sources(tmp_path / "meshes"), tmp_path / "set", options, workers=1)
    (tmp_path / "set" / "sampled_points/03001627/box").mkdir(parents=True)
    (tmp_path / "set" / "sampled_points/03001627/box/sampled_points.h5").write_bytes(b"")
    for variation in ("easy", "hard"):
        objects = DisnObjects(tmp_path / "set", cloud=False, variation=variation)  # type: ignore[arg-type]
        assert len(objects.objects[0].pictures) == 3
        picture, eye = objects.picture(0, 1), objects.eye(0, 1)
        assert picture.shape == (48, 48, 3) and picture[0, 0].tolist() == [0, 0, 0] and picture.max() > 50
        assert eye is not None and 0.5 < np.linalg.norm(eye) < 2.2
    assert DisnObjects(tmp_path / "set", cloud=False, side=20).picture(0, 0).shape == (20, 20, 3)
    with Image.open(tmp_path / "set/images/03001627/box/hard/02.png") as file:
        assert file.mode == "RGBA"
    file = tmp_path / "set/images/03001627/box/hard/rendering_metadata.txt"
    file.write_text(file.read_text().splitlines()[0])
    with pytest.raises(InputError, match="tells of 1 views, and 02"):
        DisnObjects(tmp_path / "set", cloud=False, variation="hard").eye(0, 2)
    file.unlink()
    assert DisnObjects(tmp_path / "set", cloud=False, variation="hard").eye(0, 2) is None


def test_the_archives_own_folder_is_found_and_the_first_of_a_list_are_told(tmp_path: Path) -> None:
    for name in ("a", "b", "d"):
        folder = tmp_path / "image/1" / name / "easy"
        folder.mkdir(parents=True)
        Image.new("RGBA", (8, 8)).save(folder / "00.png")
        (tmp_path / "sampled_points/1" / name).mkdir(parents=True)
        (tmp_path / "sampled_points/1" / name / "sampled_points.h5").write_bytes(b"")
    (tmp_path / "splits").mkdir()
    (tmp_path / "splits/1_train.lst").write_text("a\nb\nc\nd\n")
    objects = DisnObjects(tmp_path, cloud=False)
    assert objects.names == ["1/a", "1/b", "1/d"] and len(objects.missing) == 1
    assert objects.first(3).names == ["1/a", "1/b"]  # the missing one counts
    assert RenderedFrom(0, 0, 1).eye == (1.75, 0, 0)


def test_pictures_of_any_shape_become_squares_where_that_is_asked_for() -> None:
    wide = np.zeros((40, 48, 3), np.uint8)
    assert resized(wide, 0) is wide
    assert resized(wide, 40).shape == (40, 40, 3) and resized(wide[:, :40], 40).shape == (40, 40, 3)
