"""What every method must do, in small: weights that come back, a result, a step of training, a measure, a refusal."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.mesh.mesh_shapes import box
from tests.methods.list.tiny_list import tiny_config
from tests.methods.tiny_methods import TINY, used
from tests.pretend_device import pretend_device

from monoform.cli.evaluate import read as read_words
from monoform.cli.settings import parse_overrides, parse_settings
from monoform.devices import device_of
from monoform.errors import InputError
from monoform.jobs.evaluate import evaluations
from monoform.methods import make, method_class, method_names
from monoform.methods.list import config as list_config
from monoform.methods.list import infer as list_infer
from monoform.training import list_checkpoints, load_pretrained

NAMES = method_names()
WITH_NETS = [name for name in NAMES if name not in TINY or TINY[name].net is not None]
EVALUATED = list(evaluations())
TRAINED = {each.name: (name, each) for name in NAMES for each in method_class(name).trainings()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    root = tmp_path_factory.mktemp("weights")
    return {name: tiny.save(root / name) for name, tiny in TINY.items()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What a method learns from, made once for all that take the same."""
    made: dict[Any, Path] = {}

    def of(write: Callable[[Path], Path]) -> Path:
        if write not in made:
            made[write] = write(tmp_path_factory.mktemp("data") / "set")
        return made[write]

    return of


@pytest.fixture(scope="module")
def made(weights: dict[str, str]) -> Any:
    """What a method makes on the CPU."""
    return functools.cache(lambda name: used(name, weights[name]))


@pytest.fixture(autouse=True)
def tiny_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(list_config.PRESETS, "tiny", tiny_config())
    monkeypatch.setattr(list_infer, "NODES", 24)


def test_every_method_that_is_installed_has_its_small_one() -> None:
    assert sorted(TINY) == NAMES, "give a new method its entry in tests/methods/tiny_methods.py"


@pytest.mark.parametrize("name", WITH_NETS)
def test_weights_come_back(name: str, weights: dict[str, str], tmp_path: Path) -> None:
    tiny = TINY[name]
    assert tiny.net is not None and tiny.build is not None and tiny.config_class is not None
    net = tiny.net()
    found, config = load_pretrained(tiny.build, tiny.config_class, weights[name])
    assert config == net.config and type(found) is type(net) and not found.training
    theirs, ours = found.state_dict(), net.state_dict()
    assert theirs.keys() == ours.keys() and all(torch.equal(theirs[key], ours[key]) for key in ours)


@pytest.mark.parametrize("name", NAMES)
def test_it_makes_something_and_twice_the_same(name: str, weights: dict[str, str], made: Any) -> None:
    first, again = made(name), used(name, weights[name])
    for key, value in first.items():
        assert torch.isfinite(value).all() and torch.equal(value, again[key]), key


@pytest.mark.parametrize("name", WITH_NETS)
def test_it_computes_where_it_is_told_and_answers_on_the_cpu(name: str, weights: dict[str, str], made: Any) -> None:
    """On a second device, real or pretended, nothing is mixed; there the same numbers come out."""
    here = made(name)
    with pretend_device() as device:
        there = used(name, weights[name], device.type)
        if TINY[name].opened is None:
            moved = make(name, device=device.type, **TINY[name].overrides, weights=weights[name])
            assert device_of(moved.net) == device  # type: ignore[attr-defined]
    for key, value in here.items():
        assert there[key].device.type == "cpu"
        torch.testing.assert_close(there[key], value, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", TRAINED)
def test_it_takes_a_step(name: str, data: Any, tmp_path: Path) -> None:
    method, training = TRAINED[name]
    tiny = TINY[method].trained(name, method)
    settings = training.options(**tiny.settings)
    options = settings.loop(steps=2, device="cpu", progress=False)
    result = training.run(data(tiny.data), tmp_path / "run", options, settings)
    assert result.finished and result.step == 2
    assert (tmp_path / "run" / "weights" / "model.safetensors").is_file()
    pictures = [np.asarray(Image.open(file)) for file in (tmp_path / "run").rglob("pictures/*_*.png")]
    assert pictures and all(picture.ndim == 3 and picture.std() > 0 for picture in pictures)
    assert any(list_checkpoints(path.parent) for path in (tmp_path / "run").rglob("checkpoints"))


def _same_pictures(root: Path, weights: str) -> list[str]:
    """Pictures, and true ones that are the same."""
    del weights
    for name in ("seen", "true"):
        (root / name).mkdir(parents=True)
        Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(root / name / "a.png")
    return [str(root / "seen"), "--truth", str(root / "true")]


def _one_box(root: Path, weights: str) -> list[str]:
    """A box, and a method without weights."""
    del weights
    root.mkdir()
    box((0.3, 0.5, 0.4)).export(root / "box.glb")
    return ["--data", str(root), "--methods", "inflate", "--views", "1", "--resolution", "32", "--faces", "500"]


APART = {"pictures": _same_pictures, "shape": _one_box}  # evaluations of what no method of the registry has made


@pytest.mark.parametrize("name", EVALUATED)
def test_one_item_is_measured(name: str, weights: dict[str, str], tmp_path: Path) -> None:
    write = TINY[name].evaluated if name in TINY else APART[name]
    assert write is not None, f"{name} can be evaluated and its entry in TINY does not say how"
    words = [name, *write(tmp_path / "data", weights.get(name, "")), "-o", str(tmp_path / "scores"), "--device", "cpu"]
    told = evaluations()[name].run(read_words(words))
    summary = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    whole = "inflate" if name == "shape" else "all"  # methods stand apart, no mean is of all
    assert summary["objects"] >= 1 and summary["total"] and f"| {whole} | {summary['objects']} |" in told


@pytest.mark.parametrize("name", NAMES)
def test_bad_options_are_one_sentence(name: str) -> None:
    tiny = TINY[name]
    assert tiny.bad is not None or tiny.bad_setting is not None
    if tiny.bad is not None:
        with pytest.raises(InputError) as caught:
            make(name, **parse_overrides(name, [tiny.bad[0]]))
        assert tiny.bad[1] in str(caught.value) and "\n" not in str(caught.value)
    assert (tiny.bad_setting is None) == (method_class(name).training() is None)
    with pytest.raises(InputError, match="--set nothing=1: give NAME=VALUE with a NAME of"):
        parse_overrides(name, ["nothing=1"])


@pytest.mark.parametrize("name", TRAINED)
def test_bad_options_of_a_training_are_one_sentence(name: str) -> None:
    method, training = TRAINED[name]
    word, sentence = TINY[method].trained(name, method).bad_setting
    with pytest.raises(InputError) as caught:
        training.options(**parse_settings(training.options, [word], name))
    assert sentence in str(caught.value) and "\n" not in str(caught.value)
