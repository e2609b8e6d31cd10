"""Checkpoints in the authors' format: there and back, and one sentence for each that does not fit."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from tests.methods.list.tiny_list import tiny_coarse, tiny_config, tiny_net

from monoform import InputError
from monoform.methods.list.model import CoarseNet
from monoform.methods.list.published import (
    DECODER_FILE,
    ENCODER_FILE,
    coarse_of,
    network_of,
    published_config,
    read_published,
    write_published,
    write_split,
    write_weights,
)
from monoform.training.weights import save_pretrained


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    ours, theirs = a.state_dict(), b.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_there_and_back(tmp_path: Path, prefix: str) -> None:
    net = tiny_net()
    write_published(net, tmp_path / "a.pt.tar", epoch=7)
    content = torch.load(tmp_path / "a.pt.tar", weights_only=True)
    assert content["epoch"] == 7 and set(content) == {"epoch", "state_dict", "optimizer", "bestloss"}
    content["state_dict"] = {prefix + name: tensor for name, tensor in content["state_dict"].items()}
    torch.save(content, tmp_path / "b.pt.tar")
    found, config = read_published(tmp_path / "b.pt.tar", tiny_config())
    assert same(net, found) and config == tiny_config() and not found.training


def test_sizes_are_read_from_the_tensors() -> None:
    net = tiny_net()
    found = network_of(net.state_dict(), published_config("shapenet").network)
    wanted = net.config.network
    for name in ("tree_features", "tree_degrees", "volume_channels", "hidden", "vector"):
        assert getattr(found, name) == getattr(wanted, name), name


@pytest.mark.parametrize("given", [ENCODER_FILE, DECODER_FILE])
def test_a_split_first_stage_is_put_together(tmp_path: Path, given: str) -> None:
    net = tiny_coarse()
    write_split(net, tmp_path)
    found, config = read_published(tmp_path / given, tiny_config(stage="coarse"))
    assert isinstance(found, CoarseNet) and same(net, found) and config.stage == "coarse"


def test_half_a_first_stage_is_refused(tmp_path: Path) -> None:
    write_split(tiny_coarse(), tmp_path)
    (tmp_path / DECODER_FILE).unlink()
    with pytest.raises(InputError, match=f"half of a first stage; put the other half, named like {DECODER_FILE}"):
        read_published(tmp_path / ENCODER_FILE, tiny_config(stage="coarse"))


def test_the_first_stage_of_a_whole_network_and_the_warm_start_are_inverse() -> None:
    coarse, net = tiny_coarse(3), tiny_net()
    net.start_from(coarse)
    assert same(coarse_of(net), coarse)
    assert same(net.im_encoder2, coarse.image_encoder)


def test_weights_are_written_back(tmp_path: Path) -> None:
    net = tiny_coarse()
    save_pretrained(net, net.config, tmp_path / "weights", card="x")
    files = write_weights(tmp_path / "weights", tmp_path / "out" / "best_model_test.pt.tar")
    assert [file.name for file in files] == ["best_model_test.pt.tar", ENCODER_FILE, DECODER_FILE]
    whole, _ = read_published(files[0], tiny_config(stage="coarse"))
    split, _ = read_published(files[1], tiny_config(stage="coarse"))
    assert same(whole, split)


def altered(change) -> dict:
    state = tiny_net().state_dict()
    change(state)
    return {"epoch": 1, "state_dict": state}


class Hostile:
    def __reduce__(self):
        return (print, ("this code must not run",))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (altered(lambda s: s.pop("im_encoder.conv1.weight")), "lacks 1 tensors like 'im_encoder.conv1.weight'"),
        (altered(lambda s: s.update(more=torch.zeros(1))), "has 1 more tensors like 'more'"),
        (altered(lambda s: s["im_encoder.fc1.bias"].fill_(float("nan"))), "not finite"),
        (altered(lambda s: s.update({"im_encoder.fc1.bias": torch.zeros(3)})), r"is \(3,\) and not \(8,\)"),
        (altered(lambda s: s.update({"im_encoder.fc1.bias": torch.zeros(8, dtype=torch.long)})), "torch.int64"),
        ({"state_dict": {"a": 1}}, "more than named tensors"),
        ({"state_dict": {}}, "no state dict"),
        ([1, 2], "no state dict"),
        (torch.zeros(3), "no state dict"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(tmp_path: Path, content, sentence: str) -> None:
    torch.save(content, tmp_path / "x.pt.tar")
    with pytest.raises(InputError, match=sentence):
        read_published(tmp_path / "x.pt.tar", tiny_config())


def test_hostile_and_truncated_files_are_refused(tmp_path: Path, capsys) -> None:
    file = tmp_path / "x.pt.tar"
    torch.save({"state_dict": Hostile()}, file)
    with pytest.raises(InputError, match="cannot be read"):
        read_published(file, tiny_config())
    file.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(InputError, match="cannot be read"):
        read_published(file, tiny_config())
    write_published(tiny_net(), file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(InputError, match="truncated"):
        read_published(file, tiny_config())
    assert "must not run" not in capsys.readouterr().out


def test_the_wrong_stage_is_told(tmp_path: Path) -> None:
    write_published(tiny_coarse(), tmp_path / "coarse.pt.tar")
    write_published(tiny_net(), tmp_path / "list.pt.tar")
    with pytest.raises(InputError, match="choose --config coarse"):
        read_published(tmp_path / "coarse.pt.tar", "shapenet")
    with pytest.raises(InputError, match="choose --config shapenet"):
        read_published(tmp_path / "list.pt.tar", "coarse")
    with pytest.raises(InputError, match="no published configuration 'x'"):
        read_published(tmp_path / "list.pt.tar", "x")
