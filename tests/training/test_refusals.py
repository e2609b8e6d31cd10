"""Options and tasks that cannot be run, and packages that are not there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.training.training_cases import Bowl, Lines
from torch import nn

from monoform.errors import InputError
from monoform.training import Optimizer, Phase, TrainOptions, train


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"keep": 0}, "keep is 0"),
        ({"evaluate_every": -1}, "evaluate_every is -1"),
        ({"clip": 0.0}, "clip is 0.0; it must be positive"),
        ({"max_seconds": -5.0}, "max_seconds is -5.0"),
        ({"max_seconds": float("nan")}, "max_seconds is nan"),
        ({"ema_decay": 1.0}, "ema_decay is 1.0"),
    ],
)
def test_options(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        TrainOptions(**{"steps": 5, **changes})
    assert words in str(caught.value)


class Given:
    """A task with these phases."""

    def __init__(self, *phases: Phase, module: nn.Module) -> None:
        self.module, self.given = module, list(phases)

    def phases(self) -> list[Phase]:
        return self.given

    def batch(self, step: int, generator: torch.Generator) -> None:
        return None


def test_phases(tmp_path: Path) -> None:
    lines = Lines()
    module, loss = lines.module, lines.loss
    fit = Phase("fit", module.parameters, loss)
    cases = [
        ((), "The task has no phase"),
        ((fit, fit), "Two phases are named 'fit'"),
        ((Phase("none", [], loss),), "'none' has no parameter that asks for gradients"),
        ((Phase("far", [nn.Parameter(torch.ones(1))], loss),), "'far' trains a tensor that is no parameter"),
        ((Phase("late", (), loss, shares="fit"), fit), "shares the optimizer of 'fit', which is no earlier phase"),
    ]
    for phases, words in cases:
        with pytest.raises(InputError) as caught:
            train(Given(*phases, module=module), tmp_path, options=TrainOptions(1, device="cpu"))
        assert words in str(caught.value)
    with pytest.raises(InputError, match="due every 0 steps"):
        Phase("never", module.parameters, loss, every=0)


def test_parameter_groups_have_their_own_rates(tmp_path: Path) -> None:
    task = Bowl()
    task.module.append(nn.Parameter(torch.ones(2, dtype=torch.float64)))
    groups = [{"params": [task.module[0]]}, {"params": [task.module[1]], "lr": 0.01}]

    def loss(batch: None, step: int, generator: torch.Generator) -> Any:
        return (task.module[0] + task.module[1]).sum(), {}

    phase = Phase("fall", groups, loss, optimizer=Optimizer("sgd", 0.1))
    train(Given(phase, module=task.module), tmp_path, options=TrainOptions(1, device="cpu"))
    assert [float(item[0].detach()) for item in task.module] == pytest.approx([0.9, 0.99])


def test_frozen_parameters_stay_frozen(tmp_path: Path) -> None:
    task = Lines()
    task.module.bias.requires_grad_(False)
    before = task.module.bias.clone()
    train(task, tmp_path, options=TrainOptions(3, device="cpu"))
    assert torch.equal(task.module.bias, before) and not task.module.bias.requires_grad
    assert task.module.weight.requires_grad


@pytest.mark.parametrize(
    ("missing", "changes", "words"),
    [
        ("lightning.fabric", {}, "Training needs Lightning: pip install 'monoform[train]'."),
        ("torch.utils.tensorboard", {"tensorboard": True}, "needs the package: pip install 'monoform[train]'."),
    ],
)
def test_packages_that_are_not_there(
    missing: str, changes: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(InputError) as caught:
        train(Bowl(), tmp_path, options=TrainOptions(1, device="cpu", **changes))
    assert words in str(caught.value)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--device is cuda, which is not there"):
        train(Bowl(), tmp_path, options=TrainOptions(1, device="cuda"))


def test_nothing_heavy_is_imported_with_the_room() -> None:
    code = "import sys, monoform.training as t; print([n for n in ('lightning', 'tensorboard') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
