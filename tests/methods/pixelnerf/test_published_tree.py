"""The release's files of options: what they describe, there and back, and those that cannot be run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.command_line import monoform
from tests.methods.pixelnerf.tiny import net_of

from monoform import InputError
from monoform.methods.pixelnerf.config import Network, Perceptron, PixelNerfConfig, Sampling
from monoform.methods.pixelnerf.published import PUBLISHED, config_from_file, published_config, write_published
from monoform.methods.pixelnerf.published_tree import (
    network_from_published,
    published_from,
    sampling_from_published,
    schedule_from_published,
)
from monoform.nn.resnet import Backbone
from monoform.training.weights import save_pretrained

MANIFEST = Path(__file__).parents[2] / "golden" / "pixelnerf" / "end_to_end_srn" / "manifest.json"
BASE = """
# what the others build on
model {
    use_xyz = True
    use_code = True, code { num_freqs = 3 }  // two on a line
    use_viewdirs = yes_is_a_word
    use_viewdirs = True
    use_code_viewdirs = False
    mlp_coarse { type = resnet, n_blocks = 3, d_hidden = 24, combine_layer = 1, combine_type = max }
    mlp_fine = ${model.mlp_coarse} { d_hidden = 16 }
    encoder { backbone = resnet18, pretrained = False, num_layers = 2 }
}
renderer { n_coarse = 20, n_fine = 8, n_fine_depth = 4, white_bkgd = False, sched = [] }
"""
TOP = """include required("base.conf")
model { encoder { use_first_pool = False } }
data { format = dvr }
"""


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "base.conf").write_text(BASE)
    file = tmp_path / "own.conf"
    file.write_text(TOP)
    return file


def test_the_published_tree_says_what_the_presets_say():
    tree = json.loads(MANIFEST.read_text())["config"]
    car = published_config("srn_car")
    assert network_from_published(tree["model"]) == car.network
    assert sampling_from_published(tree["renderer"]) == car.sampling
    small = tree["model"] | {"encoder": tree["model"]["encoder"] | {"use_first_pool": False}}
    assert network_from_published(small) == published_config("sn64").network
    for wrong in (
        {"encoder": {"backbone": "custom"}},
        {"mlp_coarse": {"type": "mlp"}},
        {"mlp_coarse": {"d_hidden": 64}},  # whose type is mlp where none is said
        {"encoder": {"backbone": "resnet34", "upsample_interp": "nearest"}},
    ):
        with pytest.raises(InputError, match="cannot be run"):
            network_from_published(tree["model"] | wrong)
    for lacking in ("encoder", "mlp_coarse", "mlp_fine", "code"):
        with pytest.raises(InputError, match=f"lacks the branch '{lacking}'"):
            network_from_published({name: value for name, value in tree["model"].items() if name != lacking})


def test_the_release_has_other_defaults_than_its_files():
    network = network_from_published(
        {"encoder": {"backbone": "resnet34"}, "mlp_coarse": {"type": "resnet"}, "mlp_fine": {"type": "empty"}}
    )
    assert not network.use_xyz and not network.use_directions and not network.encode_positions
    assert (network.width, network.blocks, network.pooled_block) == (128, 5, 1000) and network.share_perceptron
    assert sampling_from_published({}) == Sampling(128, 0, 0, white=False)
    schedule = {"n_coarse": 16, "n_fine": 4, "sched": [[10, 20], [32, 64], [8, 16]]}
    assert sampling_from_published(schedule).coarse == 64
    assert schedule_from_published(schedule) == ((0, 10, 20), (16, 32, 64), (4, 8, 16))
    assert schedule_from_published(schedule | {"sched": [[0], [32], [8]]}) == ((0,), (32,), (8,))


def test_a_file_with_what_it_includes(conf):
    made = config_from_file(conf, "")
    base = Perceptron(width=24, blocks=3, pooled_block=1, pooling="max")
    assert made.domain == published_config("sn64").domain and made.compat == PUBLISHED
    assert made.sampling == Sampling(20, 8, 4, white=False)
    assert made.network.fine == replace(base, width=16)
    assert {name: getattr(made.network, name) for name in vars(base)} == vars(base)
    assert (made.network.backbone, made.network.maps, made.network.first_pool) == ("resnet18", 2, False)
    assert made.network.frequencies == 3 and abs(made.network.factor - 3.14159265) < 1e-6
    assert config_from_file(conf, "srn_chair").domain == published_config("srn_chair").domain


perceptrons = st.builds(
    Perceptron,
    width=st.integers(1, 64),
    blocks=st.integers(1, 9),
    pooled_block=st.integers(0, 1000),
    pooling=st.sampled_from(["average", "max"]),
    beta=st.floats(0, 100),
    spade=st.booleans(),
)


@st.composite
def networks(draw):
    coarse, fine = draw(perceptrons), draw(st.none() | perceptrons)
    encoded, whole = draw(st.booleans()), draw(st.sampled_from([0, 0, 128, 512]))
    one = Network()
    return replace(
        one,
        **vars(coarse),
        fine=None if fine == coarse else fine,
        share_perceptron=fine is None and draw(st.booleans()),
        backbone=draw(st.sampled_from(get_args(Backbone))),
        encoder_features=whole,
        maps=one.maps if whole else draw(st.integers(1, 5)),
        padding=one.padding if whole else draw(st.sampled_from(["border", "zeros", "reflection"])),
        global_features=draw(st.sampled_from([0, 64])),
        encode_positions=encoded,
        frequencies=draw(st.integers(1, 9)) if encoded else one.frequencies,
        keep_positions=draw(st.booleans()) if encoded else True,
        encode_directions=draw(st.booleans()),
        centered=draw(st.booleans()),
        keep_unused_layers=True,
    )


@given(networks())
@settings(max_examples=60)
def test_any_network_survives_the_way_there_and_back(network):
    tree = json.loads(json.dumps(published_from(PixelNerfConfig(network))))
    assert network_from_published(tree["model"]) == network


def test_convert_write_back_convert_again_gives_the_same_bytes(conf, tmp_path):
    net = net_of(config_from_file(conf, ""))
    assert net.mlp_fine.lin_in.weight.shape == (16, 3 * 7 + 3)  # 3 x (1 + 2 x 3 frequencies) and the direction
    write_published(net, tmp_path / "pixel_nerf_latest")
    words = ["convert", (tmp_path / "pixel_nerf_latest"), "--method", "pixelnerf", "--conf", str(conf)]
    assert monoform(*words, "-o", (tmp_path / "ours")).returncode == 0
    back = ["convert", tmp_path / "ours", "--method", "pixelnerf", "-o", tmp_path / "theirs"]
    assert monoform(*back).returncode == 0
    assert (tmp_path / "theirs.conf").is_file()
    words = ["convert", (tmp_path / "theirs"), "--method", "pixelnerf", "--conf", (tmp_path / "theirs.conf")]
    assert monoform(*words, "--config", "sn64", "-o", (tmp_path / "again")).returncode == 0
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    first, second = (torch.load(tmp_path / name, weights_only=True) for name in ("pixel_nerf_latest", "theirs"))
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    again = monoform(*back)
    assert again.returncode == 2 and "theirs" in again.stderr


def test_our_own_weights_are_written_with_all_layers_that_the_release_asks_for(tmp_path):
    config = PixelNerfConfig(Network(backbone="resnet18", maps=2, width=8))
    save_pretrained(net_of(config), config, tmp_path / "pixelnerf", card="made for a test")
    words = ["convert", tmp_path / "pixelnerf", "--method", "pixelnerf", "-o", tmp_path / "theirs"]
    assert monoform(*words).returncode == 0
    state = torch.load(tmp_path / "theirs", weights_only=True)
    assert {"encoder.model.layer4.1.conv2.weight", "mlp_fine.lin_in.weight"} <= state.keys()


REFUSED = {
    'include "own.conf"': "includes itself",
    'include url("http://nowhere.invalid/a.conf")': "no file by its name",
    'include "http://nowhere.invalid/a.conf"': "no file by its name",
    'include package("os:path")': "no file by its name",
    'include "*.conf"': "no file by its name",
    'include required("lacking.conf")': "There is no file",
    "model { ": "no HOCON that can be read",
    "[1, 2]": "holds a list",
    "a = b\n" * 20_000: "own.conf",
    "".join(f"a{n + 1} = ${{a{n}}}${{a{n}}}\n" for n in range(40)): "substitutions",
    "model = 3\ndata.format = srn": "lacks the branch 'model'",
    "data { format = pictures }": "cannot be run",
    'include required("base.conf")': "data.format",
    'include required("base.conf")\ndata.format = srn\nmodel.encoder.num_layers = many': "no int",
    'include required("base.conf")\ndata.format = srn\nmodel.encoder.num_layers = 7': "must lie in 1..5",
    'include required("base.conf")\ndata.format = srn\nrenderer.sched = [[1], [2]]': "none of steps",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:40])
def test_files_that_cannot_be_used_are_refused_in_one_sentence(text, conf):
    conf.write_text(text)
    words = ["convert", str(conf), "--method", "pixelnerf", "--conf", str(conf), "-o", str(conf.parent / "out")]
    done = monoform(*words)
    told = done.stderr.strip()
    assert done.returncode == 2
    assert REFUSED[text] in told and len(told.splitlines()) == 1 and not (conf.parent / "out").exists()


def test_a_method_without_such_files_says_so(conf):
    done = monoform("convert", conf, "--method", "nerf", "--conf", conf, "-o", conf.parent / "out")
    assert done.returncode == 2 and "leave --conf out" in done.stderr
