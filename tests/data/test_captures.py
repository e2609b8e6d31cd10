"""Captures in four layouts come back as the cameras that they were written from."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.capture_cases import (
    RADIUS,
    binary_model,
    orbit_cameras,
    surface_points,
    write_blender,
    write_colmap,
    write_llff,
    write_transforms,
)

from monoform import InputError
from monoform.camera import Camera
from monoform.camera.colmap_binary import cameras_from_colmap_binary, points_from_colmap_binary
from monoform.data.capture import content_sphere, detect_capture, open_capture, read_image


def same(views, cameras: list[Camera], turn: torch.Tensor | None = None) -> None:
    assert len(views) == len(cameras)
    for view, camera in zip(views, cameras, strict=True):
        expected = camera.world_from_camera.clone()
        if turn is not None:
            expected[:, :3] = turn @ expected[:, :3]
        torch.testing.assert_close(view.camera.world_from_camera, expected, atol=2e-5, rtol=1e-5)
        torch.testing.assert_close(view.camera.intrinsics, camera.intrinsics, atol=1e-3, rtol=1e-5)
        assert (view.camera.width, view.camera.height) == (camera.width, camera.height)


@pytest.mark.parametrize("world_up", ["y", "z"])
def test_transforms(tmp_path, world_up):
    cameras = orbit_cameras()
    write_transforms(tmp_path, cameras, world_up=world_up)
    for path in (tmp_path, tmp_path / "transforms.json"):
        capture = open_capture(path)
        assert capture.layout == "transforms"
        same(capture.views, cameras)
    assert [view.split for view in capture.views] == ["train"] * 7 + ["test", "train"], "every eighth is held out"
    assert "9 photos of 24 x 20 pixels (8 train, 1 test)" in capture.sentence()
    other = open_capture(tmp_path, up="z" if world_up == "y" else "y")
    assert not torch.allclose(other.views[0].camera.world_from_camera, cameras[0].world_from_camera, atol=0.1)


def test_splits_that_are_told_are_kept(tmp_path):
    cameras = orbit_cameras(4)
    write_transforms(tmp_path, cameras, val_filenames=["images/01.png"], test_filenames=["images/03.png"])
    assert [view.split for view in open_capture(tmp_path).views] == ["train", "val", "train", "test"]
    content = json.loads((tmp_path / "transforms.json").read_text())
    content["frames"][0]["split"] = "test"
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    assert [view.split for view in open_capture(tmp_path).views] == ["test", "val", "train", "test"]
    content["frames"][0]["split"] = "most"
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="'most'"):
        open_capture(tmp_path)


def test_blender(tmp_path):
    cameras = orbit_cameras(6)
    write_blender(tmp_path, cameras)
    capture = open_capture(tmp_path)
    assert capture.layout == "blender" and [view.split for view in capture.views] == ["train"] * 4 + ["val", "test"]
    for camera in cameras:
        camera.intrinsics[0, 1, 1] = camera.intrinsics[0, 0, 0]
    same(capture.views, cameras)


@pytest.mark.parametrize("binary", [False, True])
def test_colmap_comes_upright(tmp_path, binary):
    """The world is turned as a whole, so that the photos' upper edges point upwards on average."""
    cameras = orbit_cameras()
    write_colmap(tmp_path, cameras, surface_points(), binary=binary)
    same(open_capture(tmp_path, up="y").views, cameras)
    capture = open_capture(tmp_path)
    upward = -torch.stack([view.camera.world_from_camera[0, :3, 1] for view in capture.views]).mean(dim=0)
    torch.testing.assert_close(torch.nn.functional.normalize(upward, dim=0), torch.tensor([0.0, 1.0, 0.0]))
    turn = capture.views[0].camera.world_from_camera[0, :3, :3] @ cameras[0].world_from_camera[0, :3, :3].T
    same(capture.views, cameras, turn)
    torch.testing.assert_close(
        capture.points, torch.from_numpy(surface_points()).float() @ turn.T, atol=1e-5, rtol=1e-5
    )


def test_llff_is_the_same_capture_moved_turned_and_scaled(tmp_path):
    cameras = orbit_cameras(5)
    bounds = np.linspace(1.2, 3.0, 10).reshape(5, 2)
    write_llff(tmp_path, cameras, bounds)
    capture = open_capture(tmp_path)
    scale = 1 / (0.75 * 1.2)
    torch.testing.assert_close(capture.near_far, torch.from_numpy(bounds * scale).float())
    ours, theirs = (
        [c.world_from_camera[0].double() for c in group] for group in ([v.camera for v in capture.views], cameras)
    )
    for other in range(1, 5):
        relative, expected = torch.linalg.inv(ours[0]) @ ours[other], torch.linalg.inv(theirs[0]) @ theirs[other]
        expected[:3, 3] *= scale
        torch.testing.assert_close(relative, expected, atol=1e-5, rtol=1e-5)
    center = torch.stack([pose[:3, 3] for pose in ours]).mean(dim=0)
    torch.testing.assert_close(center, torch.zeros(3).double(), atol=1e-5, rtol=0)


def test_the_content_is_found_by_points_or_by_where_cameras_look(tmp_path):
    cameras = orbit_cameras()
    write_colmap(tmp_path / "points", cameras, surface_points(), binary=True)
    center, radius = content_sphere(open_capture(tmp_path / "points", up="y"))
    assert np.abs(center).max() < 0.03 and radius == pytest.approx(RADIUS, rel=0.05)
    write_transforms(tmp_path / "none", cameras)
    center, radius = content_sphere(open_capture(tmp_path / "none"))
    assert np.abs(center).max() < 1e-4 and radius == pytest.approx(2.0 * 0.5 / 1.6, rel=1e-4)


def test_photos_are_averaged_by_their_alpha(tmp_path):
    write_transforms(tmp_path, orbit_cameras(1))
    (view,) = open_capture(tmp_path).views
    whole, half = read_image(view), read_image(view, (12, 10))
    assert whole.shape == (20, 24, 4) and half.shape == (10, 12, 4)
    premultiplied = (whole[..., :3] * whole[..., 3:]).reshape(10, 2, 12, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(half[..., :3] * half[..., 3:], premultiplied, atol=1e-5)


def test_what_is_wrong_is_said(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        open_capture(tmp_path / "none")
    with pytest.raises(InputError, match="no capture"):
        open_capture(tmp_path)
    assert detect_capture(tmp_path) is None
    write_transforms(tmp_path, orbit_cameras(3))
    (tmp_path / "images" / "01.png").unlink()
    with pytest.raises(InputError, match=r"no photo .*01\.png"):
        open_capture(tmp_path)
    (tmp_path / "images" / "01.png").write_bytes((tmp_path / "images" / "00.png").read_bytes()[:60])
    view = open_capture(tmp_path).views[1]
    with pytest.raises(InputError, match="damaged or truncated"):
        read_image(view)
    (tmp_path / "transforms.json").write_text("[1, 2")
    with pytest.raises(InputError, match="cannot be read as JSON"):
        open_capture(tmp_path)


def test_photos_of_another_size_are_refused(tmp_path):
    write_transforms(tmp_path, orbit_cameras(2))
    content = json.loads((tmp_path / "transforms.json").read_text())
    content["frames"][0] |= {"w": 48, "h": 40}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="24 x 20 pixels, its camera 48 x 40"):
        read_image(open_capture(tmp_path).views[0])


@pytest.mark.parametrize(
    "rows", [np.zeros((3, 16)), np.zeros((3, 17)), np.full((3, 17), np.nan), np.arange(51).reshape(3, 17)]
)
def test_other_arrays_are_no_poses(tmp_path, rows):
    write_llff(tmp_path, orbit_cameras(3), np.ones((3, 2)))
    np.save(tmp_path / "poses_bounds.npy", rows)
    with pytest.raises(InputError, match=r"poses_bounds\.npy"):
        open_capture(tmp_path)


MODEL = binary_model(["a.png", "b.png"], orbit_cameras(2), surface_points(3))


@given(st.integers(0, 2), st.data())
@settings(max_examples=60, deadline=None)
def test_truncated_binary_models_are_refused(which, data):
    cut = data.draw(st.integers(0, len(MODEL[which]) - 1))
    files = [file[:cut] if number == which else file for number, file in enumerate(MODEL)]
    with pytest.raises(InputError, match="COLMAP"):
        cameras_from_colmap_binary(files[0], files[1])
        points_from_colmap_binary(files[2])


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
def test_a_damaged_model_is_refused_with_its_folder(tmp_path, name):
    (tmp_path / "sparse/0").mkdir(parents=True)
    for file, content in zip(("cameras.bin", "images.bin", "points3D.bin"), MODEL, strict=True):
        (tmp_path / "sparse/0" / file).write_bytes(content[:-1] if file == name else content)
    with pytest.raises(InputError, match=rf"sparse/0: COLMAP {name} ends in the middle of a"):
        open_capture(tmp_path)


def test_distorted_and_unknown_binary_cameras_are_refused():
    cameras, images, _ = binary_model(["a.png"], orbit_cameras(1), surface_points(1))
    for model, sentence in ((4, "distortion"), (5, "FISHEYE is no pinhole"), (77, "model number 77")):
        data = bytearray(cameras) + struct.pack("<4d", 0.0, 0.0, 1e-3, 0.0)  # the four more parameters of OPENCV
        data[12:16] = model.to_bytes(4, "little")
        with pytest.raises(InputError, match=sentence):
            cameras_from_colmap_binary(bytes(data), images)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fl_x": 1e-300, "fl_y": 1e-300}, "focal lengths"),
        ({"fl_x": 1e30, "fl_y": 1e30}, "focal lengths"),
        ({"transform_matrix": [[1, 0, 0, 1e30], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]}, "scale"),
    ],
    ids=["no focal length", "a huge focal length", "a place far away"],
)
def test_numbers_that_single_precision_cannot_hold_are_told(change: dict, words: str, tmp_path: Path) -> None:
    write_transforms(tmp_path, orbit_cameras(4))
    content = json.loads((tmp_path / "transforms.json").read_text())
    for frame in content["frames"]:
        frame.update(change)
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=words):
        open_capture(tmp_path)
