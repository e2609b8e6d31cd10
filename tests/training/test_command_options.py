"""What `monoform train` takes of the loop: each option, with the training's own default, has its effect."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.training.training_cases import Lines
from torch import Tensor, nn

from monoform.cli.main import main
from monoform.training import (
    LoopSettings,
    Training,
    TrainOptions,
    TrainResult,
    list_checkpoints,
    load_checkpoint,
    train,
)

STEPS = 6


@dataclass(frozen=True)
class LinesTraining(LoopSettings):
    """How lines are fitted.

    Attributes:
        rows: points in a batch.
        both: whether a batch is that of the first two micro-batches of another run.
    """

    ema_decay: float | None = None
    evaluate_every: int = 2
    rows: int = 4
    both: bool = False


class Shown(Lines):
    """Lines that are measured and shown."""

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        return {"bias": float(module.bias.detach())}

    def pictures(self, module: nn.Module) -> Mapping[str, Tensor]:
        assert not module.training and not torch.is_grad_enabled()
        ramp = torch.linspace(-0.5, 1.5, 5)
        return {"ramp": ramp[None, :, None].expand(2, 5, 3)}


class Run:
    """Trainings by the command, and what they leave."""

    def __init__(self, out: Path, seen: list[Tensor]) -> None:
        self.out, self.seen = out, seen

    def __call__(self, *words: str, name: str = "run", code: int = 0) -> Path:
        folder = self.out / name
        with pytest.raises(SystemExit) as left:
            main(["train", "lines", "--data", "d", "-o", str(folder), "--device", "cpu", *words])
        assert left.value.code == code
        return folder


def lines_of(folder: Path, kind: str) -> list[dict[str, Any]]:
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def last(folder: Path) -> Any:
    return load_checkpoint(list_checkpoints(folder)[-1])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    seen: list[Tensor] = []

    def fit(data: Path, out: Path, options: TrainOptions, settings: LinesTraining) -> TrainResult:
        task: Lines = Shown(rows=settings.rows)
        if settings.both:
            pairs = list(seen)
            task.batch = lambda step, generator: torch.cat(pairs[2 * step : 2 * step + 2])  # type: ignore[method-assign]
        task.seen = seen
        return train(task, out, options=options)

    training = Training("lines", "lines through points", LinesTraining, fit, steps=STEPS, data="Two numbers a line.")
    monkeypatch.setattr("monoform.jobs.train.trainings", lambda: {"lines": training})
    yield Run(tmp_path, seen)


def test_defaults_are_those_of_the_training(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run()
    assert f"{STEPS} of {STEPS} steps" in capsys.readouterr().out
    assert [line["step"] for line in lines_of(folder, "evaluate")] == [2, 4, 6]
    assert last(folder).ema is None and last(folder).options["clip"] == 1.0


def test_intervals(run: Run) -> None:
    names = {
        every: [path.stem for path in list_checkpoints(run("--checkpoint-every", every, name=every))] for every in "45"
    }
    assert [name[-1] for name in names["4"]] == ["4", "6"] and [name[-1] for name in names["5"]] == ["5", "6"]
    assert [line["step"] for line in lines_of(run("--evaluate-every", "5", name="e"), "evaluate")] == [5, 6]
    assert lines_of(run("--evaluate-every=0", name="none"), "evaluate") == []


def test_accumulation_of_two_halves_is_one_batch(run: Run) -> None:
    halves = last(run("--accumulate", "2", "--rows", "3", name="halves"))
    whole = last(run("--both", name="whole"))
    torch.testing.assert_close(halves.model, whole.model, rtol=1e-10, atol=1e-12)
    assert halves.options["micro-batches a step"] == 2 and whole.options["micro-batches a step"] == 1


def test_clipping_and_averages(run: Run) -> None:
    plain, clipped = last(run("--clip", "none", name="plain")), last(run("--clip", "1e-3", name="clipped"))
    assert not torch.equal(plain.model["weight"], clipped.model["weight"])
    assert plain.options["clip"] is None and clipped.options["clip"] == 1e-3
    averaged = last(run("--ema-decay", "0.5", name="averaged"))
    assert averaged.ema is not None and not torch.equal(averaged.ema["weight"], averaged.model["weight"])
    assert torch.equal(averaged.model["weight"], last(run(name="own")).model["weight"])


def test_flags_and_settings_are_the_same(run: Run) -> None:
    flags, settings = run("--rows", "3", name="flags"), run("--set", "rows=3", name="settings")
    assert torch.equal(last(flags).model["weight"], last(settings).model["weight"])


def test_pictures_are_written_while_it_trains(run: Run) -> None:
    folder = run("--evaluate-every", "4")
    names = ["index.html", "ramp_0000004.png", "ramp_0000006.png"]
    assert sorted(path.name for path in (folder / "pictures").iterdir()) == names
    pixels = np.asarray(Image.open(folder / "pictures" / "ramp_0000004.png"))
    assert pixels.shape == (2, 5, 3) and pixels[0, :, 0].tolist() == [0, 0, 128, 255, 255]
    assert not (run("--no-write-pictures", name="without") / "pictures").exists()


def test_tensorboard_has_the_numbers_and_the_pictures(run: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(run("--tensorboard") / "tensorboard")).Reload()
    assert [event.step for event in board.Scalars("evaluate/bias")] == [2, 4, 6]
    assert [event.step for event in board.Images("ramp")] == [2, 4, 6]
    assert not (run(name="without") / "tensorboard").exists()


def test_tensorboard_that_is_not_installed_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    folder = run("--tensorboard", code=2)
    assert capsys.readouterr().err == (
        "monoform: Writing for TensorBoard needs the package: pip install 'monoform[train]'.\n"
    )
    assert not folder.exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--clip",), "--clip needs a value."),
        (("--clip", "much"), "--set clip is 'much': give a number."),
        (("--clip", "0"), "clip is 0.0; it must be positive, or None for no limit."),
        (("--accumulate", "0"), "accumulate is 0; it must be at least 1."),
        (("--checkpoint-every", "0"), "checkpoint_every is 0; it must be at least 1."),
        (("--clpi", "1"), "train lines has no option --clpi: did you mean --clip?"),
        (("--device", "tpu"), "--device is 'tpu': give auto, cpu, cuda or mps."),
    ],
)
def test_words_that_do_not_fit_are_one_sentence(
    words: tuple[str, ...], sentence: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(*words, code=2)
    assert capsys.readouterr().err == f"monoform: {sentence}\n"
    assert not folder.exists()


def test_the_help_tells_each_with_its_default(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("--help")
    told = capsys.readouterr().out
    assert "--evaluate-every (default: 2): steps from evaluation to evaluation" in told
    assert "--rows (default: 4): points in a batch." in told
    assert told.startswith("usage: monoform train lines [-h] [OPTIONS]\n") and "Train lines through points; an" in told
    assert "--data PATH Two numbers a line. (required)" in " ".join(told.split())


def test_a_signal_after_the_last_step_leaves_no_lock(tmp_path: Path) -> None:
    """While weights, meshes and films are made, the loop does not listen any more."""
    program = """
import os, signal, sys
from monoform.cli.main import main
from monoform.training import LoopSettings, Training
from monoform.training.checkpoint import checkpoint_path

def late(data, out, options, settings):
    checkpoint_path(out, 1).parent.mkdir()
    checkpoint_path(out, 1).touch()
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(10):
        pass

training = Training("late", "nothing", LoopSettings, late)
import monoform.jobs.train
monoform.jobs.train.trainings = lambda: {"late": training}
main(["train", "late", "--data", ".", "-o", sys.argv[1]])
"""
    words = [sys.executable, "-c", program, str(tmp_path / "out")]
    done = subprocess.run(words, check=False, capture_output=True, timeout=60)
    assert done.returncode == 130 and b"nothing is left half-written" in done.stderr, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["checkpoints", "training.json"]
