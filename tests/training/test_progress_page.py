"""The page about a running training."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from monoform.training import Phase, TrainOptions, train
from monoform.training.progress_page import PAGE, write_page

SOURCE = re.compile(r'<img src="\./([^"]+)"')


def page(folder: Path, step: int, *, running: bool = True) -> str:
    write_page(folder, step=step, steps=20, note="loss 0.5", running=running)
    return (folder / PAGE).read_text(encoding="utf-8")


def test_the_latest_picture_of_each_name_comes_first(tmp_path: Path) -> None:
    for name in ("rgb_0000002.png", "rgb_0000010.png", "shape_0000010.png", "rgb_0000012.png", "photo.png"):
        (tmp_path / name).touch()
    text = page(tmp_path, 10)
    assert SOURCE.findall(text) == ["rgb_0000010.png", "rgb_0000002.png", "shape_0000010.png"]
    assert "Step 10 of 20: loss 0.5" in text


def test_it_loads_itself_anew_only_while_the_training_runs(tmp_path: Path) -> None:
    assert 'http-equiv="refresh"' in page(tmp_path, 1)
    stopped = page(tmp_path, 1, running=False)
    assert "refresh" not in stopped and "Not running" in stopped


def test_names_are_text_and_not_markup(tmp_path: Path) -> None:
    (tmp_path / "<b>&#_0000001.png").touch()
    text = page(tmp_path, 1)
    assert "<b>" not in text and "&lt;b&gt;&amp;#" in text and SOURCE.findall(text) == ["%3Cb%3E%26%23_0000001.png"]


class Shown:
    """A task that keeps what its page was before each step."""

    def __init__(self, page: Path) -> None:
        self.module: nn.Module = nn.Linear(1, 1)
        self.page, self.pages = page, list[str]()

    def phases(self) -> list[Phase]:
        return [Phase("fit", self.module.parameters, self._loss)]

    def batch(self, step: int, generator: torch.Generator) -> Tensor:
        return torch.ones(2, 1)

    def before_step(self, step: int, generator: torch.Generator) -> None:
        self.pages.append(self.page.read_text(encoding="utf-8") if self.page.exists() else "")

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        return {"weight": torch.full((2, 2, 3), 0.5)}

    def _loss(self, batch: Tensor, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        return self.module(batch).square().mean(), {}


@pytest.mark.parametrize("every", [1, 2])
def test_a_training_brings_it_up_to_date_with_its_pictures(tmp_path: Path, every: int) -> None:
    task = Shown(tmp_path / "run" / "pictures" / PAGE)
    train(task, tmp_path / "run", options=TrainOptions(5, evaluate_every=every, progress=False, device="cpu"))
    assert [SOURCE.findall(text)[:1] for text in task.pages] == [
        [] if step < every else [f"weight_{step - step % every:07d}.png"] for step in range(5)
    ]
    assert all("refresh" in text for text in task.pages[every:])
    done = task.page.read_text(encoding="utf-8")
    assert "refresh" not in done and "Step 5 of 5" in done and SOURCE.findall(done)[0] == "weight_0000005.png"
