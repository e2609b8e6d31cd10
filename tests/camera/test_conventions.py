"""Other people's cameras: known values by hand, round trips, and refusals."""

from __future__ import annotations

import copy
import json
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.camera.camera_strategies import cameras, poses
from torch import Tensor

from monoform import InputError
from monoform.camera import (
    Camera,
    camera_from_colmap,
    cameras_from_colmap,
    cameras_from_transforms,
    colmap_from_cameras,
    from_blender,
    from_integer_centers,
    from_opengl,
    look_at,
    to_blender,
    to_integer_centers,
    to_opengl,
    transforms_from_cameras,
    y_up_from_z_up,
    z_up_from_y_up,
)


@given(poses())
def test_conversions_undo_each_other_and_stay_rigid(pose: Tensor) -> None:
    pairs = ((from_opengl, to_opengl), (from_blender, to_blender), (y_up_from_z_up, z_up_from_y_up))
    for there, back in pairs:
        assert torch.equal(back(there(pose)), pose)
        rotation = there(pose)[:3, :3]
        assert torch.allclose(rotation @ rotation.mT, torch.eye(3).double(), atol=1e-12)
        assert float(torch.linalg.det(rotation)) > 0


def test_blender_camera_by_hand() -> None:
    # Blender's front view: the camera stands at -y, its local -z looks along +y, its local +y is the world's +z.
    blender = torch.tensor([[1.0, 0, 0, 0], [0, 0, -1, -2], [0, 1, 0, 0], [0, 0, 0, 1]])
    assert torch.equal(from_blender(blender), look_at(torch.tensor([[0.0, 0.0, 2.0]]))[0])


def test_opengl_identity_looks_along_minus_z() -> None:
    assert torch.equal(from_opengl(torch.eye(4))[:3, 2], torch.tensor([0.0, 0.0, -1.0]))
    assert torch.equal(from_opengl(torch.eye(4))[:3, 1], torch.tensor([0.0, -1.0, 0.0]))


def test_integer_pixel_centers_move_the_principal_point() -> None:
    intrinsics = torch.tensor([[100.0, 0, 64], [0, 100, 48], [0, 0, 1]])
    ours = from_integer_centers(intrinsics)
    assert ours[0, 2] == 64.5 and ours[1, 2] == 48.5
    assert torch.equal(to_integer_centers(ours), intrinsics)


@given(st.lists(cameras(models=("pinhole",), skewed=False), min_size=1, max_size=3), st.sampled_from(["y", "z"]))
def test_transforms_json_round_trip(batch: list[Camera], world_up: Any) -> None:
    named = [(f"images/{index}.png", camera) for index, camera in enumerate(batch)]
    content = json.loads(json.dumps(transforms_from_cameras(named, world_up=world_up)))
    back = cameras_from_transforms(content, world_up=world_up, dtype=torch.float64)
    assert_same(named, back)


@given(st.lists(cameras(models=("pinhole",), skewed=False), min_size=1, max_size=3))
def test_colmap_round_trip(batch: list[Camera]) -> None:
    named = [(f"a folder/{index}.png", camera) for index, camera in enumerate(batch)]
    back = cameras_from_colmap(*colmap_from_cameras(named), dtype=torch.float64)
    assert_same(named, back)


def assert_same(first: list[tuple[str, Camera]], second: list[tuple[str, Camera]]) -> None:
    assert [name for name, _ in first] == [name for name, _ in second]
    for (_, a), (_, b) in zip(first, second, strict=True):
        assert torch.allclose(a.world_from_camera, b.world_from_camera, atol=1e-12)
        assert torch.allclose(a.intrinsics, b.intrinsics, atol=1e-12)
        assert (a.width, a.height) == (b.width, b.height)


def synthetic() -> dict[str, Any]:
    return {
        "camera_angle_x": math.radians(90.0),
        "frames": [{"file_path": "./train/r_0", "transform_matrix": to_blender(look_at(torch.ones(1, 3)))[0].tolist()}],
    }


def test_synthetic_nerf_scene() -> None:
    [(name, camera)] = cameras_from_transforms(synthetic(), image_size=(80, 60))
    assert name == "./train/r_0"
    assert torch.allclose(camera.intrinsics[0], torch.tensor([[40.0, 0, 40], [0, 40, 30], [0, 0, 1]]))
    assert torch.allclose(camera.world_from_camera, look_at(torch.ones(1, 3)), atol=1e-6)


def test_a_frame_overrides_the_file() -> None:
    content = {**synthetic(), "fl_x": 50.0, "w": 80, "h": 60}
    content["frames"][0].update({"fl_x": 70.0, "fl_y": 71.0, "cx": 1.0})
    [(_, camera)] = cameras_from_transforms(content)
    assert torch.equal(camera.intrinsics[0], torch.tensor([[70.0, 0, 1], [0, 71, 30], [0, 0, 1]]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": []}, "frames"),
        ({"frames": "abc"}, "frames"),
        ({"frames": [3]}, r"frames\[0\]"),
        ({"camera_model": "OPENCV_FISHEYE"}, "camera_model"),
        ({"k1": 0.1}, "k1"),
        ({"fl_x": math.nan}, "fl_x"),
        ({"fl_x": -3.0}, "focal"),
        ({"w": "wide"}, "w "),
        ({"h": 2.5}, "size"),
        ({"camera_angle_x": 4.0}, "camera_angle_x"),
        ({"camera_angle_x": None}, "camera_angle_x"),
    ],
)
def test_unusable_transforms_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        cameras_from_transforms({**synthetic(), "w": 80, "h": 60, **change})


@pytest.mark.parametrize("matrix", [None, [[1.0]], "x", [[math.nan] * 4] * 4, [[2.0, 0, 0, 0]] * 4])
def test_unusable_poses_are_named(matrix: Any) -> None:
    content = copy.deepcopy(synthetic())
    content["frames"][0]["transform_matrix"] = matrix
    with pytest.raises(InputError, match=r"transform_matrix of frames\[0\]"):
        cameras_from_transforms(content, image_size=(8, 6))


def test_missing_size_pose_and_focal_are_named() -> None:
    with pytest.raises(InputError, match="lacks the field w"):
        cameras_from_transforms(synthetic())
    content = synthetic()
    del content["frames"][0]["transform_matrix"], content["camera_angle_x"]
    with pytest.raises(InputError, match="transform_matrix"):
        cameras_from_transforms(content, image_size=(8, 6))
    content["frames"][0]["transform_matrix"] = torch.eye(4).tolist()
    with pytest.raises(InputError, match="fl_x"):
        cameras_from_transforms(content, image_size=(8, 6))


def test_formats_refuse_what_they_cannot_hold() -> None:
    flat = Camera.orthographic(torch.eye(4)[None], 1.0, 4, 4)
    with pytest.raises(InputError, match="orthographic"):
        transforms_from_cameras([("a", flat)])
    with pytest.raises(InputError, match="not one pinhole"):
        colmap_from_cameras([("a", flat)])
    pair = Camera.from_fov(torch.eye(4).expand(2, 4, 4), 1.0, 4, 4)
    with pytest.raises(InputError, match="2 cameras"):
        transforms_from_cameras([("a", pair)])


def test_colmap_by_hand() -> None:
    # World to camera: no rotation, the world origin 3 units in front, so the camera stands at z = -3.
    camera = camera_from_colmap("SIMPLE_PINHOLE", 64, 48, [50.0, 31.0, 23.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 3.0])
    assert torch.equal(camera.position, torch.tensor([[0.0, 0.0, -3.0]]))
    pixels, depth = camera.project(torch.tensor([[[0.3, 0.0, 0.0]]]))
    assert torch.allclose(pixels, torch.tensor([[[36.0, 23.0]]])) and float(depth) == 3.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("OPENCV", 8, 6, [1.0] * 8, [1.0, 0.0, 0.0, 0.0], [0.0] * 3), "distortion"),
        (("PINHOLE", 8, 6, [1.0] * 3, [1.0, 0.0, 0.0, 0.0], [0.0] * 3), "4 parameters"),
        (("PINHOLE", 8, 6, [1.0] * 4, [1.0, 0.0, 0.0], [0.0] * 3), "qvec has 4"),
        (("PINHOLE", 8, 6, [1.0] * 4, [0.0] * 4, [0.0] * 3), "zero quaternion"),
        (("PINHOLE", 8, 6, [1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 0.0, 0.0], [0.0] * 3), "focal"),
        (("PINHOLE", 8, 6, [1.0] * 4, [math.nan] * 4, [0.0] * 3), "NaN"),
    ],
)
def test_unusable_colmap_cameras_are_refused(values: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        camera_from_colmap(*values)


def test_unreadable_colmap_lines_are_shown() -> None:
    with pytest.raises(InputError, match="'1 PINHOLE wide'"):
        cameras_from_colmap("1 PINHOLE wide", "")
    with pytest.raises(InputError, match="'1 1 0 0'"):
        cameras_from_colmap("# empty\n", "1 1 0 0\n\n")
