"""monoform reconstruct --views: several photos of one object, with the cameras of a transforms.json."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.methods.pixelnerf.test_reconstruct import CONFIG, solid
from tests.methods.pixelnerf.tiny import net_of
from tests.scene.test_centered import balls

from monoform import InputError
from monoform.camera import Camera
from monoform.camera.transforms_json import transforms_from_cameras
from monoform.cli.reconstruct import run
from monoform.jobs.posed_photos import PosedPhotos
from monoform.training import save_pretrained

SMALL = ["--faces", "500", "--texture", "64", "--resolution", "48", "--frames", "0"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("weights") / "solid"
    return str(save_pretrained(solid(net_of(CONFIG)), CONFIG, folder, card="Of the tests."))


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Three photos of a ball far from the origin, with alpha, in a world with Z up."""
    folder, frames = tmp_path / "ball", []
    (folder / "images").mkdir(parents=True)
    for number, view in enumerate(balls(3, center=[3.0, -2.0, 7.0], scale=10.0)):
        name = f"images/{number}.png"
        Image.fromarray((np.dstack((view.photo.rgb, view.photo.mask)) * 255).astype(np.uint8)).save(folder / name)
        frames.append((name, view.camera))
    (folder / "transforms.json").write_text(json.dumps(transforms_from_cameras(frames)))
    return folder


def test_views_become_one_object(capture: Path, weights: str, tmp_path: Path, capsys) -> None:
    words = ["--method", "pixelnerf", "--set", f"weights={weights}", *SMALL, "-o", str(tmp_path / "out")]
    assert run(["--views", str(capture), *words]) == 0
    assert "ball" in capsys.readouterr().out
    result = json.loads((tmp_path / "out/ball/result.json").read_text())
    assert result["overlay"]["iou"] > 0.85  # 48 cells
    camera = Camera.from_dict(json.loads((tmp_path / "out/ball/camera.json").read_text()))
    assert float(camera.position.norm()) == pytest.approx(1.3 * 0.5 / (1.05 * 0.3), rel=0.03)
    assert run(["--views", str(capture / "transforms.json"), *words]) == 0
    assert "already there" not in capsys.readouterr().out  # another request
    assert run(["--views", str(capture / "transforms.json"), *words]) == 0
    assert "already there" in capsys.readouterr().out


def test_frames_and_the_upward_axis_are_chosen(capture: Path) -> None:
    every = PosedPhotos(str(capture)).open()
    some = PosedPhotos(str(capture), (0, 2)).open()
    assert [view.photo.name for view in some] == ["0", "2"] and len(every) == 3
    lying = PosedPhotos(str(capture), up="y").open()
    heights = [float(view.camera.position[0, 1]) for view in every]
    assert min(heights) > 0 and np.ptp(heights) < 0.01  # an orbit around the upward axis
    assert np.ptp([float(view.camera.position[0, 1]) for view in lying]) > 0.5


def test_masks_come_from_a_folder(capture: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    for number in range(3):
        path = capture / f"images/{number}.png"
        picture = np.asarray(Image.open(path))
        Image.fromarray(picture[..., 3]).save(tmp_path / f"masks/{number}_mask.png")
        Image.fromarray(picture[..., :3]).save(path)
    views = PosedPhotos(str(capture)).open(masks=str(tmp_path / "masks"))
    assert [view.photo.mask_origin for view in views] == ["file"] * 3
    (tmp_path / "masks/1_mask.png").unlink()
    with pytest.raises(InputError, match=r"holds no mask for .*images/1\.png"):
        PosedPhotos(str(capture)).open(masks=str(tmp_path / "masks"))


def test_what_cannot_be_used_is_told(capture: Path, weights: str, tmp_path: Path) -> None:
    out = ["--method", "pixelnerf", "--set", f"weights={weights}", *SMALL, "-o", str(tmp_path / "out")]
    for words, sentence in (
        (["--views", str(tmp_path)], "is no capture that can be read"),
        (["photo.jpg", "--views", str(capture)], "leave out photo.jpg"),
        (["--views", str(capture), "--frame", "7"], "7 is not there"),
        (["--views", str(capture), "--frame", "1"], "one direction"),
        (["--views", str(capture), "--mask", str(capture / "images/0.png")], "is no folder"),
    ):
        with pytest.raises(InputError, match=sentence):
            run([*words, *out])
    with pytest.raises(InputError, match="inflate works from one photo"):
        run(["--views", str(capture), "--method", "inflate", *SMALL, "-o", str(tmp_path / "out")])
    Image.new("RGB", (8, 8)).save(capture / "images/0.png")
    with pytest.raises(InputError, match="8 x 8 pixels"):
        PosedPhotos(str(capture)).open()
    (capture / "transforms.json").write_text("{")
    with pytest.raises(InputError, match=r"transforms\.json"):
        PosedPhotos(str(capture)).open()
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())
