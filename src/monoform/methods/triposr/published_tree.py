"""The release's configuration tree (config.yaml) in our words, with the release's own defaults.

The tree names classes of the release. They are looked up in a table of those that the release has; none is imported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from ...errors import InputError
from ...nn.transformer import Activation, TransformerConfig
from ...nn.vit import VitConfig
from .config import Decoder, DecoderActivation, DensityActivation, Reduction, Rendering, TripoSrConfig

CLASSES = {
    "image_tokenizer": "tsr.models.tokenizers.image.DINOSingleImageTokenizer",
    "tokenizer": "tsr.models.tokenizers.triplane.Triplane1DTokenizer",
    "backbone": "tsr.models.transformer.transformer_1d.Transformer1D",
    "post_processor": "tsr.models.network_utils.TriplaneUpsampleNetwork",
    "decoder": "tsr.models.network_utils.NeRFMLP",
    "renderer": "tsr.models.nerf_renderer.TriplaneNeRFRenderer",
}
VITS = {  # DINO's, by their names on the hub
    "facebook/dino-vitb16": VitConfig(),
    "facebook/dino-vitb8": VitConfig(patch=8),
    "facebook/dino-vits16": VitConfig(384, 12, 6, 1536),
    "facebook/dino-vits8": VitConfig(384, 12, 6, 1536, patch=8),
}
UNUSED: dict[
    str, dict[str, tuple[Any, ...] | None]
] = {  # options of the release that change nothing in what is computed, and that may have these values alone
    "backbone": {
        "dropout": (0.0,),
        "out_channels": None,
        "only_cross_attention": (False,),
        "double_self_attention": (False,),
        "upcast_attention": None,
        "norm_type": ("layer_norm",),
        "norm_elementwise_affine": (True,),
        "gradient_checkpointing": None,
        "enable_memory_efficient_attention": None,
    },
    "decoder": {"weight_init": None, "bias_init": None},
    "renderer": {"color_activation": ("sigmoid",), "randomized": None},
}


def config_of(tree: Mapping[str, Any], image: VitConfig | None = None) -> TripoSrConfig:
    """The network that a tree describes.

    Args:
        image: of the network that sees the photo; None: the one that the tree names.

    Raises:
        InputError: it lacks a part, names one that the release does not have, or a number makes no network.
    """
    for part, known in CLASSES.items():
        named = tree.get(f"{part}_cls", known)
        if named != known:
            raise InputError(f"config.yaml asks for the class {str(named)[:80]!r} as {part}; known is {known} alone.")
    if image is None:
        name = _get(_part(tree, "image_tokenizer"), "image_tokenizer", "pretrained_model_name_or_path", str, None)
        if name not in VITS:
            raise InputError(f"config.yaml asks for the image network {name[:80]!r}; known are {', '.join(VITS)}.")
        image = VITS[name]
    planes, post = _part(tree, "tokenizer"), _part(tree, "post_processor")
    transformer = transformer_of(_part(tree, "backbone"))
    channels = _get(planes, "tokenizer", "num_channels", int, None)
    if not channels == transformer.channels == _get(post, "post_processor", "in_channels", int, None):
        raise InputError(
            f"config.yaml has {channels} channels of the tokenizer, {transformer.channels} of the backbone and "
            f"{post['in_channels']} of the post_processor; they must be the same."
        )
    decoder, rendering = _part(tree, "decoder"), rendering_of(_part(tree, "renderer"))
    config = TripoSrConfig(
        image=image,
        image_size=_get(tree, "config.yaml", "cond_image_size", int, None),
        plane_size=_get(planes, "tokenizer", "plane_size", int, None),
        transformer=transformer,
        features=_get(post, "post_processor", "out_channels", int, None),
        decoder=decoder_of(decoder),
        rendering=rendering,
    )
    if decoder["in_channels"] != config.decoded:
        raise InputError(
            f"config.yaml says decoder.in_channels = {decoder['in_channels']}; the planes have {config.decoded}."
        )
    return config


def tree_of(config: TripoSrConfig) -> dict[str, Any]:
    """The tree of a network, as `config_of` reads it.

    Raises:
        InputError: the release has no such network.
    """
    names = [name for name, known in VITS.items() if known == config.image]
    if not names or config.rendering.metric:
        what = "its densities are metric" if names else f"its image network is none of {', '.join(VITS)}"
        raise InputError(f"The release's programs cannot run this network: {what}.")
    transformer, decoder, rendering = config.transformer, config.decoder, config.rendering
    tree: dict[str, Any] = {
        "cond_image_size": config.image_size,
        "image_tokenizer": {"pretrained_model_name_or_path": names[0]},
        "tokenizer": {"plane_size": config.plane_size, "num_channels": transformer.channels},
        "backbone": {
            "in_channels": transformer.channels,
            "num_attention_heads": transformer.heads,
            "attention_head_dim": transformer.head_width,
            "num_layers": transformer.blocks,
            "cross_attention_dim": transformer.context,
            "attention_bias": transformer.bias,
            "activation_fn": transformer.activation,
            "norm_num_groups": transformer.groups,
        },
        "post_processor": {"in_channels": transformer.channels, "out_channels": config.features},
        "decoder": {
            "in_channels": config.decoded,
            "n_neurons": decoder.width,
            "n_hidden_layers": decoder.layers,
            "activation": decoder.activation,
            "bias": decoder.bias,
        },
        "renderer": {
            "radius": rendering.radius,
            "feature_reduction": rendering.reduction,
            "density_activation": rendering.density_activation,
            "density_bias": rendering.density_bias,
            "num_samples_per_ray": rendering.samples,
        },
    }
    return tree | {f"{part}_cls": name for part, name in CLASSES.items()}


def transformer_of(branch: Mapping[str, Any]) -> TransformerConfig:
    """The branch `backbone`."""
    _require_unused(branch, "backbone")

    def number(name: str, default: int | None = None) -> int:
        return _get(branch, "backbone", name, int, default)

    return TransformerConfig(
        channels=number("in_channels"),
        heads=number("num_attention_heads"),
        head_width=number("attention_head_dim"),
        blocks=number("num_layers"),
        context=number("cross_attention_dim"),
        bias=_get(branch, "backbone", "attention_bias", bool, False),
        activation=_choice(branch, "backbone", "activation_fn", get_args(Activation), "geglu"),
        groups=number("norm_num_groups", 32),
    )


def decoder_of(branch: Mapping[str, Any]) -> Decoder:
    """The branch `decoder`; how many features come in follows from the other branches."""
    _require_unused(branch, "decoder")
    _get(branch, "decoder", "in_channels", int, None)
    return Decoder(
        width=_get(branch, "decoder", "n_neurons", int, None),
        layers=_get(branch, "decoder", "n_hidden_layers", int, None),
        activation=_choice(branch, "decoder", "activation", get_args(DecoderActivation), "relu"),
        bias=_get(branch, "decoder", "bias", bool, True),
    )


def rendering_of(branch: Mapping[str, Any]) -> Rendering:
    """The branch `renderer`."""
    _require_unused(branch, "renderer")
    return Rendering(
        radius=_get(branch, "renderer", "radius", float, None),
        reduction=_choice(branch, "renderer", "feature_reduction", get_args(Reduction), "concat"),
        density_activation=_choice(branch, "renderer", "density_activation", get_args(DensityActivation), "trunc_exp"),
        density_bias=_get(branch, "renderer", "density_bias", float, -1.0),
        samples=_get(branch, "renderer", "num_samples_per_ray", int, 128),
    )


def _part(tree: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = tree.get(name)
    if not isinstance(found, Mapping):
        raise InputError(f"config.yaml has no part {name!r}: give the one that lies beside the checkpoint.")
    return found


def _get(branch: Mapping[str, Any], of: str, name: str, kind: type, default: Any) -> Any:
    value = branch.get(name, default)
    if value is None:
        raise InputError(f"config.yaml does not say {name} of {of}: give the one that lies beside the checkpoint.")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf  # out of every range
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise InputError(f"config.yaml says {of}.{name} = {str(value)[:60]!r}, which is no {kind.__name__}.")
    return value


def _choice(branch: Mapping[str, Any], of: str, name: str, known: tuple[str, ...], default: str) -> Any:
    value = str(branch.get(name) or "none") if name in branch else default
    if value not in known:
        raise InputError(f"config.yaml says {of}.{name} = {value[:60]!r}; known are {', '.join(known)}.")
    return value


def _require_unused(branch: Mapping[str, Any], of: str) -> None:
    for name, known in UNUSED[of].items():
        if name in branch and known is not None and branch[name] not in known:
            raise InputError(f"config.yaml says {of}.{name} = {str(branch[name])[:60]!r}; known is {known[0]!r} alone.")
