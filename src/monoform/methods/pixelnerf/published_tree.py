"""The release's configuration tree (`model`, `renderer`, `data`) in our words, with the release's own defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from ...errors import InputError
from .config import Network, Perceptron, PixelNerfConfig, Sampling

T = TypeVar("T", bool, int, float, str)
DATA = {"srn": "srn_car", "dvr": "sn64", "dvr_gen": "sn64_unseen", "dvr_dtu": "dtu", "multi_obj": "multi_obj"}
"""The published configuration whose pictures have a format of `data.format`."""


def network_from_published(model: Mapping[str, Any]) -> Network:
    """The network that the branch `model` describes.

    Raises:
        InputError: it lacks a part, or asks for one that the release names but cannot run.
    """
    encoder = branch(model, "encoder")
    whole = _choice(encoder, "type", "spatial", "spatial", "global") == "global"
    coarse, fine = branch(model, "mlp_coarse"), branch(model, "mlp_fine")
    shared = _get(fine, "type", "mlp") == "empty"
    shape = vars(_perceptron(coarse))
    other = None if shared else _perceptron(fine)
    code = branch(model, "code") if _get(model, "use_code", False) else {}
    overall = branch(model, "global_encoder") if _get(model, "use_global_encoder", False) else None
    return Network(
        **shape,
        backbone=_choice(encoder, "backbone", None, "resnet18", "resnet34"),
        maps=_get(encoder, "num_layers", 4),
        first_pool=_get(encoder, "use_first_pool", True),
        feature_scale=_get(encoder, "feature_scale", 1.0),
        upsampling=_choice(encoder, "upsample_interp", "bilinear", "bilinear", "bicubic"),
        lookup=_choice(encoder, "index_interp", "bilinear", "bilinear", "nearest", "bicubic"),
        padding=_choice(encoder, "index_padding", "border", "border", "zeros", "reflection"),
        use_features=_get(model, "use_encoder", True),
        encoder_features=_get(encoder, "latent_size", 128) if whole else 0,
        frequencies=_get(code, "num_freqs", 6),
        factor=_get(code, "freq_factor", math.pi) if code else Network.factor,
        keep_positions=_get(code, "include_input", True),
        use_xyz=_get(model, "use_xyz", False),
        encode_positions=bool(code),
        use_directions=_get(model, "use_viewdirs", False),
        encode_directions=_get(model, "use_code_viewdirs", True),
        centered=_get(model, "normalize_z", True),
        global_features=0 if overall is None else _get(overall, "latent_size", 128),
        global_backbone="resnet34" if overall is None else _choice(overall, "backbone", None, "resnet18", "resnet34"),
        fine=None if other == _perceptron(coarse) else other,
        share_perceptron=shared,
        stop_encoder_gradient=_get(model, "stop_encoder_grad", False),
        keep_unused_layers=True,
    )


def sampling_from_published(renderer: Mapping[str, Any], *, linear_disparity: bool = False) -> Sampling:
    """The sampling that the branch `renderer` describes; whether it is even in disparity is up to the data set.

    Of a schedule of sample counts that the release's training goes through, the last one holds.

    Raises:
        InputError: a value is of another kind.
    """
    coarse, fine = schedule_from_published(renderer)[1:]
    return Sampling(
        coarse=coarse[-1],
        fine=fine[-1],
        depth=_get(renderer, "n_fine_depth", 0),
        depth_std=_get(renderer, "depth_std", 0.01),
        noise=_get(renderer, "noise_std", 0.0),
        linear_disparity=_get(renderer, "lindisp", linear_disparity),
        white=_get(renderer, "white_bkgd", False),
    )


def schedule_from_published(renderer: Mapping[str, Any]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Numbers of objects from which on sample counts hold, coarse and fine ones; the first number is 0.

    Raises:
        InputError: it is none of three lists of whole numbers, ascending ones at first.
    """
    seen, coarse, fine = [0], [_get(renderer, "n_coarse", 128)], [_get(renderer, "n_fine", 0)]
    schedule: Any = renderer.get("sched") or ([], [], [])
    _require(
        isinstance(schedule, (list, tuple))
        and len(schedule) == 3
        and all(isinstance(part, (list, tuple)) and len(part) == len(schedule[0]) for part in schedule),
        f"the schedule {schedule!r}, which is none of steps, coarse and fine samples",
    )
    for own, part in zip((seen, coarse, fine), schedule, strict=True):
        own += [_get(dict(enumerate(part)), place, 0) for place in range(len(part))]
    first = 1 if seen[1:2] == [0] else 0  # what stands beside the schedule never holds
    return tuple(seen[first:]), tuple(coarse[first:]), tuple(fine[first:])


def data_from_published(tree: Mapping[str, Any]) -> str:
    """The published configuration for the pictures that `data.format` names; "" where it names none.

    Raises:
        InputError: it names a format that the release does not have.
    """
    return DATA[_choice(tree["data"], "format", None, *DATA)] if "format" in tree.get("data", {}) else ""


def published_from(config: PixelNerfConfig) -> dict[str, Any]:
    """The tree that the release builds a network and its renderer from: what the functions above read."""
    network, sampling = config.network, config.sampling
    encoder: dict[str, Any] = {"backbone": network.backbone, "pretrained": False}
    if network.encoder_features:
        encoder |= {"type": "global", "latent_size": network.encoder_features}
    else:
        encoder |= {
            "num_layers": network.maps,
            "use_first_pool": network.first_pool,
            "feature_scale": network.feature_scale,
            "upsample_interp": network.upsampling,
            "index_interp": network.lookup,
            "index_padding": network.padding,
        }
    code = {"num_freqs": network.frequencies, "freq_factor": network.factor, "include_input": network.keep_positions}
    overall = {"backbone": network.global_backbone, "pretrained": False, "latent_size": network.global_features}
    fine = {"type": "empty"} if network.share_perceptron else _published_perceptron(network.fine or network)
    return {
        "model": {
            "use_encoder": network.use_features,
            "use_xyz": network.use_xyz,
            "normalize_z": network.centered,
            "use_code": network.encode_positions,
            "code": code,
            "use_viewdirs": network.use_directions,
            "use_code_viewdirs": network.encode_directions,
            "use_global_encoder": network.global_features > 0,
            **({"global_encoder": overall} if network.global_features else {}),
            "stop_encoder_grad": network.stop_encoder_gradient,
            "mlp_coarse": _published_perceptron(network),
            "mlp_fine": fine,
            "encoder": encoder,
        },
        "renderer": {
            "n_coarse": sampling.coarse,
            "n_fine": sampling.fine,
            "n_fine_depth": sampling.depth,
            "depth_std": sampling.depth_std,
            "noise_std": sampling.noise,
            "lindisp": sampling.linear_disparity,
            "white_bkgd": sampling.white,
        },
    }


def _published_perceptron(mlp: Perceptron) -> dict[str, Any]:
    return {
        "type": "resnet",
        "d_hidden": mlp.width,
        "n_blocks": mlp.blocks,
        "combine_layer": mlp.pooled_block,
        "combine_type": mlp.pooling,
        "beta": mlp.beta,
        "use_spade": mlp.spade,
    }


def _perceptron(tree: Mapping[str, Any]) -> Perceptron:
    _choice(tree, "type", "mlp", "resnet")
    return Perceptron(
        width=_get(tree, "d_hidden", 128),
        blocks=_get(tree, "n_blocks", 5),
        pooled_block=_get(tree, "combine_layer", 1000),
        pooling=_choice(tree, "combine_type", "average", "average", "max"),
        beta=max(0.0, _get(tree, "beta", 0.0)),
        spade=_get(tree, "use_spade", False),
    )


def branch(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A part of the tree that has parts itself.

    Raises:
        InputError: there is none of this name.
    """
    found = tree.get(name)
    if not isinstance(found, Mapping):
        raise InputError(f"This configuration of pixelNeRF lacks the branch {name!r}: give the whole one.")
    return found


def _choice(tree: Mapping[Any, Any], name: str, default: str | None, *allowed: Any) -> Any:
    """A word, one of those that can be run."""
    found = tree.get(name, default)
    _require(found in allowed, f"{name} = {found!r}")
    return found


def _get(tree: Mapping[Any, Any], name: Any, default: T) -> T:
    """A value of the default's kind; truth may be a number, and a whole number stand for any."""
    found = tree.get(name, default)
    kind = type(default)
    fitting = (bool, int, float) if kind is bool else (int, float) if kind is float else (kind,)
    if not isinstance(found, fitting) or (kind is not bool and isinstance(found, bool)):
        raise InputError(f"This configuration of pixelNeRF says {name} = {found!r}, which is no {kind.__name__}.")
    return kind(found)


def _require(fulfilled: bool, what: str) -> None:
    if not fulfilled:
        raise InputError(f"This configuration of pixelNeRF asks for {what}, which cannot be run: change it.")
