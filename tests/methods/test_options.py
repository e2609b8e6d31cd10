"""The options of all methods and trainings: each is explained, and what the command line says is what arrives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from monoform.cli.main import main
from monoform.cli.settings import option_rows, parse_settings
from monoform.errors import InputError
from monoform.jobs.train import trainings
from monoform.methods import every_method, method_names
from monoform.methods.inerf import InerfOptions, PhotometricAdam
from monoform.methods.list.config import ListConfig
from monoform.methods.nerf import HashConfig, NerfConfig
from monoform.methods.pixelnerf import FastOptions, PixelNerfConfig

UNAVERAGED = ("bootstrap", "bootstrap-encoder", "embedding", "pof3d", "scene", "triposr")
"""Trainings that average no weights, or say themselves how."""
OTHERS = {kind.__name__: kind for kind in (ListConfig, NerfConfig, HashConfig, PixelNerfConfig, FastOptions)}
KINDS = {
    **{f"{name}": method.config_class for name, method in every_method().items()},
    **{f"train {name}": training.options for name, training in trainings().items()},
    **OTHERS,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_option_is_explained(kind):
    rows = option_rows(kind)
    assert rows
    assert [name for name, _, meaning in rows if len(meaning) < 5] == []
    assert [name for name, _, meaning in rows if "; " in meaning and f"{name}: " in meaning.split("; ", 1)[1]] == []


def test_every_method_that_is_installed_can_be_asked():
    assert list(every_method()) == method_names()


@dataclass(frozen=True)
class Icing:
    """Icing.

    Attributes:
        color: of it.
        layers: how many there are.
    """

    color: Literal["white", "pink"] = "white"
    layers: int = 2


@dataclass(frozen=True)
class Cake:
    """A cake.

    Attributes:
        heat: of the oven, in degrees; more
            is less.
        sizes: of the tiers.
        middle: where it stands.
        layers: of dough.
        eggless: without eggs.
        words: on top of it.
        limit: at most;
            none: for all.
        icing: around it.
    """

    heat: float = 180.0
    sizes: tuple[int, ...] = (3, 2)
    middle: tuple[float, float] | None = None
    layers: int = 1
    eggless: bool = False
    words: str = ""
    limit: int | None = 4
    icing: Icing = field(default_factory=Icing)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("heat=4", {"heat": 4.0}),
        ("heat=-1.5e2", {"heat": -150.0}),
        ("sizes=1 2", {"sizes": (1, 2)}),
        ("sizes=1,2, 3", {"sizes": (1, 2, 3)}),
        ("sizes=", {"sizes": ()}),
        ("middle=0 -0.5", {"middle": (0.0, -0.5)}),
        ("middle=", {"middle": None}),
        ("limit=none", {"limit": None}),
        ("limit=-3", {"limit": -3}),
        ("eggless=True", {"eggless": True}),
        ("eggless=false", {"eggless": False}),
        ("words=a b=c, --d", {"words": "a b=c, --d"}),
        ("words=--help", {"words": "--help"}),
        ("icing.color=pink", {"icing": Icing("pink")}),
    ],
)
def test_values_have_the_types_of_their_fields(word, values):
    found = parse_settings(Cake, [word], "cake")
    assert found == values
    assert [type(value) for value in found.values()] == [type(value) for value in values.values()]
    Cake(**found)


def test_words_of_one_nested_option_add_up():
    assert parse_settings(Cake, ["icing.color=pink", "icing.layers=3"], "cake") == {"icing": Icing("pink", 3)}


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("heat", "--set heat: give NAME=VALUE with a NAME of cake: heat, sizes"),
        ("cream=1", "with a NAME of cake"),
        ("icing=1", "icing.color"),
        ("color=pink", "icing.layers (did you mean icing.color?)."),
        ("egless=true", "(did you mean eggless?)."),
        ("heat=hot", "--set heat is 'hot': give a number."),
        ("heat=nan", "--set heat is nan"),
        ("layers=2.5", "--set layers is '2.5': give a whole number."),
        ("layers=", "--set layers is '': give a whole number."),
        ("layers=1 2", "--set layers is '1 2': give a whole number."),
        ("sizes=1 x", "--set sizes is 'x': give a whole number."),
        ("middle=1", "--set middle is '1': give 2 values"),
        ("middle=1 2 3", "--set middle is '1 2 3': give 2 values"),
        ("eggless=perhaps", "--set eggless is 'perhaps': give true or false."),
        ("icing.color=blue", "--set icing.color is 'blue': give white or pink."),
        ("sizes=" + "9" * 30, "--set sizes is 9"),
    ],
)
def test_wrong_words_are_one_sentence(word, sentence, capsys):
    with pytest.raises(InputError) as caught:
        parse_settings(Cake, [word], "cake")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr() == ("", "")


def test_rows_tell_defaults_and_whole_meanings():
    rows = {name: (start, meaning) for name, start, meaning in option_rows(Cake)}
    assert rows["heat"] == ("180.0", "of the oven, in degrees; more is less.")
    assert rows["limit"] == ("4", "at most; none: for all.")
    assert rows["sizes"] == ("3 2", "of the tiers.")
    assert rows["layers"] == ("1", "of dough.")
    assert rows["icing.layers"] == ("2", "how many there are.")


def test_options_of_the_descent_are_reached_through_those_of_the_method():
    values = parse_settings(InerfOptions, ["descent.steps=7", "optimizer=adam"], "inerf")
    assert InerfOptions(**values) == InerfOptions(optimizer="adam", descent=PhotometricAdam(steps=7))


@pytest.mark.parametrize("name", trainings())
def test_the_help_of_a_training_lists_what_it_takes(name, capsys):
    with pytest.raises(SystemExit) as left:
        main(["train", name, "--help"])
    assert not left.value.code
    told = capsys.readouterr().out
    flags = [f"  --{option.replace('_', '-')} (default: " for option, _, _ in option_rows(trainings()[name].options)]
    assert len(flags) > 6 and all(flag in told for flag in flags)


@pytest.mark.parametrize("name", trainings())
def test_defaults_of_the_loop_belong_to_the_training(name):
    training = trainings()[name]
    settings = training.options(**parse_settings(training.options, ["checkpoint_every=17", "clip=0.5"], name))
    options = settings.loop(steps=3, seed=5)
    assert (options.steps, options.seed, options.checkpoint_every, options.clip) == (3, 5, 17, 0.5)
    assert training.options().loop(steps=1).ema_decay == (None if name in UNAVERAGED else 0.999)
