"""The photo's camera for other programs: read back by the readers of captures, and by what Blender does with lenses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.mesh.test_mesh_formats import colored

from monoform import InputError
from monoform.camera import Camera, look_at
from monoform.data.captures.colmap import open_colmap
from monoform.data.captures.open import open_capture
from monoform.jobs.exports.camera_files import SENSOR, blender_script, write_cameras

POSE = look_at(torch.tensor([[0.7, 0.9, 1.6]]))


def camera() -> Camera:
    """Of unequal focal lengths and a principal point off the middle."""
    intrinsics = torch.tensor([[[310.0, 0.0, 170.0], [0.0, 290.0, 95.0], [0.0, 0.0, 1.0]]])
    return Camera(POSE, intrinsics, 320, 200)


@pytest.mark.parametrize("kind", ["nerfstudio", "colmap"])
def test_our_readers_find_the_same_camera(tmp_path: Path, kind):
    Image.fromarray(np.full((200, 320, 3), 90, np.uint8)).save(tmp_path / "photo.jpg")
    told = write_cameras(camera(), colored(), "photo.jpg", tmp_path, (kind,))
    assert set(told) == {path.name for path in tmp_path.iterdir()} - {"photo.jpg"}
    capture = open_colmap(tmp_path, upright=False) if kind == "colmap" else open_capture(tmp_path, up="z")
    (view,) = capture.views
    assert view.image == tmp_path / "photo.jpg"
    torch.testing.assert_close(view.camera.intrinsics, camera().intrinsics)
    torch.testing.assert_close(view.camera.world_from_camera, camera().world_from_camera, atol=1e-6, rtol=0)
    if kind == "colmap":
        assert len(capture.points) == 2000 and float(capture.points.norm(dim=1).max()) < 0.501


def values_of(script: str) -> dict[str, Any]:
    """What the script sets in Blender."""
    compile(script, "blender_scene.py", "exec")
    text = script.split("VALUES = ", 1)[1].split("\nFOLDER", 1)[0]
    return eval(text)  # literals of ours


def test_blenders_lens_projects_to_the_same_pixels():
    """By Blender's rules: (x, y, -z) of its camera lies lens / sensor x / z - shift wider sides off the middle."""
    points = torch.from_numpy(np.random.default_rng(0).uniform(-0.4, 0.4, (50, 3))).float()
    values, width, height = values_of(blender_script(camera(), "photo.jpg")), 320, 200
    pixels, depth = camera().project(points[None])
    z_up = points.numpy()[:, [0, 2, 1]] * (1, -1, 1)
    inverse = np.linalg.inv(np.array(values["matrix"]))
    x, y, z = (z_up @ inverse[:3, :3].T + inverse[:3, 3]).T
    np.testing.assert_allclose(-z, depth[0].numpy(), atol=1e-5)
    aspect = values["aspect"]
    wider = max(width, height * aspect)
    across = 0.5 * width + (values["lens"] / SENSOR * x / -z - values["shift"][0]) * wider
    down = 0.5 * height - (values["lens"] / SENSOR * y / -z - values["shift"][1]) * wider / aspect
    np.testing.assert_allclose(np.stack([across, down], axis=1), pixels[0].numpy(), atol=1e-3)
    assert values["size"] == [320, 200] and values["photo"] == "photo.jpg" and not values["is_orthographic"]


def test_an_orthographic_camera_is_blenders_alone(tmp_path: Path):
    flat = Camera.orthographic(POSE, 1.5, 300, 200)
    values = values_of(blender_script(flat, "photo.jpg"))
    scale = float(flat.intrinsics[0, 0, 0])
    assert values["is_orthographic"] and values["orthographic_scale"] == pytest.approx(300 / scale)
    with pytest.raises(InputError, match="no orthographic cameras"):
        write_cameras(flat, colored(), "photo.jpg", tmp_path, ("colmap",))
    assert not list(tmp_path.iterdir()) and math.isclose(scale, float(flat.intrinsics[0, 1, 1]))
