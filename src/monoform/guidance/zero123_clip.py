"""CLIP's image encoder by the names of its authors' tensors, as checkpoints that hold one have it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

HEAD = 64  # numbers of a head of attention, in all of CLIP's transformers
LAYERS = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
WHOLE = {
    "class_embedding": "embeddings.class_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "conv1.weight": "embeddings.patch_embedding.weight",
    "ln_pre.weight": "pre_layrnorm.weight",
    "ln_pre.bias": "pre_layrnorm.bias",
    "ln_post.weight": "post_layernorm.weight",
    "ln_post.bias": "post_layernorm.bias",
}


def clip_sizes(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes as transformers names them, from tensors without prefix."""
    patches, places = tensors["conv1.weight"].shape, len(tensors["positional_embedding"]) - 1
    layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("transformer.resblocks."))
    return {
        "hidden_size": int(patches[0]),
        "patch_size": int(patches[2]),
        "image_size": round(places**0.5) * int(patches[2]),
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, int(patches[0]) // HEAD),
        "intermediate_size": int(tensors["transformer.resblocks.0.mlp.c_fc.weight"].shape[0]),
        "projection_dim": int(tensors["proj"].shape[1]),
        "hidden_act": "quick_gelu",
    }


def clip_names(tensors: Mapping[str, Tensor], asked: Collection[str]) -> dict[str, Tensor]:
    """The tensors by the names that an encoder of transformers asks for, some of which begin with vision_model."""
    found = {new: tensors[old] for old, new in WHOLE.items()}
    for name, value in tensors.items():
        if not name.startswith("transformer.resblocks."):
            continue
        _, _, layer, *rest = name.split(".")
        base, kind = f"encoder.layers.{layer}.", rest[-1]
        if rest[:2] in (["attn", "in_proj_weight"], ["attn", "in_proj_bias"]):
            for part, each in zip("qkv", value.chunk(3), strict=True):
                found[f"{base}self_attn.{part}_proj.{rest[1].removeprefix('in_proj_')}"] = each
        else:
            found[f"{base}{LAYERS['.'.join(rest[:-1])]}.{kind}"] = value
    found = {name if name in asked else f"vision_model.{name}": value for name, value in found.items()}
    found["visual_projection.weight"] = tensors["proj"].T
    places = next((name for name in asked if name.endswith("position_ids")), None)
    if places is not None:
        found[places] = torch.arange(len(tensors["positional_embedding"]))[None]
    return found
