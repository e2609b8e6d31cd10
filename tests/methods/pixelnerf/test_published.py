"""Checkpoints in the authors' format: names, round trips, and files that are something else."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.methods.pixelnerf.tiny import NETWORK, SAMPLING, net_of

from monoform import InputError
from monoform.methods.pixelnerf.config import PRESETS, PixelNerfConfig, for_evaluation, preset
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published import (
    PUBLISHED,
    config_names,
    published_config,
    read_published,
    write_published,
)

MANIFEST = Path(__file__).parents[2] / "golden" / "pixelnerf" / "end_to_end_srn" / "manifest.json"
CONFIG = PixelNerfConfig(replace(NETWORK, keep_unused_layers=True), SAMPLING, compat=PUBLISHED)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    file = tmp_path_factory.mktemp("published") / "pixel_nerf_latest"
    write_published(net_of(CONFIG), file)
    return file


def test_tensors_are_those_of_the_published_checkpoint():
    manifest = json.loads(MANIFEST.read_text())
    state = PixelNerfNet(published_config("srn_car")).state_dict()
    assert {row["key"]: row["shape"] for row in manifest["tensors"]} == {k: list(v.shape) for k, v in state.items()}
    assert len(state) == 278
    floats = {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}
    parameters = [v.numel() for k, v in floats.items() if "running" not in k and not k.startswith("code")]
    assert sum(parameters) == 28_161_864


def test_presets():
    assert config_names() == ["sn64", "sn64_unseen", "srn_car", "srn_chair", "dtu", "multi_obj"]
    assert set(config_names()) <= set(PRESETS)
    for name in config_names():
        chosen = published_config(name)
        assert chosen.compat == PUBLISHED and preset(name).compat != PUBLISHED
        assert chosen.network.first_pool == (not name.startswith("sn64"))
        assert chosen.sampling.white == (name != "dtu")
        assert 0 < chosen.domain.near < chosen.domain.distance < chosen.domain.far
    assert for_evaluation(PixelNerfConfig(sampling=SAMPLING)).sampling.coarse == 64
    with pytest.raises(InputError, match="choose one of sn64"):
        preset("cars")


def test_a_round_trip_keeps_every_number(checkpoint, tmp_path):
    net, config = read_published(checkpoint, CONFIG)
    assert config is CONFIG and not net.training
    original = torch.load(checkpoint, weights_only=True)
    write_published(net, tmp_path / "again")
    again = torch.load(tmp_path / "again", weights_only=True)
    assert original.keys() == again.keys() and all(torch.equal(original[name], again[name]) for name in original)


def test_heads_counters_and_prefixes_do_not_matter(checkpoint, tmp_path):
    state = torch.load(checkpoint, weights_only=True)
    expected = read_published(checkpoint, CONFIG)[0].state_dict()
    state = {f"module.{name}": tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    state["module.encoder.model.fc.weight"] = torch.zeros(1000, 512)
    state["module.poses"] = torch.zeros(2, 3, 4)
    torch.save(state, tmp_path / "older")
    found = read_published(tmp_path / "older", CONFIG)[0].state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items() if "num_batches" not in name)


class Hostile:
    def __reduce__(self):
        return (Path("/nowhere").touch, ())


def test_wrong_files_are_refused_in_one_sentence(checkpoint, tmp_path):
    state = torch.load(checkpoint, weights_only=True)
    name = "mlp_fine.lin_in.weight"
    cases = {
        "list": ([1, 2], "no state dict"),
        "numbers": ({"a": 1}, "more than named tensors"),
        "hostile": ({"a": Hostile()}, "cannot be read"),
        "lacking": ({k: v for k, v in state.items() if k != name}, f"lacks 1 tensors like '{name}'"),
        "more": (state | {"mlp_fine.blocks.9.fc_0.bias": torch.zeros(3)}, "1 more tensors"),
        "shape": (state | {name: torch.zeros(3, 3)}, r"\(3, 3\) and not \(24, 42\)"),
        "nan": (state | {name: torch.full_like(state[name], torch.nan)}, "not finite"),
        "whole": (state | {name: torch.zeros_like(state[name], dtype=torch.int64)}, "torch.int64"),
        "code": (state | {"code._freqs": state["code._freqs"] * 2}, "other values"),
    }
    for case, (content, words) in cases.items():
        file = tmp_path / case
        torch.save(content, file) if case != "hostile" else file.write_bytes(pickle.dumps(content))
        with pytest.raises(InputError, match=words) as raised:
            read_published(file, CONFIG)
        sentence = str(raised.value)
        assert str(file) in sentence and "\n" not in sentence and sentence.count(": ") >= 1
    with pytest.raises(InputError, match="There is no file"):
        read_published(tmp_path / "nothing", CONFIG)
    with pytest.raises(InputError, match="does not fit srn_car"):
        read_published(checkpoint, "srn_car")


@settings(max_examples=8)
@given(st.floats(0, 0.999), st.binary(max_size=40))
def test_damaged_files_are_refused(checkpoint, share, noise):
    content = checkpoint.read_bytes()
    damaged = checkpoint.with_name("damaged")
    damaged.write_bytes(content[: int(share * len(content))] + noise)
    with pytest.raises(InputError, match="damaged"):
        read_published(damaged, CONFIG)
