"""Captures of scenes as a data set of posed objects: where their content comes to lie, how they are split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.capture_cases import RADIUS, ball_picture, orbit_cameras, write_blender, write_llff, write_transforms

from monoform.data.posed.captures import CaptureScenes
from monoform.data.posed.check import check_data, detect_format
from monoform.data.posed.open import open_posed
from monoform.errors import InputError
from monoform.render.bounds import ray_sphere


def scene(root: Path, count: int = 9, **camera) -> Path:
    root.mkdir(parents=True)
    write_transforms(root, orbit_cameras(count, **camera))
    return root


def test_a_capture_is_one_object_with_its_held_out_photos_apart(tmp_path: Path) -> None:
    root = scene(tmp_path / "ball", 16)
    assert detect_format(root) == "captures"
    train, val = (open_posed(root, split, size=(20, 24)) for split in ("train", "val"))
    assert train.keys == val.keys == ("ball",) and (train.view_count(0), val.view_count(0)) == (14, 2)
    with pytest.raises(InputError, match="no two photos of one, for the split val"):
        CaptureScenes(scene(tmp_path / "few", 9), "val")  # one photo is held out: no source view and target of it
    assert [split.views for split in check_data(root)] == [14, 2]


def test_rays_through_the_ball_meet_it_where_it_was_brought_to(tmp_path: Path) -> None:
    """The photos show what their cameras see of a ball around the origin, on white, however far away it was."""
    content = CaptureScenes(scene(tmp_path / "ball"), size=(20, 24), radius=0.7)[0]
    assert content.background == 1 and content.images.shape[1:] == (20, 24, 3)
    origins, directions = (rays.flatten(0, 1) for rays in content.cameras.rays())
    scale = float(content.cameras.position[0].norm()) / 2.0
    enter, leave, hit = ray_sphere(origins, directions, scale * RADIUS)
    assert content.masks is not None and content.boxes is not None
    assert (hit == (content.masks.flatten() > 0.5)).float().mean() > 0.99
    assert (content.images.reshape(-1, 3)[~hit] > 0.99).float().mean() > 0.98
    assert content.near < float(enter[hit].min()) and float(leave[hit].max()) < content.far
    assert content.far < 2 * float(content.cameras.position[0].norm()) + 2


def test_photos_are_made_smaller_with_their_cameras(tmp_path: Path) -> None:
    root = scene(tmp_path / "ball", width=48, height=40)
    content = CaptureScenes(root, size=(24, 24))[0]
    assert (content.cameras.width, content.cameras.height) == (24, 20)
    whole = CaptureScenes(root)[0]
    torch.testing.assert_close(content.cameras.intrinsics[:, 0, 0], 0.5 * whole.cameras.intrinsics[:, 0, 0])
    pixels = torch.from_numpy(ball_picture(orbit_cameras(9, width=24, height=20)[0])[..., 3] / 255.0)
    assert content.masks is not None and float((content.masks[0] - pixels).abs().mean()) < 0.05


def test_a_folder_of_scenes_and_folders_of_splits(tmp_path: Path) -> None:
    for number in range(8):
        scene(tmp_path / f"many/scene{number}", 3)
    train, val = (open_posed(tmp_path / "many", split) for split in ("train", "val"))
    assert len(train) == 7 and val.keys == ("scene7",) and val.view_count(0) == 3
    for split, name in (("train", "a"), ("train", "b"), ("val", "c")):
        scene(tmp_path / f"told/{split}/{name}", 9)
    assert detect_format(tmp_path / "told") == "captures"
    found = {split.name: (split.objects, split.views) for split in check_data(tmp_path / "told")}
    assert found == {"train": (2, 18), "val": (1, 9)}


def test_layouts_of_other_programs_are_scenes_too(tmp_path: Path) -> None:
    cameras = orbit_cameras(9)
    write_llff(tmp_path / "many/llff", cameras, np.tile([1.2, 3.0], (9, 1)))
    (tmp_path / "many/blender").mkdir()
    write_blender(tmp_path / "many/blender", cameras)
    scenes = open_posed(tmp_path / "many", "train", size=(24, 24))
    assert scenes.keys == ("blender", "llff")
    for content in scenes:
        scale = float(content.cameras.position[0].norm()) / 2.0
        assert content.near < scale * 1.55 and content.far > scale * 2.45
    assert scenes[1].near == pytest.approx(0.9 * 1.2 * scale, rel=1e-3) and scenes[1].masks is None


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no capture"):
        CaptureScenes(tmp_path)
    with pytest.raises(InputError, match="none of the known formats"):
        detect_format(tmp_path)
