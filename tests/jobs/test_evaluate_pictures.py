"""`monoform evaluate pictures`: figures that are known, what belongs together, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import monoform

from monoform.data.posed.open import open_posed
from monoform.jobs.figures import PERFECT

SIZE = 32


def save(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)


def noise(seed: int, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(seed).integers(40, 200, (size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two objects with three views each, in the layout of SRN."""
    root = tmp_path_factory.mktemp("srn") / "things"
    for number, name in enumerate(("aaa", "bbb")):
        folder = root.with_name("things_test") / name
        for view in range(3):
            save(folder / "rgb" / f"{view:06d}.png", noise(10 * number + view))
            (folder / "pose").mkdir(exist_ok=True)
            pose = np.eye(4)
            pose[2, 3] = -1.3
            (folder / "pose" / f"{view:06d}.txt").write_text(" ".join(map(str, pose.flatten())))
        (folder / "intrinsics.txt").write_text(f"30 16 16 0\n0 0 0\n1\n{SIZE} {SIZE}\n")
    return root


def evaluated(out: Path) -> dict:
    return json.loads((out / "metrics.json").read_text())


def test_figures_of_a_data_sets_views(data, tmp_path):
    for name, seed in (("aaa", 0), ("bbb", 10)):
        for view in range(3):
            save(tmp_path / "seen" / name / f"{view:06d}.png", noise(seed + view))
    for view in (1, 2):
        save(tmp_path / "seen" / "bbb" / f"{view:06d}.png", noise(10 + view) + 25)
    save(tmp_path / "seen" / "bbb" / "000077.png", noise(0))
    save(tmp_path / "seen" / "bbb" / "000001_compare.png", noise(0, 96))
    done = monoform("evaluate", "pictures", tmp_path / "seen", "--data", data, "--sources", 0, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "4 pictures measured, 3 more without a true one or left out" in done.stdout  # 000077 and two sources
    found = evaluated(tmp_path / "out")
    assert (found["objects"], found["images"]) == (2, 4)
    first, second = found["each"]["things/aaa"], found["each"]["things/bbb"]
    assert first["psnr"] == PERFECT and abs(first["ssim"] - 1) < 1e-9
    assert abs(second["psnr"] + 20 * math.log10(25 / 255)) < 1e-4 and second["ssim"] < 1
    assert abs(found["total"]["psnr"] - (first["psnr"] + second["psnr"]) / 2) < 1e-6


def test_it_agrees_with_the_evaluation_that_rendered_the_pictures(tmp_path):
    words = ["--views", 3, "--size", 64, "--samples", 1, "--share", 0.2, "--keep-likes", "--workers", 1]
    made = monoform("prepare", "renders", "--procedural", 6, "-o", tmp_path / "set", *words)
    assert made.returncode == 0, made.stderr
    words = ["--data", tmp_path / "set", "--sources", 1]
    done = monoform("evaluate", "pixelnerf", *words, "-o", tmp_path / "eval", "--compare", "--depth")
    assert done.returncode == 0, done.stderr
    again = monoform("evaluate", "pictures", tmp_path / "eval", *words, "-o", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    first, second = (evaluated(tmp_path / name)["total"] for name in ("eval", "again"))
    assert abs(first["psnr"] - second["psnr"]) < 1e-4 and abs(first["ssim"] - second["ssim"]) < 1e-5


def test_a_folder_of_true_pictures(tmp_path):
    clear = np.dstack((noise(0), np.zeros((SIZE, SIZE, 1), np.uint8)))
    save(tmp_path / "truth" / "cats" / "one" / "front.png", clear)
    save(tmp_path / "truth" / "cats" / "two" / "front.png", noise(1))
    save(tmp_path / "truth" / "dogs" / "three" / "front.png", noise(2))
    save(tmp_path / "seen" / "cats_one" / "front.png", np.full((SIZE, SIZE, 3), 255, np.uint8))
    save(tmp_path / "seen" / "cats" / "two" / "front.png", noise(1))
    done = monoform("evaluate", "pictures", tmp_path / "seen", "--truth", tmp_path / "truth", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "Left out: dogs/three: there is no folder of its pictures." in done.stdout
    found = evaluated(tmp_path / "out")["each"]
    assert found["cats/one"]["psnr"] == found["cats/two"]["psnr"] == PERFECT  # transparent stands on white


def test_one_object_needs_no_name_and_true_pictures_are_brought_to_the_size(tmp_path):
    large = noise(3, 64)
    small = large.reshape(32, 2, 32, 2, 3).astype(np.float32).mean((1, 3))
    save(tmp_path / "truth" / "a.png", large)
    save(tmp_path / "seen" / "a.png", small.round().astype(np.uint8))
    done = monoform("evaluate", "pictures", tmp_path / "seen", "--truth", tmp_path / "truth", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert evaluated(tmp_path / "out")["total"]["psnr"] > 55  # but for rounding to 8 bits


def test_overwrite_measures_again_and_leaves_what_is_the_users(tmp_path):
    words = ["evaluate", "pictures", tmp_path / "seen", "--truth", tmp_path / "truth", "-o", tmp_path / "out"]
    for name in ("one", "two"):
        save(tmp_path / "truth" / name / "a.png", noise(0))
        save(tmp_path / "seen" / name / "a.png", noise(0))
    assert monoform(*words).returncode == 0
    (tmp_path / "out" / "notes.txt").write_text("mine")
    save(tmp_path / "seen" / "one" / "a.png", noise(0) + 25)
    assert monoform(*words).returncode == 0 and evaluated(tmp_path / "out")["each"]["one"]["psnr"] == PERFECT
    assert monoform(*words, "--seed", 1).returncode == 2
    again = monoform(*words, "--seed", 1, "--overwrite")
    assert again.returncode == 0, again.stderr
    found = evaluated(tmp_path / "out")
    assert abs(found["each"]["one"]["psnr"] + 20 * math.log10(25 / 255)) < 1e-4
    assert found["each"]["two"]["psnr"] == PERFECT and found["options"]["seed"] == 1
    assert monoform(*words, "--seed", 1).returncode == 0, "and what was measured again goes on"
    (tmp_path / "out" / "two" / "notes.txt").write_text("mine, too")
    done = monoform(*words, "--overwrite")
    assert done.returncode == 2 and "notes.txt, which monoform did not write" in done.stderr
    assert (tmp_path / "out" / "two" / "notes.txt").read_text() == "mine, too"
    assert (tmp_path / "out" / "one" / "scores.json").exists() and (tmp_path / "out" / "notes.txt").exists()


def test_what_cannot_be_compared_is_refused(data, tmp_path):
    save(tmp_path / "seen" / "aaa" / "000001.png", noise(0))
    save(tmp_path / "large" / "a.png", noise(0, 64))
    save(tmp_path / "truth" / "a.png", noise(0))
    (tmp_path / "bare").mkdir()
    for words, expected in (
        ([tmp_path / "seen"], "give either --data or --truth"),
        ([tmp_path / "seen", "--data", data, "--truth", tmp_path / "truth"], "give either --data or --truth"),
        ([tmp_path / "seen", "--truth", tmp_path / "truth", "--sources", 1], "--sources names views"),
        ([tmp_path / "bare", "--data", data], "holds no pictures"),
        ([tmp_path / "none", "--data", data], "none"),
        ([tmp_path / "seen", "--data", data, "--exclude", 1], "None of the 1 objects"),
        ([tmp_path / "large", "--truth", tmp_path / "truth"], "render it as large"),
        ([tmp_path / "seen", "--truth", tmp_path / "truth"], "none of the 1 pictures"),
    ):
        done = monoform("evaluate", "pictures", *words, "-o", tmp_path / "out")
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert expected in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_views_are_those_of_the_reader(data):
    objects = open_posed(data, "test", size=(SIZE, SIZE))
    assert (objects.load(1, [2]).images[0].numpy() * 255).round().astype(np.uint8).tolist() == noise(12).tolist()
