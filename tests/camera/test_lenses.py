"""Pinholes are read whatever they are called; every other lens is refused by the field that says so."""

from __future__ import annotations

import math

import pytest

from monoform import InputError
from monoform.camera import camera_from_colmap, cameras_from_colmap, cameras_from_transforms
from monoform.camera.colmap_binary import points_from_colmap_text

POSE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]


def content(frame: dict | None = None, **fields) -> dict:
    given = {"fl_x": 70.0, "fl_y": 71.0, "cx": 32.0, "cy": 24.0, "w": 64, "h": 48} | fields
    return given | {"frames": [{"file_path": "a.png", "transform_matrix": POSE} | (frame or {})]}


@pytest.mark.parametrize(
    "fields",
    [
        {"is_fisheye": False, "k1": 0, "k2": 0.0},
        {"camera_model": "OPENCV", "k1": None, "is_fisheye": None},
        {"camera_model": "SIMPLE_RADIAL"},
        {"camera_model": "pinhole"},
        {"camera_model": None, "rolling_shutter": [0, 0, 0, 0]},
        {"distortion_params": [0, 0, 0, 0, 0, 0]},
        {"aabb_scale": 4, "scale": 0.5, "offset": [0, 0, 0], "applied_scale": 2.0, "orientation_override": "none"},
        {"applied_transform": POSE[:3], "depth_file_path": "d.png", "ply_file_path": "x.ply"},
    ],
)
def test_pinholes(fields: dict) -> None:
    for given in (content(**fields), content(fields)):
        [(_, camera)] = cameras_from_transforms(given)
        assert camera.intrinsics[0].tolist() == [[70, 0, 32], [0, 71, 24], [0, 0, 1]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("is_fisheye", True),
        ("is_fisheye", 1),
        ("latlong", True),
        ("equirectangular", True),
        ("orthographic", True),
        ("ftheta_p0", 0.0),
        ("rolling_shutter", [0, 0, 0.02, 0]),
        ("camera_model", "OPENCV_FISHEYE"),
        ("camera_model", "EQUIRECTANGULAR"),
        ("camera_model", 7),
        ("camera_type", "fisheye"),
        ("k3", 1e-3),
        ("k6", -0.1),
        ("p2", 0.01),
        ("s1", 0.01),
        ("distortion_params", [0.1, 0, 0, 0]),
        ("k1", "0.1"),
        ("k1", True),
        ("fl_x", 0),
        ("fl_x", math.nan),
        ("fl_y", 10**400),
        ("w", "64"),
        ("h", 48.5),
    ],
)
def test_other_lenses_and_numbers_are_refused_by_name(name: str, value: object) -> None:
    for given in (content(**{name: value}), content({name: value})):
        with pytest.raises(InputError, match=rf"frames\[0\].*\b{name}\b|\b{name}\b.*frames\[0\]|size w = .* h = "):
            cameras_from_transforms(given)


def test_what_a_frame_says_goes_before_what_the_file_says() -> None:
    [(_, camera)] = cameras_from_transforms(content({"camera_angle_x": math.pi / 2, "camera_angle_y": None}))
    assert float(camera.intrinsics[0, 0, 0]) == pytest.approx(32) and float(camera.intrinsics[0, 1, 1]) == 71
    [(_, camera)] = cameras_from_transforms(content(fl_x=None, fl_y=None, x_fov=90.0))
    assert camera.intrinsics[0, [0, 1], [0, 1]].tolist() == pytest.approx([32, 32])
    [(_, camera)] = cameras_from_transforms(content(fl_x=None, fl_y=50.0))
    assert camera.intrinsics[0, [0, 1], [0, 1]].tolist() == [50, 50]


def test_cameras_that_move_are_refused() -> None:
    other = [[1, 0, 0, 1], *POSE[1:]]
    still = content({"transform_matrix": None, "transform_matrix_start": POSE, "transform_matrix_end": POSE})
    assert len(cameras_from_transforms(still)) == 1
    with pytest.raises(InputError, match="transform_matrix_end"):
        cameras_from_transforms(content({"transform_matrix_start": POSE, "transform_matrix_end": other}))
    with pytest.raises(InputError, match="file_path"):
        cameras_from_transforms(content({"file_path": 7}))


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("SIMPLE_PINHOLE", (70, 32, 24)),
        ("PINHOLE", (70, 70, 32, 24)),
        ("SIMPLE_RADIAL", (70, 32, 24, 0)),
        ("RADIAL", (70, 32, 24, 0, 0)),
        ("OPENCV", (70, 70, 32, 24, 0, 0, 0, 0)),
        ("FULL_OPENCV", (70, 70, 32, 24, *[0] * 8)),
    ],
)
def test_colmap_models_without_distortion_are_pinholes(model: str, parameters: tuple[float, ...]) -> None:
    camera = camera_from_colmap(model, 64, 48, parameters, (1, 0, 0, 0), (0, 0, 2))
    assert camera.intrinsics[0].tolist() == [[70, 0, 32], [0, 70, 24], [0, 0, 1]]
    if len(parameters) > 4 or model == "SIMPLE_RADIAL":
        with pytest.raises(InputError, match=f"{model} has lens distortion .*0.01"):
            camera_from_colmap(model, 64, 48, (*parameters[:-1], 0.01), (1, 0, 0, 0), (0, 0, 2))


def test_a_fisheye_without_coefficients_is_no_pinhole() -> None:
    with pytest.raises(InputError, match="OPENCV_FISHEYE is no pinhole"):
        camera_from_colmap("OPENCV_FISHEYE", 64, 48, (70, 70, 32, 24, 0, 0, 0, 0), (1, 0, 0, 0), (0, 0, 2))


CAMERAS = "\ufeff# list\r\n1 PINHOLE 64 48 70 70 32 24\r\n"
IMAGES = [f"{number} 1 0 0 0 0 0 {number} 1 {name}" for number, name in enumerate(("0", "b c.png", "d.png"), 1)]


@pytest.mark.parametrize(
    "between", ["\n", "\n\n", "\n\n\n", "\r\n", "\r\n\r\n", "\n1.5 2.5 -1 3 4 7\n", "\n# note\n\n"]
)
def test_the_second_line_of_an_image_may_be_there_or_not(between: str) -> None:
    text = "\ufeff# images\n" + "".join(line + between for line in IMAGES)
    assert [name for name, _ in cameras_from_colmap(CAMERAS, text)] == ["0", "b c.png", "d.png"]


def test_points_that_are_no_numbers_are_left_out() -> None:
    points = points_from_colmap_text("1 0 0 1 9 9 9 0\n2 nan nan nan 9 9 9 0\n3 inf 0 0 9 9 9 0\n4 1e300 0 0 0 0 0 0\n")
    assert points.tolist() == [[0, 0, 1]]
