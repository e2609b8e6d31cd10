"""PoF3D's networks against their golden cases."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check
from torch import Tensor, nn

from monoform.nn.stylegan2 import (
    SynthesisBlock,
    SynthesisNetwork,
    bias_act,
    default_gain,
    downsample2d,
    filter2d,
    fir_kernel,
    modulated_conv2d,
    resampled_conv2d,
    upfirdn2d,
    upsample2d,
)

LEFT_OUT = ("resample_filter", "dataset_label_std")
"""Tensors of published networks that are no part of ours: the one is made from its taps, the other nothing uses."""


def tensors(manifest: Mapping[str, Any], prefix: str = "") -> dict[str, Tensor]:
    """A checkpoint, or the part of it below a prefix, without what our networks do not hold."""
    state = {name: torch.from_numpy(values) for name, values in fill_state(manifest).items()}
    for name, values in state.items():
        if name.endswith("resample_filter"):
            taps = fir_kernel()
            torch.testing.assert_close(values, torch.outer(taps, taps))
    return {
        name.removeprefix(prefix): values
        for name, values in state.items()
        if name.startswith(prefix) and not name.endswith(LEFT_OUT)
    }


def filled(net: nn.Module, case: Case, prefix: str = "") -> Any:
    """A part with the case's weights, in evaluation mode."""
    net.load_state_dict(tensors(case.manifest, prefix))
    return net.eval()


def weights_are_filters(manifest: Mapping[str, Any]) -> None:
    assert manifest.get("filter", [1, 3, 3, 1]) == [1, 3, 3, 1], "only the filter [1, 3, 3, 1] is known here"


FILTERS = {"1331": "filter_1331", "asym": "filter_asym_3x4", "sep12": "filter_sep12", "none": None}
RESAMPLING = {"filter2d": filter2d, "upsample2d": upsample2d, "downsample2d": downsample2d}


def kernel_of(case: Case, name: str) -> Tensor | None:
    array = FILTERS.get(name, name)
    return None if array is None else case.tensor(array)


def options_of(given: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Keyword arguments as our functions call them."""
    known = {"up", "down", "padding", "gain", "groups", "clamp", "demodulate", "dim"}
    renamed = {"flip_filter": "flip", **names}
    assert set(given) <= known | set(renamed) | {
        "f",
        "input",
        "bias",
        "noise",
        "alpha",
        "activation",
        "flip_weight",
        "flip_filter",
    }
    return {renamed.get(name, name): value for name, value in given.items() if name in known | set(renamed)}


@check("pof3d", "ops")
def ops(case: Case) -> None:
    config = case.config
    assert case.manifest.get("params", config["params"]) == config["params"]
    resampling(case, config["params"])
    biases(case, config)
    convolutions(case, config["params"])
    modulations(case, config["mod"])
    filtered_activations(case, config)


def resampling(case: Case, params: Fields) -> None:
    x = case.tensor("x")
    for name in case.names("upfirdn_"):
        case.compare(name, upfirdn2d(x, kernel_of(case, params[name]["f"]), **options_of(params[name])))
    for operation, function in RESAMPLING.items():
        for name in case.names(f"{operation}_"):
            kind = name.removeprefix(f"{operation}_")
            given = params.get(name, params["*_pad"] if kind.endswith("_pad") else {})
            kernel = kernel_of(case, kind.removesuffix("_pad"))
            assert kernel is not None
            case.compare(name, function(x, kernel, **options_of(given)))
    for name in case.names("grad_", "_asym"):
        kernel = kernel_of(case, "asym")
        assert kernel is not None
        at = x.clone().requires_grad_()
        result = RESAMPLING[name.split("_")[1]](at, kernel)
        case.compare(name, torch.autograd.grad((result * case.tensor("grad_cotangent")).sum(), at)[0])


def biases(case: Case, config: Fields) -> None:
    for name, given in config["activation_defaults"].items():
        assert abs(default_gain(name) - given["gain"]) < 1e-12, f"{name} has another gain"
        assert given["alpha"] == (0.2 if name == "lrelu" else 0)
    for name in case.names("biasact_"):
        kind = name.removeprefix("biasact_")
        given = config["biasact"].get(kind, {})
        x = scaled(case, given.get("input", "x"))
        bias = None if given.get("bias", True) is False else case.tensor("bias")
        if given.get("dim", 1) != 1:
            bias = case.tensor(f"bias{x.shape[given['dim']]}")
        activation = given.get("activation", "lrelu" if kind.startswith("dim") else kind.split("_")[0])
        options = options_of(given, alpha="slope")
        case.compare(name, bias_act(x, bias, activation=activation, **options))


def scaled(case: Case, words: str) -> Tensor:
    """An array, or "3*x"."""
    factor, _, name = words.rpartition("*")
    return case.tensor(name) * float(factor or 1)


def convolutions(case: Case, params: Fields) -> None:
    x = case.tensor("conv_x")
    results = [name for name in case.names("conv_") if name not in case.manifest["inputs"]]
    for name in results:
        given = params[name]
        weight = case.tensor("conv_wg" if given.get("groups", 1) > 1 else "conv_w1" if "1x1" in name else "conv_w3")
        options = options_of(given)
        options["flip"] = not given.get("flip_weight", True)
        case.compare(name, resampled_conv2d(x, weight, case.tensor("filter_1331"), **options))


def modulations(case: Case, config: Fields) -> None:
    x, styles, kernel = case.tensor("conv_x"), case.tensor("mod_styles"), case.tensor("filter_1331")
    for name, given in config.items():
        weight = case.tensor("conv_w1" if "1x1" in name else "conv_w3")
        noise = case.tensor(given["noise"]) if "noise" in given else None
        options = options_of(given)
        options["flip"] = not given.get("flip_weight", True)
        for fused in (True, False):
            result = modulated_conv2d(x, weight, styles, noise=noise, kernel=kernel, fused=fused, **options)
            case.compare(f"mod_{name}_{'fused' if fused else 'unfused'}", result)


def filtered_activations(case: Case, config: Fields) -> None:
    """An activation on a finer grid (StyleGAN3), of the same parts; PoF3D has it and uses it nowhere."""
    for name in case.names("filtered_lrelu"):
        if name in case.manifest["inputs"]:
            continue
        given = config[name]
        x, kernel = scaled(case, given.get("input", "conv_x")), kernel_of(case, given["filters"])
        bias = case.tensor("filtered_lrelu_bias") if given.get("bias", "clamp" not in name) else None
        up, down = given["up"], given["down"]
        x = upfirdn2d(bias_act(x, bias), kernel, up=up, padding=given["padding"], gain=up**2)
        x = bias_act(x, activation="lrelu", slope=given["slope"], gain=given["gain"], clamp=given.get("clamp"))
        case.compare(name, upfirdn2d(x, kernel, down=down))


def block_of(words: str, others: Mapping[str, str], w_dim: int) -> SynthesisBlock:
    """ "in 16 -> 8, resolution 8, skip, is_last, conv_clamp 1.25": also "as skip, ..." of another one."""
    same = re.match(r"as (\w+)", words)
    if same:
        words = f"{others[same[1]]}, {words}"
    sizes = re.search(r"in (\d+)[^,]*-> (\d+)", words)
    resolution, channels = re.search(r"resolution (\d+)", words), re.search(r"img_channels (\d+)", words)
    clamp = re.search(r"conv_clamp ([\d.]+)", words)
    assert sizes and resolution, f"config.blocks says {words!r}, of which the sizes are not known here"
    if channels is None:
        channels = re.search(r"img_channels (\d+)", " ".join(others.values()))
    assert channels, "config.blocks names no img_channels"
    return SynthesisBlock(
        int(sizes[1]),
        int(sizes[2]),
        w_dim,
        int(resolution[1]),
        int(channels[1]),
        last="is_last" in words,
        architecture="resnet" if "resnet" in words else "skip",
        up=1 if "no upsampling" in words else 2,
        clamp=float(clamp[1]) if clamp else None,
    )


@check("pof3d", "synthesis_block")
def synthesis_block(case: Case) -> None:
    config = case.config
    weights_are_filters(config)
    ws, x, image = case.tensor("ws"), case.tensor("x"), case.tensor("img")
    for result in case.names(suffix="_x"):
        label = result.removesuffix("_x")
        name = label.split("_")[0]
        block = filled(block_of(config["blocks"][name], config["blocks"], config["w_dim"]), case, f"{name}.")
        words = config["noise"].get(label, config["noise"]["default"])
        noise: Any = words
        if "/" in words:
            first, second = words.split("/")
            arrays = (first, f"{first.rstrip('0123456789')}{second}")
            noise = iter([case.tensor(array) for array in arrays])
        given = (None, None) if block.inputs == 0 else (x, image)
        slots = ws[:, : block.convolutions + 1]
        features, made = block(*given, slots, noise=noise)
        case.compare(result, features)
        case.compare(f"{label}_img", made)


@check("pof3d", "synthesis_network")
def synthesis_network(case: Case) -> None:
    config = case.config
    net = SynthesisNetwork(
        config["w_dim"],
        config["img_resolution"],
        config["img_channels"],
        channel_base=config["channel_base"],
        channel_max=config["channel_max"],
        half_resolutions=config["num_fp16_res"],
        clamp=256.0 if config["num_fp16_res"] else None,
    )
    assert net.slots == config["num_ws"], "config.num_ws is not what the network takes"
    case.compare("planes", filled(net, case)(case.tensor("ws"), noise=config["noise_mode"]))
