"""Checkpoints of nerf-pytorch: round trips, conversion, and files that are something else."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
import torch
from tests.command_line import monoform

from monoform import InputError
from monoform.jobs.convert import convert, convertible
from monoform.methods.nerf import FrequencyNetwork, NerfConfig, NerfField, NerfNet, NerfRenderer, TwoPass, load_scene
from monoform.methods.nerf.published import CONFIGS, read_published, write_published

SMALL = NerfConfig(FrequencyNetwork(4, 2, depth=6, width=16), TwoPass(coarse=8, fine=8))


@pytest.fixture
def net() -> NerfNet:
    torch.manual_seed(0)
    return NerfNet(SMALL).eval()


@pytest.fixture
def checkpoint(net, tmp_path):
    write_published(net, tmp_path / "000100.tar", step=100)
    return tmp_path / "000100.tar"


def test_sizes_are_read_off_the_tensors(net, checkpoint):
    found, config = read_published(checkpoint, "blender")
    assert config.network == SMALL.network and config.sampling == CONFIGS["blender"].sampling
    for name, tensor in net.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor)
    content = torch.load(checkpoint, weights_only=True)
    assert sorted(content["network_fine_state_dict"]) == sorted(net.fine.state_dict())
    assert "pts_linears.5.weight" in content["network_fn_state_dict"]


def test_a_full_size_network_has_the_published_shapes():
    shapes = {name: tuple(tensor.shape) for name, tensor in NerfNet(NerfConfig()).coarse.state_dict().items()}
    assert shapes["pts_linears.0.weight"] == (256, 63) and shapes["pts_linears.5.weight"] == (256, 319)
    assert shapes["views_linears.0.weight"] == (128, 283) and len(shapes) == 24


def test_a_converted_checkpoint_is_a_scene(net, checkpoint, tmp_path):
    out = tmp_path / "scene"
    done = monoform("convert", checkpoint, "--method", "nerf", "--config", "blender", "-o", out)
    assert done.returncode == 0, done.stderr
    assert f"monoform pose PHOTO --scene {out}" in done.stdout
    scene = load_scene(out)
    assert scene.views == () and scene.radius == pytest.approx(1.5)
    origins = torch.tensor([[0.0, 0.5, 4.0]])
    along = torch.nn.functional.normalize(-origins, dim=-1)
    torch.testing.assert_close(
        scene.renderer()(origins, along).rgb, NerfRenderer(read_published(checkpoint, "blender")[0])(origins, along).rgb
    )
    assert "nerf" in convertible()


def test_the_world_is_turned_upright(net):
    """A point above the origin, +y in our world, is +z for the network."""
    field = NerfField(net)
    ours, theirs = torch.tensor([[0.2, 1.0, 0.3]]), torch.tensor([[0.2, -0.3, 1.0]])
    torch.testing.assert_close(field.geometry(ours), net.fine.density(theirs))
    seen = field.values(ours, torch.tensor([[0.0, 0.6, 0.8]]))
    torch.testing.assert_close(seen, net.fine(theirs, torch.tensor([[0.0, -0.8, 0.6]]))[:, :3].sigmoid())
    assert not field.geometry(torch.tensor([[0.0, 1.6, 0.0]])).any()


def test_forward_facing_scenes_need_the_size_of_their_photos(checkpoint):
    _, config = read_published(checkpoint, "llff=504x378x400")
    assert config.sampling.ndc == (800 / 504, 800 / 378) and config.up == "y"
    for wrong in ("llff", "llff=504x378", "llff=axbxc", "llff=0x1x2", "other"):
        with pytest.raises(InputError):
            read_published(checkpoint, wrong)


def _without(content, name):
    return {key: value for key, value in content.items() if key != name}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: _without(c, "network_fn_state_dict"), "has no network_fn_state_dict"),
        (lambda c: c | {"network_fn_state_dict": {"a": 1}}, "more than named tensors"),
        (
            lambda c: c | {"network_fn_state_dict": _without(c["network_fn_state_dict"], "rgb_linear.bias")},
            "rgb_linear",
        ),
        (lambda c: c | {"network_fine_state_dict": {**c["network_fine_state_dict"], "more": torch.ones(1)}}, "more"),
        (
            lambda c: (
                c
                | {
                    "network_fn_state_dict": c["network_fn_state_dict"]
                    | {"alpha_linear.bias": torch.full((1,), torch.nan)}
                }
            ),
            "not finite",
        ),
        (
            lambda c: (
                c | {"network_fn_state_dict": c["network_fn_state_dict"] | {"pts_linears.0.weight": torch.ones(16, 26)}}
            ),
            "encodes 26",
        ),
    ],
)
def test_other_files_are_refused(checkpoint, tmp_path, change, sentence):
    torch.save(change(torch.load(checkpoint, weights_only=True)), tmp_path / "wrong.tar")
    with pytest.raises(InputError, match=sentence):
        read_published(tmp_path / "wrong.tar", "blender")


def test_missing_truncated_and_hostile_files_are_refused(checkpoint, tmp_path):
    (tmp_path / "cut.tar").write_bytes(checkpoint.read_bytes()[:500])
    (tmp_path / "code.tar").write_bytes(pickle.dumps(print))
    for name in ("none.tar", "cut.tar", "code.tar"):
        with pytest.raises(InputError, match=name):
            convert(tmp_path / name, tmp_path / "out", method="nerf", config="blender")
    assert not (tmp_path / "out").exists()


def test_one_network_alone_is_a_coarse_pass(net, tmp_path):
    write_published(net, tmp_path / "a.tar")
    content = torch.load(tmp_path / "a.tar", weights_only=True)
    torch.save(content | {"network_fine_state_dict": None}, tmp_path / "b.tar")
    found, config = read_published(tmp_path / "b.tar", "blender")
    assert config.sampling.fine == 0 and torch.equal(found.last.rgb_linear.bias, net.coarse.rgb_linear.bias)
    assert replace(config, sampling=SMALL.sampling) == SMALL
