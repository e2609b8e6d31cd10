"""Options of nested dataclasses are changed together; what a training tells at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from monoform.cli.settings import option_rows, parse_overrides, parse_settings
from monoform.cli.train import told
from monoform.errors import InputError
from monoform.methods.pof3d.training_config import Pof3dTraining


@dataclass(frozen=True)
class Span:
    low: int = 10
    high: int = 20

    def __post_init__(self) -> None:
        if self.low >= self.high:
            raise InputError("The span is empty.")


@dataclass(frozen=True)
class Whole:
    span: Span = field(default_factory=Span)
    name: str = "a"


@pytest.mark.parametrize("words", [["span.low=30", "span.high=40"], ["span.high=40", "span.low=30"]])
def test_the_order_of_options_does_not_matter(words: list[str]) -> None:
    assert parse_settings(Whole, [*words, "name=b"], "it") == {"span": Span(30, 40), "name": "b"}


def test_what_is_not_valid_together_is_refused() -> None:
    with pytest.raises(InputError, match="empty"):
        parse_settings(Whole, ["span.low=30"], "it")


def test_a_name_that_is_given_two_values_is_refused() -> None:
    with pytest.raises(InputError, match=r"--set span.low is given twice, as 30 and as 3: give it once"):
        parse_settings(Whole, ["span.low=30", "span.high=40", "span.low=3"], "it")
    assert parse_settings(Whole, ["name=b", "name=b"], "it") == {"name": "b"}
    with pytest.raises(InputError, match="preset is given twice"):
        parse_overrides("realfusion", ["preset=published", "preset=magic123"])


@dataclass(frozen=True)
class Judge:
    size: int = field(default=8, metadata={"derived": True})
    width: int = 3


@dataclass(frozen=True)
class Judged:
    judge: Judge = field(default_factory=Judge)


def test_what_others_decide_is_no_option() -> None:
    assert [name for name, _, _ in option_rows(Judged)] == ["judge.width"]
    assert parse_settings(Judged, ["judge.width=4"], "it", Judged(Judge(size=16))) == {"judge": Judge(16, 4)}
    with pytest.raises(InputError, match=r"judge\.size=4: give NAME=VALUE with a NAME of it: judge\.width"):
        parse_settings(Judged, ["judge.size=4"], "it")
    assert "discriminator.resolution" not in {name for name, _, _ in option_rows(Pof3dTraining)}


def test_a_training_tells_few_of_its_figures_at_its_end() -> None:
    few = {"loss": 2.0, "evaluate/psnr": 20.5}
    assert told(few) == "loss 2, evaluate/psnr 20.5"
    bins = {f"evaluate/yaw_from_{low}": 0.1 for low in range(0, 360, 30)}
    losses = {f"{name}/loss": 1.0 for name in "abc"} | {f"{name}/rate": 1e-3 for name in "abcdefgh"}
    line = told(losses | bins | {"evaluate/fid": 3.25})
    assert "evaluate/fid 3.25" in line and "c/loss 1" in line and "_from_" not in line
    assert line.count(",") == 7 and line.endswith("; all 24 figures are in metrics.jsonl")
