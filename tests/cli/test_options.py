"""What does not fit a verb's options is answered with one sentence that names it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import pytest
import tyro

from monoform.cli.main import VERBS, main
from monoform.cli.options import parse
from monoform.errors import InputError
from monoform.methods.inerf.config import SAMPLINGS


@dataclass(frozen=True)
class Bake:
    """Bake cakes."""

    cakes: tyro.conf.Positional[tuple[str, ...]]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    layers: int = 2
    heat: float | None = None
    icing: Literal["none", "sugar"] = "none"
    shelves: tuple[int, ...] = ()
    size: Annotated[tuple[int, int] | None, tyro.conf.arg(metavar="WIDTH HEIGHT")] = None
    quick: bool = False
    source: Annotated[str | None, tyro.conf.arg(name="from")] = None


def test_good_words_are_read_wherever_they_stand():
    words = "a b -o d --shelves 1 -2 --no-quick --from=x --heat -1.5"
    read = parse(Bake, "bake", words.split())
    assert read == Bake(("a", "b"), Path("d"), heat=-1.5, shelves=(1, -2), source="x")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("a -o d --layres 3", "bake has no option --layres: did you mean --layers?"),
        ("a -o d -layers 3", "did you mean --layers?"),
        ("a -o d --no-quik", "did you mean --no-quick?"),
        ("a -o d --xyzzy", "bake has no option --xyzzy; `monoform bake --help` lists its options."),
        ("a", "bake needs -o DIR; `monoform bake --help` lists its options."),
        ("a -o", "-o needs a value, a path."),
        ("a -o d --layers", "--layers needs a value, a whole number."),
        ("a -o d --layers --quick", "--layers needs a value, a whole number."),
        ("a -o d --layers two", "--layers is 'two': give a whole number."),
        ("a -o d --layers=2.5", "--layers is '2.5': give a whole number."),
        ("a -o d --heat hot", "--heat is 'hot': give a number."),
        ("a -o d --icing salt", "--icing is 'salt': give none or sugar."),
        ("a -o d --shelves 1 x", "--shelves is 'x': give a whole number."),
        ("a -o d --size 3", "--size needs 2 values, WIDTH HEIGHT."),
        ("a -o d --quick yes", "'yes' stands where bake expects an option"),
    ],
)
def test_wrong_words_are_one_sentence(words, sentence, capsys):
    with pytest.raises(InputError) as caught:
        parse(Bake, "bake", words.split())
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value) and not any(character in str(caught.value) for character in "╭│╰")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "words",
    ["--set a=1 b=2 c=3", "--set a=1 --set b=2 c=3", "--set=a=1 --method inflate --set b=2 --set=c=3"],
)
def test_all_values_count_of_an_option_that_is_given_several_times(words):
    reconstruct = import_module("monoform.cli.reconstruct")
    asked = reconstruct.read(["photo.png", "-o", "out", *words.split()])
    assert asked.set == ("a=1", "b=2", "c=3") and asked.photos == ("photo.png",)


def test_help_is_still_printed(capsys):
    with pytest.raises(SystemExit) as left:
        parse(Bake, "bake", ["--help"])
    assert left.value.code == 0
    assert "Bake cakes." in capsys.readouterr().out


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("evaluate", "prepare")])
def test_every_verb_refuses_an_unknown_option(verb):
    with pytest.raises(InputError, match="no option --not-an-option"):
        import_module(f"monoform.cli.{verb}").read(["--not-an-option"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evaluate"], "evaluate needs the name of a method first"),
        (["evaluate", "pixelnrf"], "did you mean pixelnerf?"),
        (["evaluate", "list", "--dat", "x"], "did you mean --data?"),
        (["prepare"], "prepare needs a kind first"),
        (["prepare", "mesh"], "did you mean meshes?"),
        (["prepare", "sdf", "-o", "x"], "prepare sdf needs --data PATH"),
        (["train", "scen", "--data", "d", "-o", "o"], "did you mean scene?"),
        (["train", "scene", "--data", "d", "-o", "o", "--minutes", "-1"], "--minutes is -1"),
        (["train", "scene", "--no-such-option", "-o", "scene"], "`monoform train scene --help` lists its options"),
        (["cite", "out/mug"], "There is no result folder out/mug: check the path, or give the name of a method."),
        (["cite", "nosuch"], "There is no method 'nosuch'"),
        (["generate", "-o", "x"], "generate needs METHOD or --weights; "),
        (["evaluate", "inerf", "--scene", "no-such", "-o", "x"], "in it; train one with monoform train scene; a scene"),
    ],
)
def test_the_command_line_says_it_and_leaves_2(words, sentence, capsys, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    with pytest.raises(SystemExit) as left:
        main(words)
    said = capsys.readouterr()
    assert left.value.code == 2
    assert said.err.startswith("monoform: ") and said.err.count("\n") == 1 and sentence in said.err


def test_helps_list_every_sampling(capsys):
    """The values are named in the help by hand: it has to be read without loading the method."""
    for words, default in ((["pose"], "regions"), (["evaluate", "inerf"], "of the preset")):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        told = " ".join(re.sub("[│\n]", " ", capsys.readouterr().out).split())
        assert f"{', '.join(SAMPLINGS[:-1])} or {SAMPLINGS[-1]}. Default: {default}." in told


def test_a_file_is_no_method_to_cite(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mug.glb").touch()
    with pytest.raises(SystemExit):
        main(["cite", "mug.glb"])
    assert "There is no result folder mug.glb: " in capsys.readouterr().err
