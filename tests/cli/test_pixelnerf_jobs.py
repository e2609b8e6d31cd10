"""pixelNeRF from the command line: data, training, evaluation, film, and the same with what cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import monoform


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pixelnerf") / "things"
    words = ["--views", 5, "--size", 32, "--samples", 1, "--share", 0.2, "--keep-likes", "--workers", 1]
    made = monoform("prepare", "renders", "--procedural", 6, "-o", out, *words)
    assert made.returncode == 0, made.stderr
    return out


@pytest.fixture(scope="module")
def weights(data: Path, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("run")
    settings = ["objects=1", "rays=16", "validation_objects=1", "validation_rays=16", "views=1 2", "falling=true"]
    done = monoform("train", "pixelnerf", "--data", data, "-o", run, "--steps", 2, "--set", *settings)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 steps" in done.stdout
    card = (run / "weights" / "README.md").read_text()
    assert "source views 1 2" in card and "1 objects x 16 rays" in card
    return run / "weights"


def test_evaluation_and_film(data: Path, weights: Path, tmp_path: Path):
    words = ["--data", data, "--weights", weights, "--sources", 1]
    done = monoform("evaluate", "pixelnerf", *words, "--targets", "0 3-4", "-o", tmp_path / "eval", "--compare")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("| category | objects | psnr | ssim |")
    summary = json.loads((tmp_path / "eval" / "metrics.json").read_text())
    assert (summary["objects"], summary["images"]) == (1, 3)
    name = next(iter(summary["each"])).replace("/", "_")
    assert Image.open(tmp_path / "eval" / name / "000003.png").size == (64, 64)  # what the network takes
    assert Image.open(tmp_path / "eval" / name / "000003_compare.png").size == (192, 64)

    film = monoform("film", *words, "--frames", 2, "--scale", 0.5, "--elevation", -20, "-o", tmp_path / "film.gif")
    assert film.returncode == 0, film.stderr
    with Image.open(tmp_path / "film.gif") as pictures:
        assert (pictures.n_frames, pictures.size) == (2, (32, 32))


def test_a_photo_and_a_data_set_are_filmed_with_the_weights_that_ship(data: Path, tmp_path: Path):
    rows, columns = np.mgrid[:90, :120]
    inside = (rows - 45) ** 2 + (columns - 60) ** 2 < 30**2
    pixels = np.dstack((np.full((90, 120, 3), (200, 60, 40)), 255 * inside)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "ball.png")
    words = ["--frames", 2, "--scale", 0.5, "-o"]
    done = monoform("film", tmp_path / "ball.png", *words, tmp_path / "ball.gif")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "ball.gif") as film, Image.open(tmp_path / "ball_sources.png") as source:
        assert (film.n_frames, film.size, source.size) == (2, (32, 32), (64, 64))
        red, corner = np.asarray(source.convert("RGB"))[[32, 1], [32, 1]].astype(int)
        assert np.abs(red - (200, 60, 40)).max() <= 2 and corner.min() >= 254  # on the network's white
        middle = np.asarray(film.convert("RGB"))[12:20, 12:20].reshape(-1, 3).mean(0)
        assert middle[0] > middle[1] + 40  # the front, from the other side too, is the photo's red
    done = monoform("film", "--data", data, "--sources", 1, *words, tmp_path / "set.gif")
    assert done.returncode == 0 and "source views [1]" in done.stdout, done.stderr


def test_what_cannot_be_done_is_told_in_one_sentence(data: Path, weights: Path, tmp_path: Path):
    given = ["--data", data, "--weights", weights]
    for words, expected in (
        (["evaluate", "pixelnerf", *given, "--sources", 9, "-o", tmp_path / "a"], "there is no view 9"),
        (
            ["evaluate", "pixelnerf", *given, "--sources", 0, "--targets", 0, "-o", tmp_path / "j"],
            "no view is left to be rendered",
        ),
        (["evaluate", "pixelnerf", *given, "--sources", "x", "-o", tmp_path / "b"], "--sources has 'x'"),
        (["evaluate", "other", *given, "-o", tmp_path / "c"], "'other' cannot be evaluated"),
        (["evaluate", "pixelnerf", "--data", tmp_path, "--weights", weights, "-o", tmp_path / "d"], "known formats"),
        (["evaluate", "pixelnerf", "--data", data, "--weights", data, "-o", tmp_path / "e"], "holds no weights"),
        (["film", *given, "--object", "none", "-o", tmp_path / "f.gif"], "no object 'none'"),
        (["film", *given, "--sources", 0, "-o", tmp_path / "f.avi"], ".webp or .apng"),
        (["film", data, "--weights", weights, "-o", tmp_path / "f.gif"], "give a photo or --data"),
        (["film", "--data", data, "--mask", "m.png", "-o", tmp_path / "f.gif"], "--mask is that of a photo"),
        (["film", "-o", tmp_path / "f.gif"], "film needs either RESULT"),
        (["train", "pixelnerf", "--data", data, "-o", tmp_path / "g", "--set", "config=big"], "no configuration 'big'"),
        (["train", "pixelnerf", "--data", data, "-o", tmp_path / "h", "--set", "ray=1"], "give NAME=VALUE"),
        (
            ["train", "lift", "--data", data, "-o", tmp_path / "i", "--set", "rays=1"],
            "--set rays=1: give NAME=VALUE with a NAME of lift",
        ),
    ):
        done = monoform(*words)
        assert done.returncode == 2, (words, done.stdout, done.stderr)
        assert expected in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not list(tmp_path.rglob("*.gif")) and not list(tmp_path.rglob("*.png"))
