"""Whoever has read one method's folder finds the way in all: the same questions are answered by files of one name."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import monoform.methods
from monoform.methods import every_method

OURS = {name: kind for name, kind in every_method().items() if kind.__module__.startswith("monoform.methods.")}


def test_every_folder_is_a_method() -> None:
    """None lies among them that the registry does not know."""
    folders = {each.parent.name for each in Path(monoform.methods.__file__).parent.glob("*/__init__.py")}
    assert folders == set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_files_are_called_the_same(name: str) -> None:
    """Its class, options, losses, training, evaluation and checkpoints lie where they do in every other method."""
    kind, package = OURS[name], f"monoform.methods.{name}"
    assert kind.__module__ == f"{package}.infer"
    assert kind.config_class.__module__ == f"{package}.config"
    trains, measured, published = kind.training(), kind.evaluation(), kind.published()
    assert (trains is None) == (find_spec(f"{package}.train") is None)
    if trains is not None:
        assert trains.run.__module__ == f"{package}.train"
        assert find_spec(f"{package}.losses") and find_spec(f"{package}.model")
    if measured is not None:
        assert find_spec(f"{package}.evaluate")
    if published is not None:
        assert published.__name__ == f"{package}.published"


@pytest.mark.parametrize("name", OURS)
def test_losses_lie_in_losses(name: str) -> None:
    """No other file of a method defines a function that is called a loss, but for methods that hand one to the loop."""
    folder = Path(monoform.methods.__file__).parent / name
    defined = [
        f"{file.name}: {line.strip()}"
        for file in folder.glob("*.py")
        if file.name != "losses.py"
        for line in file.read_text().splitlines()
        if line.startswith("def ") and line.partition("(")[0].endswith(("loss", "losses", "_error"))
    ]
    assert not defined
