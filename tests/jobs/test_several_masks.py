"""Several masks of one photo: several objects in one world, seen by one camera."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import monoform
from tests.pictures import disc, png

import monoform as package
from monoform import InputError
from monoform.jobs.batch import plan
from monoform.metrics import mask_iou
from monoform.render import render_mesh
from monoform.scene.common_camera import PlacedField
from monoform.scene.photo_camera import working_camera

QUICK = ("--method", "inflate", "--frames", "0", "--faces", "900", "--texture", "64", "--resolution", "64")


def two_balls() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A large and a small ball: colors, and the mask of each."""
    rgb, large = disc(240, 120, 44, (70.0, 60.0))
    other, small = disc(240, 120, 22, (180.0, 80.0))
    return np.where(small[..., None] > 0, other, rgb), large, small


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rgb, large, small = two_balls()
    (tmp_path / "table.png").write_bytes(png(rgb))
    for name, mask in (("cup", large), ("table_plum", small)):
        (tmp_path / f"{name}.png").write_bytes(png(np.repeat(mask[..., None], 3, axis=2)))
    return tmp_path


def ran(folder: Path, *words: object) -> str:
    done = monoform("reconstruct", *words, "-o", folder / "out", *QUICK)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_gives_each_a_folder_and_all_one_camera(table):
    asked = (table / "table.png", "--mask", table / "cup.png", table / "table_plum.png")
    assert "2 of 2 objects done" in ran(table, *asked)
    cup, plum = (table / "out" / name for name in ("table_cup", "table_plum"))
    assert (cup / "camera.json").read_bytes() == (plum / "camera.json").read_bytes()
    for folder in (cup, plum):
        assert json.loads((folder / "result.json").read_text())["overlay"]["iou"] > 0.95
    meshes = [package.load(folder).mesh() for folder in (cup, plum)]
    assert meshes[0].bounds[1, 0] < meshes[1].bounds[0, 0], "the cup is left of the plum, apart"
    assert max(np.linalg.norm(mesh.vertices, axis=1).max() for mesh in meshes) < 0.5
    sizes = [np.ptp(mesh.bounds, axis=0)[1] for mesh in meshes]
    assert sizes[0] / sizes[1] == pytest.approx(2, rel=0.05)

    assert ran(table, *asked).count(": kept") == 2
    turned = ran(table, *asked[:2], *reversed(asked[2:]))
    assert turned.count(": kept") == 2, "their order does not matter"


def test_a_photo_behind_its_mask_is_still_a_photo(table):
    ran(table, "--mask", table / "cup.png", table / "table.png")
    asked = json.loads((table / "out" / "table" / "result.json").read_text())["request"]
    assert asked["mask"] == str(table / "cup.png") and "beside" not in asked


def test_python_gives_them_in_one_world(table):
    rgb, *masks = two_balls()
    found = package.reconstruct_each(rgb, masks, method="inflate", focal=300.0)
    for each, mask in zip(found, masks, strict=True):
        torch.testing.assert_close(each.camera.world_from_camera, found[0].camera.world_from_camera, rtol=0, atol=0)
        torch.testing.assert_close(each.camera.intrinsics, found[0].camera.intrinsics, rtol=0, atol=0)
        mesh = each.mesh(faces=900, texture=64, resolution=64)
        seen = render_mesh(mesh, working_camera(each.camera, each.photo))
        assert mask_iou(seen.mask, mask > 0.5) > 0.95
        assert float(each.field.geometry(torch.tensor(mesh.vertices[:50]).float()).abs().max()) < 0.02
    assert float(found[0].camera.intrinsics[0, 0, 0]) == 300.0


def test_a_moved_field_measures_in_the_units_of_its_world():
    class Ball(package.scene.reconstructed.Field):
        kind = "sdf"
        bounds = torch.tensor([[-0.5] * 3, [0.5] * 3])

        def geometry(self, points):
            return points.norm(dim=-1) - 0.5

        def values(self, points, directions=None):
            return torch.zeros_like(points) if directions is None else directions

    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    motion = torch.eye(4)
    motion[:3, :3], motion[:3, 3] = 0.2 * turn, torch.tensor([1.0, 2, 3])
    moved = PlacedField(Ball(), motion, 0.2)
    points = torch.tensor([[1.0, 2, 3], [1.1, 2, 3], [1.0, 2.3, 3]])
    torch.testing.assert_close(moved.geometry(points), torch.tensor([-0.1, 0.0, 0.2]), atol=1e-6, rtol=0)
    torch.testing.assert_close(moved.bounds, torch.tensor([[0.9, 1.9, 2.9], [1.1, 2.1, 3.1]]))
    ahead = torch.tensor([[0.0, 1, 0]])
    torch.testing.assert_close(moved.query(points[:1], ahead).values, torch.tensor([[1.0, 0, 0]]))


def test_what_several_masks_cannot_be(table):
    photo, masks = str(table / "table.png"), [str(table / "cup.png"), str(table / "table_plum.png")]
    with pytest.raises(InputError, match="2 masks are for one photo, and 2 are given"):
        plan([photo, masks[0]], table / "out", masks)
    with pytest.raises(InputError, match="is a folder: of several masks"):
        plan([photo], table / "out", [masks[0], str(table)])
    with pytest.raises(InputError, match="a photo that has none yet"):
        package.reconstruct_each(package.Photo.open(photo), masks)
    done = monoform("reconstruct", photo, "--mask", *masks, "--film", "field", "-o", table / "out")
    assert done.returncode == 2 and "--film field shows one object" in done.stderr


def test_an_empty_mask_fails_its_own_object_alone(table):
    Image.fromarray(np.zeros((120, 240), np.uint8)).save(table / "none.png")
    words = ("reconstruct", table / "table.png", "--mask", table / "cup.png", table / "none.png", "-o", table / "out")
    done = monoform(*words, *QUICK)
    assert "1 of 2 objects done" in done.stdout, done.stdout + done.stderr
    assert (table / "out" / "table_cup" / "mesh.glb").exists() and not (table / "out" / "table_none").exists()
    assert "none.png" in done.stdout + done.stderr
