"""Options of nested dataclasses are changed together."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from monoform.cli.settings import parse_settings
from monoform.errors import InputError


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
