"""Names of results that every file system takes, and sentences that every terminal shows."""

from __future__ import annotations

import pickle

import pytest

from monoform.errors import InputError
from monoform.inputs import name_of, safe_name
from monoform.text import printable, shortened


@pytest.mark.parametrize(
    "name",
    [
        "杯" * 300,
        "é" * 300,
        "👍🏽" * 100,
        "a" * 1000,
        "..",
        "",
        "con",
        "NUL.tar",
        "a. ",
        "\udcff\udcfe",
        "a\x00b/../c",
        "\u202eabc",
    ],
)
def test_any_name_becomes_one_that_file_systems_take(name: str) -> None:
    safe = safe_name(name)
    assert 0 < len(safe.encode()) <= 181
    assert not set(safe) & set('/\\:*?"<>|\0') and safe.isprintable()
    assert safe[-1] not in ". " and safe[0] != "."
    assert safe.partition(".")[0].lower() not in ("con", "nul", "prn", "aux", "com1", "lpt1")
    assert safe_name(safe) == safe


def test_good_names_stay() -> None:
    for name in ("cup", "my cup.2", "Tasse-größer", "杯", "icon", "con2"):
        assert safe_name(name) == name
    assert safe_name("e\u0301") == "\u00e9"
    assert name_of("https://host/a%20b.png?x=1") == "a b"


def test_sentences_are_one_line_without_what_cannot_be_seen() -> None:
    error = InputError("There is no file a\nb\x1b[2J\u202e\udcff" + "x" * 5000 + ": check the name.")
    text = str(error)
    assert text.isprintable() and len(text) < 500
    assert text.startswith(r"There is no file a\nb\x1b[2J\u202e�") and text.endswith(": check the name.")
    text.encode()
    assert str(pickle.loads(pickle.dumps(error))) == text
    assert shortened(printable("größer 杯 ok")) == "größer 杯 ok"
    assert len(shortened("a " * 100_000)) <= 4000
