"""Cameras turned with their pictures: every point stays on the pixel that shows it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from monoform import InputError
from monoform.camera import Camera, look_at, stored_camera, upright_camera, upward

MATRIX = torch.tensor([[[60.0, 0.0, 30.0], [0.0, 55.0, 26.0], [0.0, 0.0, 1.0]]])
CAMERA = Camera(look_at(torch.tensor([[0.3, 0.4, 2.0]])), MATRIX, 64, 48)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_point_stays_on_its_pixel(orientation: int) -> None:
    point = torch.tensor([[[0.25, -0.2, 0.1]]])
    x, y = CAMERA.project(point)[0][0, 0].tolist()
    picture = np.zeros((48, 64), np.uint8)
    picture[int(y), int(x)] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(picture)
    image.info["exif"] = exif.tobytes()
    upright = upright_camera(CAMERA, orientation)
    seen = np.asarray(ImageOps.exif_transpose(image))
    x, y = upright.project(point)[0][0, 0].tolist()
    assert seen.shape == (upright.height, upright.width) and seen[int(y), int(x)] == 255
    back = stored_camera(upright, orientation)
    torch.testing.assert_close(back.world_from_camera, CAMERA.world_from_camera)
    torch.testing.assert_close(back.intrinsics, CAMERA.intrinsics)
    torch.testing.assert_close(upward(CAMERA, orientation), upward(upright))


@pytest.mark.parametrize("orientation", [2, 4, 5, 7])
def test_no_camera_sees_mirrored_pictures(orientation: int) -> None:
    with pytest.raises(InputError, match=f"a.jpg is stored mirrored .EXIF orientation {orientation}"):
        upright_camera(CAMERA, orientation, "a.jpg")
    turned = {2: 1, 4: 3, 5: 6, 7: 8}[orientation]  # the same edge is up
    torch.testing.assert_close(upward(CAMERA, orientation), upward(CAMERA, turned))
