"""Checkpoints that cannot be used are told in one sentence, and change nothing."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.leftovers import left_behind
from tests.training.training_cases import Bowl, Duel, duel_options
from torch import nn

from monoform.errors import InputError
from monoform.training import Diverged, TrainOptions, list_checkpoints, load_checkpoint, train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train(Duel(), out, options=duel_options(steps=4))
    return out


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "out")
    return tmp_path / "out"


def sentence(call: Any) -> str:
    with pytest.raises(InputError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


def resume(out: Path, task: Any = None, **changes: Any) -> str:
    task = task or Duel()
    before = {name: item.clone() for name, item in task.module.state_dict().items()}
    text = sentence(lambda: train(task, out, options=duel_options(**changes)))
    after = task.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    return text


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_truncated(copy: Path, share: float) -> None:
    path = list_checkpoints(copy)[-1]
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    assert ("cannot be read" if share else "is empty") in resume(copy)


class Bomb:
    """Runs when a careless reader opens it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path(BOMB_FILE),))


BOMB_FILE = ""


def test_code_in_a_checkpoint_is_not_run(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = copy / "exploded"
    monkeypatch.setattr(f"{__name__}.BOMB_FILE", str(mark))
    path = list_checkpoints(copy)[-1]
    for content in ({"format": Bomb()}, Bomb()):
        torch.save(content, path)
        assert "cannot be read" in resume(copy)
        path.write_bytes(pickle.dumps(content))
        assert "cannot be read" in resume(copy)
    assert not mark.exists()
    pickle.loads(path.read_bytes())
    assert mark.exists()  # the bomb was live


def test_a_foreign_file(copy: Path) -> None:
    torch.save({"state_dict": {}}, list_checkpoints(copy)[-1])
    assert "no checkpoint of a monoform training" in resume(copy)


@pytest.mark.parametrize(
    ("name", "value"),
    [("step", "4"), ("step", -1), ("model", [1]), ("model", {"a": 1}), ("optimizers", None), ("sums", {"a": "b"})],
)
def test_an_entry_of_another_kind(copy: Path, name: str, value: Any) -> None:
    path = list_checkpoints(copy)[-1]
    torch.save({**torch.load(path, weights_only=True), name: value}, path)
    assert f"its entry {name!r} is missing or of another kind" in resume(copy)


def test_an_optimizer_that_does_not_fit(copy: Path) -> None:
    path = list_checkpoints(copy)[-1]
    content = torch.load(path, weights_only=True)
    content["optimizers"]["maker"]["state"][0]["exp_avg"] = torch.zeros(1, 2)
    torch.save(content, path)
    assert "its optimizer 'maker' does not fit" in resume(copy)


def test_a_checkpoint_of_an_earlier_version_is_gone_on_from(copy: Path) -> None:
    path = list_checkpoints(copy)[-1]
    content = torch.load(path, weights_only=True)
    content["optimisers"] = content.pop("optimizers")
    torch.save(content, path)
    assert set(load_checkpoint(path).optimizers) == {"critic", "maker"}
    assert train(Duel(), copy, options=duel_options(steps=5)).finished


def test_another_architecture(copy: Path) -> None:
    wider, longer = Duel(), Duel()
    wider.maker[0] = nn.Linear(4, 8)
    assert "'maker.0.weight' is (8, 3) in it and (8, 4) in the model" in resume(copy, wider)
    longer.module["more"] = nn.Linear(1, 1)
    assert "it lacks 'more.weight', one of 2 missing tensors" in resume(copy, longer)
    assert "with the phases critic, maker; this one has fall" in resume(copy, Bowl())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 1}, "a training with seed 0, and 1 is asked for"),
        ({"ema_decay": None}, "a training with ema_decay 0.8, and None is asked for"),
        ({"accumulate": 3}, "a training with micro-batches a step 2, and 3 is asked for"),
        ({"clip": 2.0}, "a training with clip 1.0, and 2.0 is asked for"),
        ({"precision": "bf16-mixed"}, "a training with precision 32-true"),
    ],
)
def test_options_that_decide_the_numbers_must_stay(copy: Path, changes: dict[str, Any], words: str) -> None:
    assert words in resume(copy, **changes)


def test_what_a_killed_process_left_half_written_is_cleared(copy: Path) -> None:
    partial = copy / "checkpoints" / left_behind("step-000000005.pt", ".pt")
    partial.write_bytes(b"half")
    train(Duel(), copy, options=duel_options(steps=5))
    assert not partial.exists()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    assert "Cannot write" in sentence(lambda: train(Bowl(), tmp_path / "out", options=TrainOptions(1, device="cpu")))


def test_no_checkpoint_there(tmp_path: Path) -> None:
    assert "There is no file" in sentence(lambda: load_checkpoint(tmp_path / "a.pt"))


class Falls(Bowl):
    """Its loss, or the gradient of a loss that stays finite, is NaN from step 3 on."""

    def __init__(self, how: str, *, last: int = 10**9) -> None:
        super().__init__()
        self.how, self.last = how, last

    def loss(self, batch: None, step: int, generator: torch.Generator) -> Any:
        loss, metrics = super().loss(batch, step, generator)
        if 3 <= step <= self.last:
            nothing = (self.module[0] * 0).sum()
            loss = loss * torch.nan if self.how == "loss" else loss + nothing.sqrt()
        return loss, metrics


def options(steps: int, **more: Any) -> TrainOptions:
    return TrainOptions(steps, device="cpu", checkpoint_every=2, **more)


def test_a_loss_that_is_nan_names_its_step_and_phase(tmp_path: Path) -> None:
    text = sentence(lambda: train(Falls("loss"), tmp_path, options=options(10)))
    assert text.startswith("The loss is nan at step 3 in phase 'fall'")
    assert load_checkpoint(list_checkpoints(tmp_path)[-1]).step == 2


def test_a_gradient_that_is_nan_never_reaches_a_checkpoint(tmp_path: Path) -> None:
    text = sentence(lambda: train(Falls("gradient"), tmp_path / "a", options=options(10)))
    assert text.startswith("The weights are not finite after step 3")
    text = sentence(lambda: train(Falls("gradient"), tmp_path / "b", options=options(10, clip=1.0)))
    assert text.startswith("The gradient is not finite at step 3 in phase 'fall'")
    for name in "ab":
        weights = load_checkpoint(list_checkpoints(tmp_path / name)[-1]).model
        assert all(bool(torch.isfinite(item).all()) for item in weights.values())


@pytest.mark.parametrize("how", ["loss", "gradient"])
def test_skipping_leaves_out_the_step(tmp_path: Path, how: str) -> None:
    task = Falls(how, last=4)
    train(task, tmp_path, options=options(10, nonfinite="skip"))
    assert float(task.module[0][0].detach()) == pytest.approx(0.9**8, rel=1e-12)


def test_skipping_ends_when_nothing_else_happens(tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="The loss is nan at step 103 in phase 'fall'"):
        train(Falls("loss"), tmp_path, options=options(200, nonfinite="skip"))


def test_checkpoints_are_frozen(trained: Path) -> None:
    checkpoint = load_checkpoint(list_checkpoints(trained)[-1])
    assert replace(checkpoint, step=9).step == 9
    with pytest.raises(AttributeError):
        checkpoint.step = 9  # type: ignore[misc]
