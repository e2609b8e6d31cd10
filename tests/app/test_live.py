"""The live view: cameras go to the browser and come back, renders are those of the result, the server answers."""

from __future__ import annotations

import math
import socket
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import monoform

from monoform.app.live import camera_of, drawn, frustum_of, opened, serve_live
from monoform.camera import Camera, look_at
from monoform.errors import InputError
from monoform.render import render_mesh
from monoform.scene import load


@pytest.mark.parametrize(("width", "height"), [(64, 48), (48, 64), (50, 50)])
def test_cameras_come_back(width: int, height: int) -> None:
    pose = look_at(torch.tensor([[0.3, 0.4, 1.5]]), torch.tensor([[0.1, 0.0, 0.0]]))
    intrinsics = torch.tensor([[[70.0, 0, width / 2], [0, 70.0, height / 2], [0, 0, 1]]])
    camera = Camera(pose, intrinsics, width, height)
    seen = frustum_of(camera)
    assert math.tan(seen["fov"] / 2) == pytest.approx(height / 140)
    back = camera_of(seen["wxyz"], seen["position"], seen["fov"], seen["aspect"], max(width, height))
    assert (back.width, back.height) == (width, height)
    assert torch.allclose(back.world_from_camera, pose, atol=1e-6)
    assert torch.allclose(back.intrinsics, intrinsics, atol=1e-4)


def test_a_result_is_opened_and_drawn(result_folder: Path) -> None:
    with Image.open(result_folder / "photo.png") as photo:  # results keep their photo as JPEG
        photo.convert("RGB").save(result_folder / "photo.jpg")
    shown = opened(result_folder)
    assert shown.mesh == result_folder / "mesh.glb" and len(shown.seen) == 1
    thumb = shown.seen[0].photo
    assert thumb is not None and max(thumb.shape) <= 320 and thumb.dtype == np.uint8
    view = frustum_of(shown.seen[0].camera)
    camera = camera_of(view["wxyz"], view["position"], view["fov"], view["aspect"], 64)
    picture = drawn(shown, camera)
    assert picture.shape == (camera.height, camera.width, 3)
    mesh = render_mesh(load(result_folder).mesh(), camera)
    inside = np.asarray(mesh.mask) > 0.99
    assert inside.sum() > 100 and np.abs(picture / 255.0 - np.asarray(mesh.rgb))[inside].mean() < 0.05


def test_it_is_served(result_folder: Path) -> None:
    pytest.importorskip("viser", minversion="1", reason="the live view needs viser: pip install 'monoform[live]'")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve_live(opened(result_folder), host="127.0.0.1", port=port)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            assert answer.status == 200 and b"<html" in answer.read()
    finally:
        server.stop()


def test_it_says_which_package_it_lacks(result_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(InputError, match=r"pip install 'monoform\[live\]'"):
        serve_live(opened(result_folder), host="127.0.0.1", port=1)


def test_what_cannot_be_shown_is_one_sentence(tmp_path: Path) -> None:
    said = monoform("view", tmp_path / "nothing", "--live")
    assert said.returncode == 2 and "nothing" in said.stderr and said.stderr.count("\n") == 1
    said = monoform("view", tmp_path, "--live", "--port", "0")
    assert said.returncode == 2 and "--port is 0" in said.stderr
