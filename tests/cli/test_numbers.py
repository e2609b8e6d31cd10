"""Numbers of the command line: finite, and within what can be done, whatever the verb."""

from __future__ import annotations

import dataclasses
import typing

import pytest

from monoform.cli import (
    app,
    film,
    pose,
    prepare,
    reconstruct,
    serve,
    train,
    view,
)
from monoform.cli.options import parse
from monoform.cli.settings import parse_overrides
from monoform.errors import InputError
from monoform.jobs.evaluate import evaluations
from monoform.methods.pixelnerf.evaluate import PixelNerfEvaluation
from monoform.training import TrainOptions

EVALUATED = {
    "bootstrap": ["--data", "d", "--category", "c", "--weights", "w", "--encoder", "e"],
    "inerf": ["--scene", "d"],
    "lift": ["d"],
    "nerf": ["--scene", "d"],
    "pictures": ["d", "--truth", "t"],
    "pof3d": ["--data", "d", "--weights", "w"],
    "realfusion": ["d"],
}
VERBS = {
    "reconstruct": (reconstruct.Reconstruct, ["a.png", "-o", "x"]),
    "pose": (pose.Pose, ["a.png", "-o", "x", "--scene", "s"]),
    "train": (train.Train, ["--data", "d", "-o", "x"]),
    "serve": (serve.Serve, []),
    "app": (app.App, []),
    "view": (view.View, ["d"]),
    "film": (film.Film, ["--data", "d", "--weights", "w", "-o", "x"]),
    **{
        f"evaluate {name}": (each.options, [*EVALUATED.get(name, ["--data", "d"]), "-o", "x"])
        for name, each in evaluations().items()
    },
    **{f"prepare {name}": (prepare._kind(name)[0], ["-o", "x", "--data", "d"]) for name in ("sdf", "meshes")},
    "prepare poses": (prepare._kind("poses")[0], ["--scene", "s"]),
}

UNDRAWN = ("prepare poses", "serve", "app", "view")  # they draw nothing


def numeric(kind: type) -> list[tuple[str, type]]:
    """The options of a verb that take a number."""
    hints = typing.get_type_hints(kind)
    found = []
    for item in dataclasses.fields(kind):
        for number in (int, float):
            if hints[item.name] in (number, number | None):
                found.append((item.name.replace("_", "-"), number))
    return found


@pytest.mark.parametrize("verb", VERBS)
def test_every_numeric_option_refuses_what_is_no_number_that_can_be_used(verb: str) -> None:
    kind, words = VERBS[verb]
    assert parse(kind, verb, words)
    options = numeric(kind)
    assert options
    for name, number in options:
        values = ["9223372036854775808", "-9223372036854775809", "1" + "0" * 30]
        if number is float:
            values = ["nan", "inf", "-inf", "1e400"]
        for value in values:
            with pytest.raises(InputError, match=rf"--{name} is "):
                parse(kind, verb, [*words, f"--{name}={value}"])


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in UNDRAWN])
def test_seeds_are_those_that_generators_take(verb: str) -> None:
    kind, words = VERBS[verb]
    assert parse(kind, verb, [*words, "--seed", str(2**63 - 1)]).seed == 2**63 - 1
    for seed in (2**63, 2**64, -1):
        with pytest.raises(InputError, match=rf"--seed is {seed}; it must lie in 0\.\.2\^63-1\."):
            parse(kind, verb, [*words, f"--seed={seed}"])


def test_seeds_from_python_and_of_methods_too() -> None:
    with pytest.raises(InputError, match=r"2\^63-1"):
        TrainOptions(steps=1, seed=2**63)
    for value in ("nan", "inf", "1e400"):
        with pytest.raises(InputError, match="--set thickness"):
            parse_overrides("inflate", [f"thickness={value}"])
    with pytest.raises(InputError, match="--set detail"):
        parse_overrides("inflate", ["detail=" + "9" * 30])


@pytest.mark.parametrize("text", ["0-999999999", "0-100000", "5-1", "9" * 30, "0-99999 " * 5, "1.5", "-2", "a"])
def test_ranges_of_views_are_bounded_before_they_are_written_out(text: str) -> None:
    with pytest.raises(InputError, match="--targets"):
        parse(PixelNerfEvaluation, "evaluate pixelnerf", ["--data", "d", "-o", "x", "--targets", *text.split()])


def test_ranges_of_views_are_as_before() -> None:
    for words, views in (
        (["0 24-26,-1"], (0, 24, 25, 26, -1)),
        (["0", "24-26", "-1"], (0, 24, 25, 26, -1)),
        (["dtu", "5"], (3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 36, 37, 38, 39, 5)),
        ([""], ()),
    ):
        asked = parse(PixelNerfEvaluation, "evaluate pixelnerf", ["--data", "d", "-o", "x", "--targets", *words])
        assert asked.targets == views
    for wrong in ("a", "3-", "-2", "1.5"):
        with pytest.raises(InputError, match="--targets"):
            parse(PixelNerfEvaluation, "evaluate pixelnerf", ["--data", "d", "-o", "x", "--targets", wrong])
