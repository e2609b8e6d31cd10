"""StyleGAN2's layers against their definitions, fused against not, and gradients against float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from monoform.nn.stylegan2 import (
    EqualizedConv2d,
    EqualizedLinear,
    MappingNetwork,
    SynthesisBlock,
    SynthesisLayer,
    SynthesisNetwork,
    ToRGB,
    bias_act,
    downsample2d,
    filter2d,
    fir_kernel,
    modulated_conv2d,
    normalize_second_moment,
    resampled_conv2d,
    upfirdn2d,
    upsample2d,
)


@pytest.fixture(autouse=True)
def _weights_are_the_same_every_time() -> None:
    torch.manual_seed(0)


def seeded(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_definition(
    x: np.ndarray, kernel: np.ndarray, up: Any, down: Any, padding: Any, flip: bool, gain: float
) -> np.ndarray:
    """Zeros after each pixel, padding, a sum for each output pixel, one of `down` kept; for one image."""
    (up_x, up_y), (down_x, down_y), (left, right, top, bottom) = up, down, padding
    h, w = x.shape
    spread = np.zeros((h * up_y, w * up_x))
    spread[::up_y, ::up_x] = x
    padded = np.zeros((h * up_y + max(top, 0) + max(bottom, 0), w * up_x + max(left, 0) + max(right, 0)))
    padded[max(top, 0) : max(top, 0) + h * up_y, max(left, 0) : max(left, 0) + w * up_x] = spread
    rows, columns = padded.shape
    padded = padded[max(-top, 0) : rows - max(-bottom, 0), max(-left, 0) : columns - max(-right, 0)]
    taps = kernel if flip else kernel[::-1, ::-1]
    rows, columns = padded.shape[0] - taps.shape[0] + 1, padded.shape[1] - taps.shape[1] + 1
    out = np.empty((rows, columns))
    for i in range(rows):
        for j in range(columns):
            out[i, j] = gain * (padded[i : i + taps.shape[0], j : j + taps.shape[1]] * taps).sum()
    return out[::down_y, ::down_x]


PAIR = st.tuples(st.integers(1, 3), st.integers(1, 3))
SIDE = st.integers(-2, 4)


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(8, 11), st.integers(8, 11)),
    taps=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    separable=st.booleans(),
    up=PAIR,
    down=PAIR,
    padding=st.tuples(SIDE, SIDE, SIDE, SIDE),
    flip=st.booleans(),
    seed=st.integers(0, 100),
)
def test_upfirdn_is_its_definition(
    size: tuple[int, int],
    taps: tuple[int, int],
    separable: bool,
    up: tuple[int, int],
    down: tuple[int, int],
    padding: tuple[int, int, int, int],
    flip: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, *size))
    kernel = rng.standard_normal(taps[0] if separable else taps)
    full = np.outer(kernel, kernel) if separable else kernel
    made = upfirdn2d(
        torch.tensor(x), torch.tensor(kernel), up=up, down=down, padding=padding, flip=flip, gain=1.5
    ).numpy()
    for sample in range(2):
        for channel in range(3):
            wanted = by_definition(x[sample, channel], full, up, down, padding, flip, 1.5)
            np.testing.assert_allclose(made[sample, channel], wanted, atol=1e-12)


def test_resampling_keeps_constants_inside_and_sizes():
    kernel = fir_kernel()
    assert float(kernel.sum()) == pytest.approx(1.0)
    x = torch.ones(1, 2, 16, 12)
    doubled, halved, same = upsample2d(x, kernel), downsample2d(x, kernel), filter2d(x, kernel)
    assert (doubled.shape[2:], halved.shape[2:], same.shape[2:]) == ((32, 24), (8, 6), (16, 12))
    for image in (doubled, halved, same):
        torch.testing.assert_close(image[:, :, 2:-2, 2:-2], torch.ones_like(image[:, :, 2:-2, 2:-2]))
    # What doubles an image by the binomial filter is a bilinear interpolation.
    x = seeded(1, 2, 8, 6)
    bilinear = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsample2d(x, kernel)[:, :, 1:-1, 1:-1], bilinear[:, :, 1:-1, 1:-1])


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)])
@pytest.mark.parametrize("padding", [1, (0, 2, 1, 3), (-2, 3, 1, -1)])
@pytest.mark.parametrize("flip", [False, True])
def test_a_resampled_convolution_is_its_steps(groups: int, size: int, up: int, down: int, padding: Any, flip: bool):
    x, weight = seeded(2, 4, 10, 9).double(), seeded(6, 4 // groups, size, size, seed=1).double()
    kernel = torch.tensor([[1.0, 2.0, -1.0, 0.5], [3.0, 1.0, 0.0, 2.0], [0.3, 2.0, 1.0, 1.0]]).double()
    sides = [padding] * 4 if isinstance(padding, int) else list(padding)
    for factor, grows in ((up, True), (down, False)):
        if factor > 1:
            for side, taps in ((0, 4), (2, 3)):
                sides[side] += (taps + factor - 1) // 2 if grows else (taps - factor + 1) // 2
                sides[side + 1] += (taps - factor) // 2
    steps = upfirdn2d(x, kernel if up > 1 else None, up=up, padding=sides, gain=up**2)
    steps = torch.nn.functional.conv2d(steps, weight.flip(2, 3) if flip else weight, groups=groups)
    steps = upfirdn2d(steps, kernel if down > 1 else None, down=down)
    made = resampled_conv2d(x, weight, kernel, up=up, down=down, padding=padding, groups=groups, flip=flip)
    torch.testing.assert_close(made, steps)


@pytest.mark.parametrize("options", [{}, {"up": 2}, {"down": 2}, {"demodulate": False}, {"noise": True}])
def test_fused_and_not_are_the_same_with_the_same_gradients(options: dict[str, Any]):
    weight = seeded(5, 4, 3, 3, seed=1)
    results = []
    for fused in (True, False):
        x, styles = seeded(3, 4, 8, 8).requires_grad_(), (1 + seeded(3, 4, seed=2)).requires_grad_()
        w = weight.clone().requires_grad_()
        given_options = dict(options)
        if given_options.pop("noise", False):
            given_options["noise"] = seeded(3, 1, 8, 8, seed=3)
        kernel = fir_kernel()
        y = modulated_conv2d(x, w, styles, padding=1, kernel=kernel, fused=fused, **given_options)
        results.append((y, *torch.autograd.grad(y.square().sum(), (x, styles, w))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("noise", ["const", "none"])
@pytest.mark.parametrize(
    "options", [{}, {"up": 1}, {"clamp": 0.5}, {"architecture": "resnet", "last": True}, {"use_noise": False}]
)
def test_without_gradients_layers_work_in_place_and_are_the_same(count: int, noise: Any, options: dict[str, Any]):
    block = SynthesisBlock(4, 5, 6, 8, 3, **options)
    for name, parameter in block.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            parameter.data.add_(0.7)
    side = 8 if options.get("up") == 1 else 4
    x, image, ws = seeded(count, 4, side, side), seeded(count, 3, side, side, seed=1), seeded(count, 3, 6, seed=2)
    before = x.clone(), image.clone()
    plain = block(x, image, ws, noise=noise, fused=False)
    with torch.no_grad():
        quick = block(x, image, ws, noise=noise)
    for one, other in zip((*plain, *before), (*quick, x, image), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_demodulated_kernels_keep_the_variance():
    x, weight, styles = seeded(4, 64, 16, 16), 7 * seeded(32, 64, 3, 3, seed=1), 3 + seeded(4, 64, seed=2)
    y = modulated_conv2d(x, weight, styles, padding=1)[:, :, 2:-2, 2:-2]
    assert float(y.var()) == pytest.approx(1.0, rel=0.1)
    # Neither the size of the weights nor that of the styles is seen.
    torch.testing.assert_close(modulated_conv2d(x, 5 * weight, 0.2 * styles, padding=1)[:, :, 2:-2, 2:-2], y)


def test_half_precision_does_not_overflow():
    x = seeded(1, 64, 6, 6)
    weight, styles = 100 * seeded(8, 64, 3, 3, seed=1), 3000 * (1 + seeded(1, 64, seed=2).abs())
    half = modulated_conv2d(x.half(), weight, styles, padding=1)
    assert bool(torch.isfinite(half).all())
    torch.testing.assert_close(half.float(), modulated_conv2d(x, weight, styles, padding=1), rtol=2e-2, atol=2e-2)


def test_bias_act_follows_its_formula():
    x, bias = seeded(2, 3, 4), torch.tensor([0.5, -1.0, 2.0])
    wanted = torch.nn.functional.leaky_relu(x + bias[:, None], 0.3) * 1.5
    torch.testing.assert_close(bias_act(x, bias, activation="lrelu", slope=0.3, gain=1.5), wanted)
    torch.testing.assert_close(
        bias_act(x, bias, activation="lrelu", slope=0.3, gain=1.5, clamp=0.7), wanted.clamp(-0.7, 0.7)
    )
    torch.testing.assert_close(bias_act(x, torch.ones(4), dim=2), x + 1)
    torch.testing.assert_close(bias_act(x, activation="relu"), math.sqrt(2) * x.relu())


def test_equalized_layers_scale_what_they_store():
    layer = EqualizedLinear(16, 3, lr_multiplier=0.01, bias_init=5.0)
    x = seeded(2, 16)
    torch.testing.assert_close(layer(x), x @ layer.weight.T * (0.01 / 4) + 0.05)
    assert float(layer.weight.std()) == pytest.approx(100, rel=0.3)
    conv = EqualizedConv2d(4, 3, 3, clamp=0.1)
    images = seeded(2, 4, 6, 6)
    plain = torch.nn.functional.conv2d(images, conv.weight / 6, padding=1)
    torch.testing.assert_close(conv(images, gain=3.0), (3 * plain).clamp(-0.3, 0.3))
    assert not list(EqualizedConv2d(4, 3, 3, frozen=True).parameters())
    assert set(EqualizedConv2d(4, 3, 3, frozen=True).state_dict()) == {"weight", "bias"} == set(conv.state_dict())
    assert set(EqualizedConv2d(4, 3, 1, bias=False).state_dict()) == {"weight"}


def test_mapping_normalizes_truncates_and_averages():
    net = MappingNetwork(8, 6, layers=2, c_dim=3)
    z, c = seeded(5, 8), seeded(5, 3, seed=1)
    torch.testing.assert_close(net(3 * z, c), net(z, c))
    assert not torch.allclose(net(z, c), net(z, -c))
    assert float(normalize_second_moment(z).square().mean()) == pytest.approx(1.0)
    w = net(z, c)
    net.update_average(w)
    torch.testing.assert_close(net.w_avg, 0.002 * w.mean(0))
    ws = w[:, None].expand(-1, 4, -1)
    middle = net.truncate(ws, 0.5, 3)
    torch.testing.assert_close(middle[:, :3], 0.5 * (ws[:, :3] + net.w_avg))
    torch.testing.assert_close(middle[:, 3], w)
    torch.testing.assert_close(net.truncate(ws, 0.0), net.w_avg.expand(5, 4, 6))
    plain = MappingNetwork(0, 6, layers=1, c_dim=3, embedded=False, average_decay=None)
    assert set(plain.state_dict()) == {"fc0.weight", "fc0.bias"}
    assert not torch.allclose(plain(c=3 * c), plain(c=c))


def noisy(layer: SynthesisLayer) -> SynthesisLayer:
    with torch.no_grad():
        layer.noise_strength.fill_(0.7)
    return layer


def test_noise_is_const_none_drawn_or_given():
    layer = noisy(SynthesisLayer(4, 5, 6, 8))
    x, w = seeded(2, 4, 8, 8), seeded(2, 6, seed=1)
    none, const = layer(x, w, noise="none"), layer(x, w, noise="const")
    given_draws = layer(x, w, noise=iter([layer.noise_const.expand(2, 1, 8, 8)]))
    torch.testing.assert_close(given_draws, const)
    assert not torch.allclose(none, const)
    draws = [layer(x, w, noise=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.allclose(draws[0], draws[2])
    silent = SynthesisLayer(4, 5, 6, 8, use_noise=False)
    assert not {"noise_const", "noise_strength"} & set(silent.state_dict())
    torch.testing.assert_close(silent(x, w), silent(x, w, noise="none"))


def test_torgb_does_not_demodulate():
    layer, x, w = ToRGB(4, 3, 6), seeded(2, 4, 5, 5), seeded(2, 6, seed=1)
    styles = layer.affine(w) / 2
    wanted = torch.einsum("oi,ni,nihw->nohw", layer.weight[:, :, 0, 0], styles, x)
    torch.testing.assert_close(layer(x, w), wanted)
    assert float(ToRGB(4, 3, 6, clamp=0.01)(x, w).abs().max()) <= 0.01


def test_a_block_changes_nothing_of_what_it_is_given():
    block = SynthesisBlock(4, 4, 6, 8, 3, up=1)
    x, image = seeded(1, 4, 8, 8), seeded(1, 3, 8, 8, seed=1)
    before = image.clone()
    block(x, image, seeded(1, 3, 6, seed=2))
    assert torch.equal(image, before)


@pytest.mark.parametrize("fused", [False, True])
def test_gradients_of_a_network_are_those_in_float64(fused: bool):
    net = SynthesisNetwork(8, 16, 6, channel_base=128, channel_max=16)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.add_(0.3 if name.endswith("noise_strength") else 0.0)
    grads = []
    for dtype in (torch.float32, torch.float64):
        twin = SynthesisNetwork(8, 16, 6, channel_base=128, channel_max=16)
        twin.load_state_dict(net.state_dict())
        twin = twin.to(dtype)
        ws = seeded(2, twin.slots, 8).to(dtype).requires_grad_()
        loss = (twin(ws, fused=fused) * seeded(2, 6, 16, 16, seed=1).to(dtype)).sum()
        grads.append(torch.autograd.grad(loss, (ws, *twin.parameters())))
    for single, double in zip(*grads, strict=True):
        scale = float(double.abs().max()) + 1e-6
        torch.testing.assert_close(single.double(), double, rtol=0, atol=1e-4 * scale)


def test_channels_and_slots_follow_the_resolution():
    net = SynthesisNetwork(8, 64, 6, channel_base=1024, channel_max=128)
    assert net.slots == 10
    assert [net.get_submodule(f"b{size}.conv1").weight.shape[0] for size in net.resolutions] == [128, 128, 64, 32, 16]
    assert net(torch.zeros(1, 10, 8)).shape == (1, 6, 64, 64)
    clamped = SynthesisNetwork(8, 8, 6, channel_base=64, clamp=0.01)
    assert float(clamped(torch.zeros(1, 4, 8)).abs().max()) <= 0.01 * 4 + 0.01
