"""A method of another package, installed beside monoform, is trained, evaluated and listed like ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = '''
from dataclasses import dataclass
from pathlib import Path

from monoform.methods import Method, MethodCard
from monoform.metrics.evaluation import Evaluation
from monoform.training import LoopSettings, Training, TrainResult


@dataclass(frozen=True)
class Use:
    """How it is used.

    Attributes:
        size: of it.
    """

    size: int = 1


@dataclass(frozen=True)
class Learning(LoopSettings):
    """How it is trained.

    Attributes:
        widths: of its layers.
    """

    clip: float | None = 2.0
    widths: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class Measuring:
    """Measure it."""

    data: Path
    """What it is measured by."""


def learn(data, out, options, settings):
    out.mkdir(exist_ok=True)
    (out / "told.txt").write_text(f"{data.name} {options.clip} {settings.widths}")
    return TrainResult(options.steps, "done", out / "told.txt", {"loss": 0.5}, 0.0)


class Outside(Method):
    config_class = Use
    card = MethodCard("outside", "of another package", "nothing", "MIT", None, 0.0, ())

    @classmethod
    def training(cls):
        return Training("outside", "as it likes", Learning, learn)

    @classmethod
    def evaluation(cls):
        return Evaluation("how good it is", Measuring, lambda asked: f"measured by {asked.data}\\n")
'''


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    return subprocess.run(
        [sys.executable, "-m", "monoform", *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=200,
        env={**os.environ, "PYTHONPATH": paths},
    )


def test_the_commands_go_over_what_is_installed(tmp_path):
    (tmp_path / "outside.py").write_text(CODE)
    info = tmp_path / "outside-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[monoform.methods]\noutside = outside:Outside\n")
    words = ("train", "outside", "--data", "d", "-o", str(tmp_path / "run"), "--steps", "3", "--set", "widths=4 5")
    trained = run(tmp_path, *words)
    assert trained.returncode == 0, trained.stderr
    assert "3 of 3 steps are done. loss 0.5" in trained.stdout
    assert (tmp_path / "run" / "told.txt").read_text() == "d 2.0 (4, 5)"
    measured = run(tmp_path, "evaluate", "outside", "--data", "e")
    assert (measured.returncode, measured.stdout) == (0, "measured by e\n"), measured.stderr
    listed = run(tmp_path, "models", "outside")
    assert "verbs: train, evaluate" in listed.stdout and "of its layers." in listed.stdout
