"""As a new user would: a photo, a word learned of it, and a fit that is stopped in the middle and goes on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image
from tests.methods.realfusion.tiny_realfusion import ball
from tests.tiny_diffusion import save_tiny

from monoform.cli.main import main
from monoform.guidance.words import read_word
from monoform.methods.realfusion.task import FitTask

SMALL = {
    "network.levels": 4,
    "network.resolution": 64,
    "network.log2_hashmap_size": 10,
    "network.hidden": 8,
    "network.cells": 16,
    "network.steps": 32,
    "views.size": 8,
    "photo.size": 16,
    "photo.rays": 32,
    "occupancy_every": 2,
    "hidden_levels": 1,
    "hidden_steps": 2,
    "steps": 6,
    "prior_size": 64,
    "checkpoint_every": 2,
}


def left(*words: object) -> object:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    return end.value.code


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photo, a model, and the word that the command learns of the photo."""
    folder = tmp_path_factory.mktemp("home")
    save_tiny(folder / "model")
    Image.fromarray(ball()).save(folder / "ball.png")
    words = ["train", "embedding", "--data", folder / "ball.png", "-o", folder / "word", "--model", folder / "model"]
    words += ["--word", "_ball_", "--initializer", "cat", "--steps", "2", "--accumulate", "1", "--device", "cpu"]
    assert left(*words) == 0
    return folder


def reconstruct(home: Path, out: Path, *settings: str, photo: Path | None = None) -> object:
    """`monoform reconstruct` with each option after a --set of its own."""
    own = [f"prior={home / 'model'}", f"embedding={home / 'word' / 'learned_embeds.bin'}", "text=a <token>"]
    words = ["reconstruct", str(photo or home / "ball.png"), "-o", str(out), "--method", "realfusion"]
    words += ["--resolution", "32", "--texture", "64", "--faces", "200", "--frames", "2", "--device", "cpu"]
    given = dict(each.split("=", 1) for each in (*own, *settings))
    for name, value in (SMALL | given).items():
        words += ["--set", f"{name}={value}"]
    return left(*words)


def stopped_at(step: int) -> object:
    """Every fit is asked to end at a step, as by a cluster whose time is over."""
    before = FitTask.before_step

    def asked(task: FitTask, now: int, generator: torch.Generator) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGTERM)
        before(task, now, generator)

    return patch.object(FitTask, "before_step", asked)


def test_a_fit_that_was_stopped_ends_with_the_same_result(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read_word(home / "word" / "learned_embeds.bin").name == "_ball_"
    assert reconstruct(home, tmp_path / "whole", f"run={tmp_path / 'run'}", "pretrain_check=2") == 0
    capsys.readouterr()
    again = tmp_path / "again"
    with stopped_at(3):  # type: ignore[attr-defined]
        assert reconstruct(home, tmp_path / "halved", f"run={again}", "pretrain_check=2") != 0
    said = capsys.readouterr()
    assert "The fit was stopped (SIGTERM) at step 4; give the same command again to go on from" in said.out + said.err
    assert not (tmp_path / "halved" / "ball").exists()
    assert [path.name for path in (again / "checkpoints").iterdir()][-1:] and not (again / "weights").exists()
    assert reconstruct(home, tmp_path / "halved", f"run={again}", "pretrain_check=2") == 0
    pairs = [(tmp_path / "run", again, "weights/model.safetensors")]
    pairs += [(tmp_path / "run", again, f"pictures/{name}_0000006.png") for name in ("rgb", "textureless")]
    results = tmp_path / "whole" / "ball", tmp_path / "halved" / "ball"
    pairs += [(*results, name) for name in ("mesh.glb", "camera.json", "mask.png", "pretrain_check.png")]
    for whole, halved, name in pairs:
        assert (whole / name).read_bytes() == (halved / name).read_bytes(), name
    assert np.asarray(Image.open(results[0] / "pretrain_check.png")).shape == (64, 128, 3)


def refused(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *settings: str, **more: Path) -> str:
    """The sentence with which the command leaves; it leaves nothing behind."""
    code = reconstruct(home, tmp_path / "out", f"run={tmp_path / 'run'}", *settings, **more)
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if line.startswith("monoform: ")]
    assert code == 2 and len(lines) == 1 and "Traceback" not in said.err
    assert not (tmp_path / "out").exists() and not (tmp_path / "run").exists()
    return lines[0]


def test_a_word_of_another_width(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"_wide_": torch.ones(24)}, tmp_path / "wide.bin")
    sentence = refused(home, tmp_path, capsys, f"embedding={tmp_path / 'wide.bin'}")
    assert "24" in sentence and "16" in sentence and "_wide_" in sentence


def test_weights_that_are_missing(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sentence = refused(home, tmp_path, capsys, f"prior={tmp_path / 'nothing'}")
    assert "nothing" in sentence and "lift works without a diffusion model" in sentence


@pytest.mark.parametrize(("alpha", "sentence"), [(255, "give a mask with --mask FILE"), (0, "there is no object")])
def test_a_photo_without_an_object(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], alpha: int, sentence: str
) -> None:
    pixels = np.full((48, 48, 4), 200, np.uint8)
    pixels[..., 3] = alpha
    Image.fromarray(pixels[..., :3] if alpha else pixels).save(tmp_path / "wall.png")
    assert sentence in refused(home, tmp_path, capsys, photo=tmp_path / "wall.png")
