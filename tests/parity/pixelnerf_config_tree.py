"""The release's configuration tree (`model`, `renderer`, ...), as plain mappings, in our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from monoform.errors import InputError
from monoform.methods.pixelnerf.config import Network, Sampling

_POOLINGS: dict[str, Literal["average", "max"]] = {"average": "average", "max": "max"}


def network_from_published(model: Mapping[str, Any]) -> Network:
    """The network that the branch `model` describes.

    Raises:
        InputError: it asks for a part that the release names but cannot run.
    """
    encoder, mlp = model.get("encoder", {}), model.get("mlp_coarse", {})
    code, whole = model.get("code", {}), model.get("global_encoder", {})
    fine = model.get("mlp_fine", mlp)
    _require(mlp == fine, "two perceptrons of different sizes")
    _require(mlp.get("type", "resnet") == "resnet", f"a perceptron of type {mlp.get('type')!r}")
    _require(encoder.get("backbone", "resnet34") in ("resnet18", "resnet34"), f"encoder {encoder.get('backbone')!r}")
    _require(encoder.get("norm_type", "batch") == "batch", f"norm_type {encoder.get('norm_type')!r}")
    _require(encoder.get("upsample_interp", "bilinear") == "bilinear", "upsample_interp other than bilinear")
    _require(code.get("include_input", True), "an encoding without its input")
    _require(model.get("use_encoder", True), "a network without encoder")
    return Network(
        backbone=encoder.get("backbone", "resnet34"),
        maps=encoder.get("num_layers", 4),
        first_pool=encoder.get("use_first_pool", True),
        feature_scale=float(encoder.get("feature_scale", 1.0)),
        lookup=encoder.get("index_interp", "bilinear"),
        padding=encoder.get("index_padding", "border"),
        frequencies=code.get("num_freqs", 6),
        factor=float(code.get("freq_factor", 1.5)),
        use_xyz=model.get("use_xyz", True),
        encode_positions=model.get("use_code", True),
        use_directions=model.get("use_viewdirs", True),
        encode_directions=model.get("use_code_viewdirs", False),
        centered=model.get("normalize_z", True),
        global_features=whole.get("latent_size", 128) if model.get("use_global_encoder", False) else 0,
        global_backbone=whole.get("backbone", "resnet34"),
        width=mlp.get("d_hidden", 512),
        blocks=mlp.get("n_blocks", 5),
        pooled_block=mlp.get("combine_layer", 1000),
        pooling=_POOLINGS[mlp.get("combine_type", "average")],
        beta=float(mlp.get("beta", 0.0)),
        spade=mlp.get("use_spade", False),
        stop_encoder_gradient=model.get("stop_encoder_grad", False),
        keep_unused_layers=True,
    )


def sampling_from_published(renderer: Mapping[str, Any], *, linear_disparity: bool = False) -> Sampling:
    """The sampling that the branch `renderer` describes; whether it is even in disparity is up to the data set."""
    _require(not renderer.get("sched"), "a schedule of sample counts")
    return Sampling(
        coarse=renderer.get("n_coarse", 128),
        fine=renderer.get("n_fine", 0),
        depth=renderer.get("n_fine_depth", 0),
        depth_std=float(renderer.get("depth_std", 0.01)),
        noise=float(renderer.get("noise_std", 0.0)),
        linear_disparity=renderer.get("lindisp", linear_disparity),
        white=renderer.get("white_bkgd", False),
    )


def _require(fulfilled: bool, what: str) -> None:
    if not fulfilled:
        raise InputError(f"This configuration of pixelNeRF asks for {what}, which cannot be run: change it.")
