"""Published weights: there and back, and what is refused."""

from __future__ import annotations

import json
import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from monoform.errors import InputError
from monoform.training import load_pretrained, save_pretrained
from monoform.training.weights import architecture_of


@dataclass(frozen=True)
class Inner:
    kind: Literal["relu", "tanh"] = "relu"
    shift: float | None = None


@dataclass(frozen=True)
class Config:
    width: int = 3
    scale: float = 1.0
    sizes: tuple[int, ...] = (2, 2)
    inner: Inner = Inner()


def build(config: Config) -> nn.Module:
    return nn.Sequential(nn.Linear(config.width, 4), nn.BatchNorm1d(4))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    return save_pretrained(build(Config()), Config(), tmp_path / "weights", card="# Weights\n\nOf nothing.")


def sentence(folder: str | Path, **more: Any) -> str:
    with pytest.raises(InputError) as caught:
        load_pretrained(build, Config, folder, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_there_and_back(tmp_path: Path) -> None:
    config = Config(width=5, scale=2, sizes=(1, 2, 3), inner=Inner("tanh", 0.5))
    module = build(config)
    folder = save_pretrained(module, config, tmp_path / "weights", card="# Weights")
    loaded, found = load_pretrained(build, Config, folder)
    assert found == config and isinstance(found.sizes, tuple) and not loaded.training
    for name, tensor in module.state_dict().items():
        again = loaded.state_dict()[name]
        assert again.dtype == tensor.dtype
        assert torch.equal(again, tensor.half().to(tensor.dtype))
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (folder / "model.safetensors").stat().st_size < 2 * sum(
        item.numel() for item in module.state_dict().values()
    ) + 800


def test_what_half_precision_cannot_hold_stays_as_it_is(tmp_path: Path) -> None:
    module = build(Config())
    module[1].running_var.fill_(1e6)
    loaded, _ = load_pretrained(build, Config, save_pretrained(module, Config(), tmp_path / "w", card="# W"))
    assert torch.equal(loaded[1].running_var, module[1].running_var)


def test_tied_weights(tmp_path: Path) -> None:
    def tied(config: Config) -> nn.Module:
        module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        module[1].weight = module[0].weight
        return module

    module = tied(Config())
    loaded, _ = load_pretrained(tied, Config, save_pretrained(module, Config(), tmp_path / "w", card="# W"))
    assert loaded[0].weight is loaded[1].weight
    assert torch.equal(loaded[0].weight, module[0].weight.half().float())


def test_not_saved_without_a_card_or_with_nan(tmp_path: Path) -> None:
    module = build(Config())
    with pytest.raises(InputError, match="need a card"):
        save_pretrained(module, Config(), tmp_path / "w", card=" \n")
    module[0].weight.data[0, 0] = torch.nan
    with pytest.raises(InputError, match=r"'0\.weight' is not finite"):
        save_pretrained(module, Config(), tmp_path / "w", card="# W")
    assert list(tmp_path.iterdir()) == []


def test_another_architecture(saved: Path) -> None:
    (saved / "config.json").write_text(json.dumps({"config": {"width": 7}}))
    assert "'0.weight' is (4, 3) in it and (4, 7) in the model" in sentence(saved)

    def longer(config: Config) -> nn.Module:
        return nn.Sequential(*build(config), nn.Linear(1, 1))

    (saved / "config.json").write_text(json.dumps({"config": {}}))
    with pytest.raises(InputError, match=r"it lacks '2\.weight', one of 2 missing tensors"):
        load_pretrained(longer, Config, saved)
    with pytest.raises(InputError, match=r"its '1\.\w+', one of 5, has no place"):
        load_pretrained(lambda config: nn.Sequential(nn.Linear(3, 4)), Config, saved)


def test_weights_of_another_method_are_refused_by_their_name_first(tmp_path: Path) -> None:
    """Before any option of theirs, which says nothing to the reader."""
    folder = save_pretrained(nn.Linear(3, 4), Inner(), tmp_path / "weights", card="# Of a line.")

    def batch_norm(config: Config) -> nn.BatchNorm1d:
        return nn.BatchNorm1d(config.width)

    with pytest.raises(InputError, match=r"is of the architecture 'Linear'; BatchNorm1d is needed here\.$"):
        load_pretrained(batch_norm, Config, folder)
    assert "has an option 'kind'" in sentence(folder)  # a builder that does not say what it makes


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "is no configuration of weights"),
        ("[" * 10**5, "cannot be read as JSON"),
        ('{"config": {"depth": 3}}', "has an option 'depth' that Config does not have"),
        ('{"config": {"width": "3"}}', 'says width = "3"'),
        ('{"config": {"width": true}}', "says width = true"),
        ('{"config": {"sizes": [1, "a"]}}', 'says sizes = "a"'),
        ('{"config": {"inner": {"kind": "sine"}}}', 'says kind = "sine"'),
        ('{"config": {"width": -1}}', "describes no model that can be built"),
        ('{"config": {"width": 1000000000000000}}', "of another architecture"),
    ],
)
def test_hostile_configurations(saved: Path, config: str, words: str) -> None:
    (saved / "config.json").write_text(config)
    assert words in sentence(saved)


def test_truncated_at_any_length(saved: Path) -> None:
    path = saved / "model.safetensors"
    data = path.read_bytes()
    for length in (0, 4, 8, 9, 60, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:length])
        assert "damaged or truncated" in sentence(saved)


def test_a_header_that_lies(saved: Path) -> None:
    path = saved / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(struct.pack("<Q", 2**62) + data[8:])
    assert "damaged or truncated" in sentence(saved)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 700), byte=st.integers(0, 255))
def test_a_changed_byte_never_escapes_as_another_error(saved: Path, place: int, byte: int) -> None:
    path = saved / "model.safetensors"
    data = path.read_bytes()
    changed = bytearray(data)
    changed[place % len(data)] = byte
    path.write_bytes(bytes(changed))
    try:
        load_pretrained(build, Config, saved)
    except InputError as error:
        assert "\n" not in str(error)
    finally:
        path.write_bytes(data)


def test_values_that_are_not_finite(saved: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(saved / "model.safetensors")
    tensors["0.bias"][1] = torch.inf
    save_file(tensors, saved / "model.safetensors")
    assert "'0.bias' holds values that are not finite" in sentence(saved)


def test_where_weights_are_looked_for(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[Any] = []

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision, allow_patterns))
        if name == "some/body":
            raise OSError("no network\nmore words")
        return str(saved)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert "There are no weights at nowhere" in sentence("nowhere")
    assert "There are no weights at" in sentence(tmp_path / "a" / "b")
    file = "model.safetensors"  # a file at a path that could also be a name on the hub
    assert "are a file: give the folder" in sentence(saved / file)
    monkeypatch.chdir(saved.parent)
    assert "are a file: give the folder" in sentence(f"{saved.name}/{file}") and not asked
    for mistyped in ("runs/lift", "weigths/best", "some/body"):  # as a path looks, and as a name on the hub does
        assert f"There are no weights at {mistyped}: give a folder that exists" in sentence(mistyped) and not asked
    assert "cannot be had from the hub: no network" in sentence("hub:some/body")
    assert isinstance(load_pretrained(build, Config, "any/one", revision="v1")[1], Config)
    assert asked[-1] == ("any/one", "v1", ["model.safetensors", "config.json", "README.md"])
    (saved / "model.safetensors").unlink()
    assert "the folder holds no weights" in sentence(saved)


def test_weights_of_folders_within_are_named(saved: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()

    def sentences() -> set[str]:
        said = set()
        for read in (lambda: load_pretrained(build, Config, run), lambda: architecture_of(run)):
            with pytest.raises(InputError) as caught:
                read()
            said.add(str(caught.value))
        return said

    assert all(each.endswith("the folder holds no weights.") for each in sentences())
    shutil.copytree(saved, run / "weights")
    assert all(
        each.endswith("the folder holds no weights; its folder weights does: give that.") for each in sentences()
    )
    shutil.copytree(saved, run / "best")
    assert all(each.endswith("no weights; its folders best, weights do: give one.") for each in sentences())
