"""`monoform convert`: a published checkpoint becomes weights that a method loads."""

from __future__ import annotations

import json
from subprocess import CompletedProcess

import pytest
import torch
from safetensors.torch import load_file
from tests.command_line import monoform
from tests.methods.pof3d.test_pof3d_published import CONFIG, JUDGE, made, written
from tests.parity.fill import normal_tensor
from tests.snapshots import published_names  # noqa: F401  a fixture

from monoform import InputError
from monoform.jobs.convert import convert, convertible
from monoform.methods.pixelnerf.config import PixelNerfConfig
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.methods.pixelnerf.published import published_config, write_published
from monoform.methods.pof3d.networks import NetworksConfig, Pof3dNetworks
from monoform.training import load_pretrained


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    net = PixelNerfNet(published_config("srn_car"))
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.startswith("mlp_fine"):
                tensor.copy_(torch.from_numpy(normal_tensor(name, tuple(tensor.shape), "float32")))
    file = tmp_path_factory.mktemp("published") / "pixel_nerf_latest"
    write_published(net, file)
    return file


def run(*words: object) -> CompletedProcess[str]:
    return monoform("convert", *words)


def test_a_checkpoint_becomes_weights(checkpoint, tmp_path):
    out = tmp_path / "car"
    done = run(checkpoint, "--method", "pixelnerf", "--config", "srn_car", "-o", out)
    assert done.returncode == 0, done.stderr
    assert "278 tensors, 28,161,864 parameters" in done.stdout and f"weights={out}" in done.stdout
    assert sorted(file.name for file in out.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    original, found = torch.load(checkpoint, weights_only=True), load_file(out / "model.safetensors")
    assert original.keys() == found.keys() and all(torch.equal(original[name], found[name]) for name in original)
    assert "pixel_nerf_latest" in (out / "README.md").read_text()
    net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, out)
    assert config == published_config("srn_car") and json.loads((out / "config.json").read_text())
    assert torch.equal(net.mlp_fine.lin_out.weight, original["mlp_fine.lin_out.weight"])


def test_half_precision_is_half_the_size(checkpoint, tmp_path):
    made = convert(checkpoint, tmp_path / "half", method="pixelnerf", config="srn_car", precision="float16")
    assert made.size == pytest.approx(0.5 * checkpoint.stat().st_size, rel=0.02)
    assert load_file(made.folder / "model.safetensors")["encoder.model.conv1.weight"].dtype == torch.float16


def test_what_cannot_be_converted_is_refused_and_leaves_nothing(checkpoint, tmp_path):
    out = tmp_path / "out"
    cut = tmp_path / "cut"
    cut.write_bytes(checkpoint.read_bytes()[:1_000_000])
    refused = run(cut, "--method", "pixelnerf", "--config", "srn_car", "-o", out)
    assert refused.returncode == 2 and "truncated" in refused.stderr and "Traceback" not in refused.stderr
    for words, message in (
        ({"config": "cars"}, "no configuration 'cars'"),
        ({"method": "lift", "config": "x"}, "lift reads no checkpoints of others"),
        ({"method": "none", "config": "x"}, "no method 'none'"),
        ({"precision": "int8"}, "not as 'int8'"),
    ):
        given = {"method": "pixelnerf", "config": "srn_car"} | words
        with pytest.raises(InputError, match=message):
            convert(checkpoint, out, **given)
    for more in ({"data": str(tmp_path)}, {"checkpoint": [checkpoint, cut]}):
        with pytest.raises(InputError, match="give a single file, and no --data"):
            convert(**{"checkpoint": checkpoint, "folder": out, "method": "pixelnerf", "config": "srn_car", **more})
    nothing = run("--method", "pixelnerf", "-o", out)
    assert nothing.returncode == 2 and "give the published file" in nothing.stderr
    assert not out.exists() and list(tmp_path.iterdir()) == [cut]


def test_methods_that_read_checkpoints_are_known():
    assert "pixelnerf" in convertible() and "lift" not in convertible()


@pytest.mark.usefixtures("published_names")
def test_a_snapshot_of_pof3d_needs_no_configuration_and_runs_nothing(tmp_path):
    networks = made(NetworksConfig(CONFIG, JUDGE))
    (tmp_path / "network-snapshot-000000.pkl").write_bytes(written(networks))
    (tmp_path / "bad.pkl").write_bytes(b"cos\nsystem\n(S'touch hacked'\ntR.")
    done = monoform("convert", "network-snapshot-000000.pkl", "--method", "pof3d", "-o", "w", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "use it: monoform generate --weights w" in done.stdout
    found, config = load_pretrained(Pof3dNetworks, NetworksConfig, tmp_path / "w")
    assert config == NetworksConfig(CONFIG, JUDGE)
    assert all(torch.equal(found.state_dict()[name], value) for name, value in networks.state_dict().items())
    refused = monoform("convert", "bad.pkl", "--method", "pof3d", "-o", "x", cwd=tmp_path)
    assert refused.returncode == 2 and "it holds os.system" in refused.stderr and "Traceback" not in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.pkl", "network-snapshot-000000.pkl", "w"]
