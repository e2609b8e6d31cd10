"""ResNets: layout, maps, and weights from a user's file."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from monoform import InputError
from monoform.nn.resnet import CHANNELS, ResNet, load_resnet


def test_parameters_and_names_are_those_of_the_published_networks():
    # He et al. 2016 with the usual head: 11.69 M and 21.80 M parameters.
    for name, parameters, tensors in (("resnet18", 11_689_512, 122), ("resnet34", 21_797_672, 218)):
        net = ResNet(name, classes=1000)
        assert sum(one.numel() for one in net.parameters()) == parameters
        assert len(net.state_dict()) == tensors
    names = set(net.state_dict())
    assert {"conv1.weight", "layer3.5.bn2.running_var", "layer2.0.downsample.1.weight", "fc.bias"} <= names


def test_maps_have_the_sizes_of_their_layers():
    net = ResNet("resnet18").eval()
    images = torch.rand(2, 3, 33, 48)
    shapes = [tuple(one.shape) for one in net.maps(images)]
    assert [shape[1] for shape in shapes] == list(CHANNELS)
    assert [shape[2:] for shape in shapes] == [(17, 24), (9, 12), (5, 6), (3, 3), (2, 2)]
    assert [tuple(one.shape) for one in net.maps(images, count=2)] == shapes[:2]
    assert net.maps(images, count=2, pool=False)[1].shape[2:] == (17, 24)
    torch.testing.assert_close(net(images), net.maps(images)[-1].mean((2, 3)))


def test_a_block_is_two_convolutions_and_the_way_around():
    net = ResNet("resnet18", layers=2).eval()
    for name, buffer in net.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    block, x = net.get_submodule("layer2.0"), torch.randn(1, 64, 6, 8)

    def normal(values, bn):
        scale = bn.weight / (bn.running_var + bn.eps).sqrt()
        return (values - bn.running_mean[:, None, None]) * scale[:, None, None] + bn.bias[:, None, None]

    inner = normal(functional.conv2d(x, block.conv1.weight, stride=2, padding=1), block.bn1).clamp_min(0)
    around = normal(functional.conv2d(x, block.downsample[0].weight, stride=2), block.downsample[1])
    expected = (normal(functional.conv2d(inner, block.conv2.weight, padding=1), block.bn2) + around).clamp_min(0)
    torch.testing.assert_close(block(x), expected)


def test_weights_come_from_a_file(tmp_path):
    from safetensors.torch import save_file

    torch.manual_seed(0)
    whole = ResNet("resnet18", classes=10)
    torch.save(whole.state_dict(), tmp_path / "w.pth")
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    for file in ("w.pth", "w.safetensors"):
        net = ResNet("resnet18", layers=3)
        load_resnet(net, tmp_path / file)
        for name, tensor in net.state_dict().items():
            assert torch.equal(tensor, whole.state_dict()[name]), name


def test_wrong_files_are_refused_in_one_sentence(tmp_path):
    net = ResNet("resnet18", layers=3)
    state = net.state_dict()
    damaged = dict(state) | {"bn1.weight": torch.full((64,), torch.nan)}
    cases = {
        "missing.pth": (None, "There is no file"),
        "text.pth": (b"hello", "cannot be read"),
        "list.pth": ([1, 2], "no state dict"),
        "other.pth": ({"a": torch.zeros(1)}, "has no tensor 'conv1.weight'"),
        "larger.pth": (dict(state) | {"conv1.weight": torch.zeros(64, 4, 7, 7)}, "another network"),
        "nan.pth": (damaged, "not finite"),
    }
    before = {name: tensor.clone() for name, tensor in state.items()}
    for name, (content, words) in cases.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        elif content is not None:
            torch.save(content, tmp_path / name)
        with pytest.raises(InputError, match=words) as raised:
            load_resnet(net, tmp_path / name)
        assert str(tmp_path / name) in str(raised.value) and "\n" not in str(raised.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
