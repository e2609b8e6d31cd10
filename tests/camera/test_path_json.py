"""Camera paths: what is written is read back, what is wrong is named."""

from __future__ import annotations

import json
import math

import pytest
import torch

from monoform import InputError
from monoform.camera import orbit
from monoform.camera.path_json import path_from_json, path_to_json


def content() -> dict:
    cameras = orbit(3, elevation=0.2, distance=2.0, fov_y=math.radians(30), width=64, height=48)
    return json.loads(json.dumps(path_to_json(cameras, 12.0)))


def test_a_path_comes_back():
    path, cameras = (
        path_from_json(content()),
        orbit(3, elevation=0.2, distance=2.0, fov_y=math.radians(30), width=64, height=48),
    )
    assert path.fps == 12 and len(path.cameras) == 3 and (path.cameras.width, path.cameras.height) == (64, 48)
    torch.testing.assert_close(path.cameras.world_from_camera, cameras.world_from_camera)
    assert path_from_json({"cameras": content()["cameras"]}).fps is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cameras": []}, "cameras must be a list of 1 to 10,000"),
        ({"cameras": [{"model": "fisheye"}]}, r"cameras\[0\]: .*model is 'fisheye'"),
        ({"cameras": [3]}, r"cameras\[0\]"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": "12"}, "fps is '12'"),
    ],
)
def test_what_is_wrong_is_named(change, sentence):
    with pytest.raises(InputError, match=sentence):
        path_from_json(content() | change)


def test_cameras_of_one_film_have_one_size():
    changed = content()
    changed["cameras"][2]["width"] = 65
    with pytest.raises(InputError, match=r"cameras\[2\] differs"):
        path_from_json(changed)
    for camera in changed["cameras"]:
        camera["width"] = 5000
    with pytest.raises(InputError, match="at most 4096"):
        path_from_json(changed)
