"""EfficientNet-Lite0: padding by closed form, names and shapes of the published tensors, frozen batch norms."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from monoform import InputError
from monoform.nn.efficientnet_lite import WIDTHS, EfficientNetLite0, SameConv, load_imagenet

KINDS = (
    (3, 1, 32, 16),
    (3, 6, 16, 24),
    (5, 6, 24, 40),
    (3, 6, 40, 80),
    (5, 6, 80, 112),
    (5, 6, 112, 192),
    (3, 6, 192, 320),
)
STARTS = (0, 1, 3, 5, 8, 11, 15, 16)


def norm(name: str, channels: int) -> dict[str, tuple[int, ...]]:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def published() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the published file, from the architecture's table."""
    shapes = {"_conv_stem.weight": (32, 3, 3, 3)} | norm("_bn0", 32)
    for stage, (kernel, expand, before, channels) in enumerate(KINDS):
        for index in range(STARTS[stage], STARTS[stage + 1]):
            into = before if index == STARTS[stage] else channels
            inner, name = into * expand, f"_blocks.{index}"
            if expand > 1:
                shapes |= {f"{name}._expand_conv.weight": (inner, into, 1, 1)} | norm(f"{name}._bn0", inner)
            shapes |= {f"{name}._depthwise_conv.weight": (inner, 1, kernel, kernel)} | norm(f"{name}._bn1", inner)
            shapes |= {f"{name}._project_conv.weight": (channels, inner, 1, 1)} | norm(f"{name}._bn2", channels)
    shapes |= {"_conv_head.weight": (1280, 320, 1, 1)} | norm("_bn1", 1280)
    return shapes | {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(shape, generator=generator) if shape else torch.tensor(1)
        for name, shape in published().items()
    }


def test_the_published_file_has_296_tensors_and_fills_every_one_of_ours(tmp_path):
    state = tensors()
    assert len(state) == 296
    torch.save(state, tmp_path / "lite0.pth")
    net = EfficientNetLite0()
    load_imagenet(net, tmp_path / "lite0.pth")
    for name, tensor in net.state_dict().items():
        theirs = ".".join(f"_{part}" if part[0] in "becpd" and part != "bias" else part for part in name.split("."))
        assert torch.equal(tensor, state[theirs]), name
    assert sum(each.numel() for each in net.parameters()) == 2_353_408


@pytest.mark.parametrize("spoil", ["_blocks.3._bn1.bias", "_conv_stem.weight"])
def test_a_file_that_lacks_a_tensor_is_refused(tmp_path, spoil):
    state = tensors()
    del state[spoil]
    torch.save(state, tmp_path / "lite0.pth")
    with pytest.raises(InputError, match="EfficientNet-Lite0"):
        load_imagenet(EfficientNetLite0(), tmp_path / "lite0.pth")


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("size", [7, 8, 9, 16])
def test_a_stride_of_two_pads_the_odd_pixel_at_the_end(kernel, size):
    convolution = SameConv(1, 1, kernel, stride=2)
    with torch.no_grad():
        convolution.weight.fill_(1)
    ramp = torch.arange(size * size, dtype=torch.float32).reshape(1, 1, size, size)
    total = max((-(-size // 2) - 1) * 2 + kernel - size, 0)
    padded = functional.pad(ramp, (total // 2, total - total // 2) * 2)
    sums = padded.unfold(2, kernel, 2).unfold(3, kernel, 2).sum(dim=(4, 5))
    assert torch.equal(convolution(ramp), sums)
    assert sums.shape[-1] == -(-size // 2)


def test_levels_halve_the_size_and_batch_norms_stay_as_they_are():
    net = EfficientNetLite0().train()
    before = net.blocks[3].bn1.running_mean.clone()
    levels = net(torch.rand(2, 3, 64, 96))
    assert [level.shape for level in levels] == [(2, width, 32 >> k, 48 >> k) for k, width in enumerate(WIDTHS)]
    assert torch.equal(net.blocks[3].bn1.running_mean, before)
    assert not net.blocks[3].bn1.weight.requires_grad
