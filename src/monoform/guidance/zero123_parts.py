"""The parts of a Zero-1-to-3: in the layout of diffusers, and in its authors' checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..inputs.checkpoints import read_checkpoint
from ..inputs.tensors import read_tensors
from .parts import EXTRA, quiet, read_part
from .parts import part_kinds as text_part_kinds
from .zero123_clip import clip_names, clip_sizes

USUAL = "ashawkey/zero123-xl-diffusers"
PARTS = ("vae", "unet", "image_encoder", "clip_camera_projection", "scheduler")
SUFFIXES = (".ckpt", ".pt", ".pth", ".safetensors")
ADVICE = "give a checkpoint of Zero-1-to-3, such as zero123-xl.ckpt or stable_zero123.ckpt"
LARGEST = 24 << 30  # bytes: the first checkpoints hold their optimizer, too
HEADS = 8  # of the U-Net's attention, which no tensor tells
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
UNET, VAE, CLIP = "model.diffusion_model.", "first_stage_model.", "cond_stage_model.model.visual."
SCALE = 0.18215  # of the latents
SIDE = 32  # of latents that the U-Net has learned


def is_checkpoint(source: str | Path) -> bool:
    """Whether a source is meant as one file."""
    return str(source).lower().endswith(SUFFIXES)


def part_kinds() -> dict[str, Any]:
    """The classes of the parts in the layout of diffusers.

    Raises:
        InputError: a package is missing.
    """
    known = text_part_kinds()
    try:
        from diffusers import ConfigMixin, ModelMixin
        from diffusers.configuration_utils import register_to_config
        from transformers import CLIPVisionModelWithProjection
    except ImportError as error:
        raise InputError(EXTRA) from error

    class CameraProjection(ModelMixin, ConfigMixin):
        """A linear layer with the configuration that such folders have."""

        @register_to_config
        def __init__(self, embedding_dim: int = 768, additional_embeddings: int = 4) -> None:
            super().__init__()
            self.proj = nn.Linear(embedding_dim + additional_embeddings, embedding_dim)

        def forward(self, x: Tensor) -> Tensor:
            return self.proj(x)

    CameraProjection.__module__ = "diffusers.monoform"  # read as its other models are
    own = {"image_encoder": CLIPVisionModelWithProjection, "clip_camera_projection": CameraProjection}
    return {name: own.get(name, known.get(name)) for name in PARTS}


def read_zero123_part(kind: Any, source: str | Path, name: str, dtype: torch.dtype) -> Any:
    """See `read_part`."""
    return read_part(kind, source, name, dtype, parts=PARTS, model="Zero-1-to-3", usual=USUAL)


def read_checkpoint_parts(path: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The parts of one file, by the names of the arguments of `Zero123`; their sizes follow from the tensors.

    Raises:
        InputError: a package is missing, or the file is, or it is damaged or another model's.
    """
    kinds = part_kinds()
    tensors = _tensors(path)
    try:
        from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

        unet, vae = unet_sizes(tensors), vae_sizes(tensors)
        with quiet():
            made = {
                "unet": _filled(
                    kinds["unet"](**unet), convert_ldm_unet_checkpoint(dict(tensors), dict(unet), extract_ema=True)
                ),
                "vae": _filled(kinds["vae"](**vae), convert_ldm_vae_checkpoint(dict(tensors), dict(vae))),
                "image_encoder": _image_encoder(kinds["image_encoder"], tensors),
                "projection": _projection(tensors),
            }
    except (KeyError, IndexError, RuntimeError, ValueError, ImportError) as error:  # InputError is a ValueError
        reason = str(error).strip().split("\n")[0][:200]
        raise InputError(f"{path} does not hold a whole Zero-1-to-3 ({reason}): {ADVICE}.") from error
    return {name: part.to(dtype) for name, part in made.items()} | {"scheduler": kinds["scheduler"](**NOISE)}


def unet_sizes(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes of the U-Net, as diffusers names them, from the names and shapes of a checkpoint's tensors."""
    own = {name.removeprefix(UNET): value.shape for name, value in tensors.items() if name.startswith(UNET)}
    first, last = own["input_blocks.0.0.weight"], own["out.2.weight"]
    blocks = 1 + max(int(name.split(".")[1]) for name in own if name.startswith("input_blocks."))
    halvings = [number for number in range(blocks) if f"input_blocks.{number}.0.op.weight" in own]
    ends = [*halvings, blocks]
    starts = [1, *(number + 1 for number in halvings)]
    channels = [own[f"input_blocks.{start}.0.out_layers.3.weight"][0] for start in starts]
    attends = [f"input_blocks.{start}.1.norm.weight" in own for start in starts]
    key = next(name for name in own if name.endswith("attn2.to_k.weight"))
    return {
        "sample_size": SIDE,
        "in_channels": int(first[1]),
        "out_channels": int(last[0]),
        "block_out_channels": [int(each) for each in channels],
        "layers_per_block": ends[0] - starts[0],
        "down_block_types": ["CrossAttnDownBlock2D" if each else "DownBlock2D" for each in attends],
        "up_block_types": ["CrossAttnUpBlock2D" if each else "UpBlock2D" for each in reversed(attends)],
        "cross_attention_dim": int(own[key][1]),
        "attention_head_dim": HEADS,
    }


def vae_sizes(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Sizes of the autoencoder, as diffusers names them."""
    own = {name.removeprefix(VAE): value.shape for name, value in tensors.items() if name.startswith(VAE)}
    levels = 1 + max(int(name.split(".")[2]) for name in own if name.startswith("encoder.down."))
    layers = 1 + max(int(name.split(".")[4]) for name in own if name.startswith("encoder.down.0.block."))
    channels = [int(own[f"encoder.down.{level}.block.0.conv2.weight"][0]) for level in range(levels)]
    return {
        "in_channels": int(own["encoder.conv_in.weight"][1]),
        "out_channels": int(own["decoder.conv_out.weight"][0]),
        "latent_channels": int(own["post_quant_conv.weight"][0]),
        "block_out_channels": channels,
        "layers_per_block": layers,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "scaling_factor": SCALE,
        "sample_size": SIDE * 2 ** (levels - 1),
    }


def _tensors(path: Path) -> dict[str, Tensor]:
    if path.suffix.lower() == ".safetensors":
        found: Any = read_tensors(path, ADVICE, missing=ADVICE)
    else:
        found = read_checkpoint(path, ADVICE, largest=LARGEST, strangers=True)
        found = found.get("state_dict", found) if isinstance(found, Mapping) else {}
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if f"{UNET}input_blocks.0.0.weight" not in tensors or "cc_projection.weight" not in tensors:
        raise InputError(f"{path} holds no Zero-1-to-3: {ADVICE}.")
    return tensors


def _filled(module: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    module.load_state_dict(dict(tensors))
    return module


def _projection(tensors: Mapping[str, Tensor]) -> nn.Module:
    weight = tensors["cc_projection.weight"]
    return _filled(
        nn.Linear(weight.shape[1], weight.shape[0]), {"weight": weight, "bias": tensors["cc_projection.bias"]}
    )


def _image_encoder(kind: Any, tensors: Mapping[str, Tensor]) -> nn.Module:
    own = {name.removeprefix(CLIP): value for name, value in tensors.items() if name.startswith(CLIP)}
    made = kind(kind.config_class(**clip_sizes(own)))
    return _filled(made, clip_names(own, made.state_dict().keys()))
