"""Masks of a capture: what they leave out is neither trained on nor judged; comparisons have names of their own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.capture_cases import ball_picture, orbit_cameras, write_transforms

from monoform import InputError
from monoform.data import open_capture
from monoform.data.capture import read_counted
from monoform.data.captures.check import check_capture
from monoform.methods.nerf.evaluate import evaluate, picture_names
from monoform.methods.nerf.ray_bank import RayBank, load_downscaled
from monoform.methods.nerf.scene import Scene, write_cameras


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """Three photos before grey; the ball is to be left out of the last, the others have no mask."""
    cameras = orbit_cameras(3)
    write_transforms(tmp_path, cameras, alpha=False)
    content = json.loads((tmp_path / "transforms.json").read_text())
    content["frames"][2]["mask_path"] = "masks\\02.png"
    content["frames"][1]["mask_path"] = None
    (tmp_path / "masks").mkdir()
    Image.fromarray(255 - ball_picture(cameras[2])[..., 3]).save(tmp_path / "masks" / "02.png")
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    return tmp_path


def test_masked_pixels_are_not_drawn(masked: Path) -> None:
    views = open_capture(masked).views
    ball = ball_picture(orbit_cameras(3)[2])[..., 3] > 127
    counted = read_counted(views[2])
    assert counted is not None and (counted == ~ball).all() and read_counted(views[0]) is None
    banks = [RayBank([view], center=(0.0, 0.0, 0.0), radius=0.6) for view in views]
    view_pixels = banks[2].view_pixels[:, 1].numpy()
    assert not ball.reshape(-1)[view_pixels].any() and 0 < len(view_pixels) < len(banks[0])
    _, small, camera = load_downscaled(views[2], 2.0)
    assert small is not None and small.shape == (camera.height, camera.width)
    blocks = (~ball).reshape(10, 2, 12, 2).all(axis=(1, 3))
    assert (small == blocks).all(), "no pixel counts that is mixed with one that does not"


def test_what_a_dynamic_mask_marks_does_not_count(masked: Path) -> None:
    """Any color marks, a black one marks nothing, and both kinds of masks hold at once."""
    cameras = orbit_cameras(3)
    folder = open_capture(masked).views[0].image.parent
    marks = np.zeros((20, 24, 3), np.uint8)
    Image.fromarray(marks).save(folder / "dynamic_mask_00.png")
    marks[3:5, 7:9] = (0, 1, 0)
    for name in ("01", "02"):
        Image.fromarray(marks).save(folder / f"dynamic_mask_{name}.png")
    views = open_capture(masked).views
    assert len(views) == 3
    first, second, third = (read_counted(view) for view in views)
    assert first is not None and first.all()
    assert second is not None and (second == ~marks.any(-1)).all()
    ball = ball_picture(cameras[2])[..., 3] > 127
    assert third is not None and (third == ~(marks.any(-1) | ball)).all()
    assert "1 masks (only their white pixels count), 3 dynamic masks" in check_capture(masked, "transforms")
    Image.new("L", (12, 10)).save(folder / "dynamic_mask_00.png")
    with pytest.raises(InputError, match=r"dynamic_mask_00\.png has 12 x 10 pixels, its photo 24 x 20"):
        check_capture(masked, "transforms")
    content = json.loads((masked / "transforms.json").read_text()) | {"white_transparent": True}
    (masked / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="white_transparent is not read"):
        open_capture(masked)


def test_the_check_speaks_of_masks_and_reads_them(masked: Path) -> None:
    assert "1 masks (only their white pixels count)" in check_capture(masked, "transforms")
    Image.new("L", (12, 10), 255).save(masked / "masks" / "02.png")
    with pytest.raises(InputError, match=r"02\.png is 12 x 10 pixels but the photo is 24 x 20"):
        check_capture(masked, "transforms")
    (masked / "masks" / "02.png").unlink()
    with pytest.raises(InputError, match=r"transforms\.json: there is no mask .*02\.png"):
        open_capture(masked)


def test_a_scene_remembers_its_masks_and_its_world(masked: Path, tmp_path: Path) -> None:
    capture = open_capture(masked)
    (tmp_path / "weights").mkdir()
    write_cameras(tmp_path / "weights", capture, (0.0, 0.0, 0.0), 1.0)
    content = json.loads((tmp_path / "weights" / "transforms.json").read_text())
    assert content["up_axis"] == "z"
    assert [frame.get("mask_path") for frame in content["frames"]] == [None, None, str(masked / "masks" / "02.png")]
    again = open_capture(tmp_path / "weights")
    for one, two in zip(again.views, capture.views, strict=True):
        np.testing.assert_allclose(one.camera.world_from_camera, two.camera.world_from_camera, atol=1e-5)
        assert one.mask == two.mask


def test_only_what_counts_is_judged(masked: Path) -> None:
    view = open_capture(masked).views[2]
    ball = ball_picture(orbit_cameras(3)[2])[..., 3] > 127
    photo = load_downscaled(view, 1.0)[0]

    class Seen(Scene):
        def __init__(self) -> None:
            vars(self).update(radius=0.6, center=(0.0, 0.0, 0.0))

        def render(self, camera):
            wrong = np.where(ball[..., None], 1.0 - photo, photo + 0.01).astype(np.float32)
            return torch.from_numpy(wrong), torch.ones(camera.height, camera.width)

    scores = evaluate(Seen(), [view]).each[view.name]
    assert {"psnr", "psnr_content", "psnr_object"} <= set(scores) and "ssim" not in scores
    for name in ("psnr", "psnr_content", "psnr_object"):
        assert scores[name] == pytest.approx(40.0, abs=0.2), name


@pytest.mark.parametrize(
    ("photos", "files"),
    [
        (["images/front/7.png", "images/back/7.png"], ["front/7.png", "back/7.png"]),
        (["images/1.jpg", "images/2.jpg"], ["1.png", "2.png"]),
        (["r_0.001", "r_0.002"], ["r_0.001.png", "r_0.002.png"]),
        (["a/1.jpg", "a/1.png"], ["1.png", "1.png.png"]),
        (["/data/x/1.png", "../y/1.png"], ["data/x/1.png", "y/1.png"]),
        (["images\\7.png"], ["7.png"]),
    ],
)
def test_pictures_of_photos_have_names_of_their_own(photos: list[str], files: list[str]) -> None:
    assert [name.as_posix() for name in picture_names(photos)] == files
