"""Diffusion models of a few thousand numbers with every part of the real ones, made on the spot."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from monoform.guidance.stable_diffusion import StableDiffusion

WIDTH = 16
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [4, 4, 8, 8],
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 2,
    "sample_size": 64,
    "scaling_factor": 0.18215,
}
UNET = {
    "sample_size": 8,
    "in_channels": 4,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "block_out_channels": [8, 16],
    "layers_per_block": 1,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}
TEXT = {
    "vocab_size": 194,
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
    "projection_dim": 16,
    "hidden_act": "quick_gelu",
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "skip_prk_steps": True,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "prediction_type": "epsilon",
}
MERGES = ("a t</w>", "c at</w>", "h at</w>", "o f</w>")


def tiny_prior(
    *, prediction: str = "epsilon", width: int = WIDTH, image_size: int = 64, config: Mapping[str, Any] | None = None
) -> StableDiffusion:
    """A model whose weights are drawn from their names; `config` may replace the configurations of its parts."""
    from diffusers import AutoencoderKL, PNDMScheduler, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    asked = {"vae": VAE, "unet": UNET, "text": TEXT, "scheduler": SCHEDULER, **(config or {})}
    if config is None:
        asked["unet"] = {**UNET, "cross_attention_dim": width}
        asked["text"] = {**TEXT, "hidden_size": width}
        asked["scheduler"] = {**SCHEDULER, "prediction_type": prediction}
    with torch.random.fork_rng(devices=[]):
        parts = {
            "vae": AutoencoderKL(**asked["vae"]),
            "unet": UNet2DConditionModel(**asked["unet"]),
            "text": CLIPTextModel(CLIPTextConfig(**asked["text"])),
        }
    for name, part in parts.items():
        for key, value in part.state_dict().items():
            if value.is_floating_point():
                draws = np.random.default_rng(zlib.crc32(f"{name}.{key}".encode())).standard_normal(value.shape)
                spread = max(1, int(np.prod(value.shape[1:]))) ** -0.5 if value.ndim > 1 else 0.1
                value.copy_(torch.from_numpy(draws * spread + float(value.ndim == 1 and key.endswith("weight"))))
    scheduler = PNDMScheduler(**asked["scheduler"])
    return StableDiffusion(
        parts["vae"], parts["unet"], parts["text"], tiny_tokenizer(), scheduler, image_size=image_size
    )


def tiny_tokenizer() -> Any:
    """CLIP's tokenizer with all printable characters, within and at the end of words, and four merges."""
    import tempfile

    from transformers import CLIPTokenizer

    with tempfile.TemporaryDirectory() as folder:
        for name, text in _tokenizer_files().items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        return CLIPTokenizer.from_pretrained(folder)


@cache
def _tokenizer_files() -> dict[str, str]:
    letters = [chr(code) for code in range(33, 127)]
    merged = ["".join(pair.split()) for pair in MERGES]
    ends = [f"{letter}</w>" for letter in letters]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *ends, *merged]
    special = {"bos_token": words[0], "eos_token": words[1], "unk_token": words[1], "pad_token": words[1]}
    return {
        "vocab.json": json.dumps({word: number for number, word in enumerate(words)}),
        "merges.txt": "\n".join(["#version: 0.2", *MERGES, ""]),
        "tokenizer_config.json": json.dumps({"model_max_length": 77, "tokenizer_class": "CLIPTokenizer", **special}),
    }


def save_tiny(folder: Path, prior: StableDiffusion | None = None) -> Path:
    """The model as diffusers lays one out."""
    prior = prior or tiny_prior()
    prior.vae.save_pretrained(folder / "vae")
    prior.unet.save_pretrained(folder / "unet")
    prior.text_encoder.save_pretrained(folder / "text_encoder")
    prior.scheduler.save_pretrained(folder / "scheduler")
    (folder / "tokenizer").mkdir()
    for name, text in _tokenizer_files().items():
        (folder / "tokenizer" / name).write_text(text, encoding="utf-8")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.30.0",
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "PNDMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def save_clip(folder: Path) -> Path:
    """A CLIP model with the tokenizer of the others."""
    from transformers import CLIPConfig, CLIPModel

    vision = {"image_size": 32, "patch_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes = {"hidden_size": WIDTH, "intermediate_size": 32, "projection_dim": 16}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(CLIPConfig(text_config=TEXT, vision_config={**vision, **sizes}, projection_dim=16)).save_pretrained(
            folder
        )
    for name, text in _tokenizer_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder
