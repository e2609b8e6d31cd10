"""The authors' checkpoint: converted, opened where it lies, found in the hub's cache, and refused where it is none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.methods.triposr.tiny_triposr import random_net

from monoform import InputError
from monoform.cli.main import main
from monoform.computing import OFFLINE
from monoform.methods.triposr import TripoSrConfig, TripoSrNet, published
from monoform.methods.triposr.published import CHECKPOINT, HUB, OPTIONS, SHA256, network, read_published
from monoform.methods.triposr.published_tree import CLASSES, VITS
from monoform.nn.vit import VitConfig
from monoform.training.weights import load_pretrained, save_pretrained

TINY_VIT = VitConfig(width=24, layers=1, heads=2, hidden=32, image_size=32, patch=8)
YAML = (
    """
cond_image_size: 32
image_tokenizer:
  pretrained_model_name_or_path: "tests/tiny"
tokenizer:
  plane_size: 16
  num_channels: 8
backbone:
  in_channels: ${tokenizer.num_channels}
  num_attention_heads: 2
  attention_head_dim: 8
  num_layers: 1
  cross_attention_dim: 24
  norm_num_groups: 4
post_processor:
  in_channels: 8
  out_channels: 2
decoder:
  in_channels: 6
  n_neurons: 8
  n_hidden_layers: 1
  activation: relu
renderer:
  radius: 0.87 # of the cube
  feature_reduction: concat
  density_activation: exp
  density_bias: -1.0
  num_samples_per_ray: 48
"""
    + "\n".join(f"{part}_cls: {name}" for part, name in CLASSES.items())
    + "\n"
)


@pytest.fixture(autouse=True)
def tiny_vit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VITS, "tests/tiny", TINY_VIT)
    published._network.cache_clear()


@pytest.fixture
def net() -> TripoSrNet:
    return random_net(5)


@pytest.fixture
def release(tmp_path: Path, net: TripoSrNet) -> Path:
    """A folder as the release has it."""
    return write_release(tmp_path / "release", net)


def write_release(folder: Path, net: TripoSrNet) -> Path:
    folder.mkdir(parents=True)
    torch.save(net.state_dict(), folder / CHECKPOINT)
    (folder / OPTIONS).write_text(YAML)
    return folder


def converted(source: Path, out: Path, *words: object) -> object:
    """Exit code of the command, in this process, which knows the small network's name."""
    with pytest.raises(SystemExit) as left:
        main([str(each) for each in ("convert", source, "--method", "triposr", "-o", out, *words)])
    return left.value.code


def same(ours: TripoSrNet, theirs: TripoSrNet) -> bool:
    pairs = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
    return all(a == b and torch.equal(one, other) for (a, one), (b, other) in pairs)


@pytest.mark.parametrize("given", ["file", "folder"])
def test_a_checkpoint_becomes_weights(
    given: str, release: Path, net: TripoSrNet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = release / CHECKPOINT if given == "file" else release
    assert converted(source, tmp_path / "out") == 0
    said = capsys.readouterr().out
    assert f"{len(net.state_dict())} tensors" in said and "monoform reconstruct PHOTO --method triposr" in said
    assert "MIT" in (tmp_path / "out" / "README.md").read_text()
    found, config = load_pretrained(TripoSrNet, TripoSrConfig, tmp_path / "out")
    assert config == net.config and same(found, net)
    half = converted(source, tmp_path / "half", "--precision", "float16")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("out", "half")]
    assert half == 0 and sizes[1] < 0.7 * sizes[0]


def test_another_configuration_may_be_named(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (release / OPTIONS).rename(tmp_path / "mine.yaml")
    assert converted(release / CHECKPOINT, tmp_path / "a") == 2
    assert "does not fit" in capsys.readouterr().err
    assert converted(release / CHECKPOINT, tmp_path / "b", "--conf", tmp_path / "mine.yaml") == 0


def test_weights_are_written_back_as_the_release_has_them(release: Path, net: TripoSrNet, tmp_path: Path) -> None:
    assert converted(release, tmp_path / "out") == 0
    assert converted(tmp_path / "out", tmp_path / "back" / CHECKPOINT) == 0
    again, config = read_published(tmp_path / "back", "published")
    assert config == net.config and same(again, net)
    assert converted(tmp_path / "out", tmp_path / "back" / CHECKPOINT) == 2  # nothing is replaced
    assert converted(tmp_path / "out", tmp_path / "back" / CHECKPOINT, "--overwrite") == 0
    state = torch.load(tmp_path / "back" / CHECKPOINT, weights_only=True)
    assert all(torch.equal(state[name], values) for name, values in net.state_dict().items())


def test_a_checkpoint_does_not_take_the_name_of_its_options(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert converted(release, tmp_path / "out") == 0
    assert converted(tmp_path / "out", tmp_path / "back" / OPTIONS) == 2
    assert "another file that is written beside" in capsys.readouterr().err and not (tmp_path / "back").exists()


def test_a_changed_file_is_read_anew(release: Path, net: TripoSrNet) -> None:
    first = network(str(release))
    assert network(str(release)) is first
    other = random_net(6)
    torch.save(other.state_dict(), release / CHECKPOINT)
    found = network(str(release))
    assert same(found, other) and same(first, net)


def test_a_configuration_that_is_refused_is_named(release: Path) -> None:
    (release / OPTIONS).write_text(YAML.replace("  plane_size: 16\n", ""))
    with pytest.raises(InputError, match=r"release/config\.yaml cannot be used: config.yaml does not say plane_size"):
        read_published(release, "published")


def test_a_number_that_no_float_holds_is_refused(release: Path, tmp_path: Path) -> None:
    (release / OPTIONS).write_text(YAML.replace("0.87", "1" + 400 * "0"))
    with pytest.raises(InputError, match="radius is inf"):
        read_published(release, "published")


def test_what_the_release_cannot_run_is_not_written(net: TripoSrNet, tmp_path: Path) -> None:
    for config in (
        replace(net.config, image=replace(TINY_VIT, hidden=16)),
        replace(net.config, rendering=replace(net.config.rendering, metric=True)),
    ):
        folder = save_pretrained(TripoSrNet(config), config, tmp_path / "own", card="x")
        with pytest.raises(InputError, match="The release's programs cannot run this network"):
            published.write_weights(folder, tmp_path / CHECKPOINT)
        assert not (tmp_path / CHECKPOINT).exists()


def test_the_release_is_opened_where_it_lies(release: Path, net: TripoSrNet) -> None:
    found = network(str(release))
    assert same(found, net) and not any(each.requires_grad for each in found.parameters())
    assert network(str(release)) is found


def in_cache(cache: Path, name: str, net: TripoSrNet) -> Path:
    """A release in the layout of the hub's cache."""
    place = cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text("0" * 40)
    return write_release(place / "snapshots" / ("0" * 40), net)


def test_the_hubs_cache_is_used_and_what_is_known_by_name_must_be_it(
    tmp_path: Path, net: TripoSrNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    for name in OFFLINE:
        monkeypatch.setenv(name, "1")
    with pytest.raises(InputError) as caught:
        network(HUB)
    said = str(caught.value)
    assert said.startswith(f"{CHECKPOINT} of {HUB} is not here and is not fetched, as this runs offline: download ")
    assert "with --weights" in said and said.endswith("lift needs nothing.")
    in_cache(tmp_path, "someone/tiny", net)
    assert same(network("hub:someone/tiny"), net)
    folder = in_cache(tmp_path, HUB, net)
    for name in (HUB, f"hub:{HUB}"):
        with pytest.raises(InputError, match=rf"not {SHA256[HUB]}, and is not the published checkpoint"):
            network(name)
    digest = hashlib.sha256((folder / CHECKPOINT).read_bytes()).hexdigest()
    monkeypatch.setitem(published.SHA256, HUB, digest)
    assert same(network(HUB), net)


def test_weights_that_are_nowhere_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There are no weights at .*nowhere: .* or hub:OWNER/NAME .* hub: download "):
        network(str(tmp_path / "nowhere"))


def test_what_is_no_checkpoint_is_refused(release: Path, net: TripoSrNet) -> None:
    state = net.state_dict()
    name = "decoder.layers.0.weight"
    cases = {
        "it lacks 1 tensors like 'decoder.layers.0.weight'": {k: v for k, v in state.items() if k != name},
        "it has 1 more tensors like 'x'": {**state, "x": torch.zeros(1)},
        r"its 'decoder.layers.0.weight' is \(8, 7\) and not \(8, 6\)": {**state, name: torch.zeros(8, 7)},
        "'decoder.layers.0.weight' holds values that are no finite numbers": {
            **state,
            name: torch.full((8, 6), torch.nan),
        },
        "holds a list and no state dict": [1],
    }
    for said, content in cases.items():
        torch.save(content, release / CHECKPOINT)
        with pytest.raises(InputError, match=said):
            read_published(release, "published")
    torch.save(state, release / CHECKPOINT)
    whole = (release / CHECKPOINT).read_bytes()
    for content in (b"", b"no checkpoint", whole[: len(whole) // 2]):
        (release / CHECKPOINT).write_bytes(content)
        with pytest.raises(InputError, match=CHECKPOINT):
            read_published(release, "published")


def test_a_checkpoint_that_runs_something_does_not(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bad:
        def __reduce__(self):
            return Path.touch, (tmp_path / "run",)

    torch.save({"x": Bad()}, release / CHECKPOINT)
    assert converted(release, tmp_path / "out") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [({"plane_size": "x"}, 'plane_size = "x"; it must be of int'), ({"reduction": "sum"}, "known are concat, mean")],
)
def test_values_of_other_kinds_are_told_in_words(change: dict, said: str, net: TripoSrNet, tmp_path: Path) -> None:
    folder = Path(save_pretrained(net, net.config, tmp_path / "x", card="x"))
    content = json.loads((folder / "config.json").read_text())
    (content["config"]["rendering"] if "reduction" in change else content["config"]).update(change)
    (folder / "config.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=said):
        load_pretrained(TripoSrNet, TripoSrConfig, folder)


def test_config_json_says_the_whole_network(release: Path, tmp_path: Path) -> None:
    assert converted(release, tmp_path / "out") == 0
    said = json.loads((tmp_path / "out" / "config.json").read_text())
    assert said["architecture"] == "TripoSrNet" and said["config"]["image"]["patch"] == 8
