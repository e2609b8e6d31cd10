"""A Zero-1-to-3 of a few thousand numbers, in the layout of diffusers and in that of its authors' checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from monoform.guidance.zero123 import Zero123

TOLD = 16
UNET = {
    "sample_size": 32,
    "in_channels": 8,
    "out_channels": 4,
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "block_out_channels": [32, 64],
    "layers_per_block": 1,
    "cross_attention_dim": TOLD,
    "attention_head_dim": 8,
}
VAE = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "block_out_channels": [32, 32],
    "layers_per_block": 1,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}
CLIP = {
    "hidden_size": 64,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "image_size": 32,
    "patch_size": 8,
    "projection_dim": TOLD,
    "hidden_act": "quick_gelu",
}


def tiny_zero123(photo_elevation: float | None = None, prediction: str = "epsilon") -> Zero123:
    """One whose weights are drawn; it sees pictures of 64 pixels."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        parts = (
            AutoencoderKL(**VAE),
            UNet2DConditionModel(**UNET),
            CLIPVisionModelWithProjection(CLIPVisionConfig(**CLIP)),
            torch.nn.Linear(TOLD + 4, TOLD),
        )
    noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = DDIMScheduler(num_train_timesteps=1000, prediction_type=prediction, **noise)
    return Zero123(*parts, scheduler, photo_elevation=photo_elevation)


def save_folder(folder: Path, prior: Zero123) -> Path:
    """The layout of diffusers."""
    for name in ("vae", "unet", "image_encoder", "scheduler"):
        getattr(prior, name).save_pretrained(folder / name)
    place = folder / "clip_camera_projection"
    place.mkdir()
    config = {"_class_name": "CLIPCameraProjection", "additional_embeddings": 4, "embedding_dim": TOLD}
    (place / "config.json").write_text(json.dumps(config))
    tensors = {f"proj.{name}": value.contiguous() for name, value in prior.linear.state_dict().items()}
    save_file(tensors, place / "diffusion_pytorch_model.safetensors")
    return folder


BLOCKS = {  # of the U-Net
    "conv_in.": "input_blocks.0.0.",
    "down_blocks.0.resnets.0.": "input_blocks.1.0.",
    "down_blocks.0.attentions.0.": "input_blocks.1.1.",
    "down_blocks.0.downsamplers.0.conv.": "input_blocks.2.0.op.",
    "down_blocks.1.resnets.0.": "input_blocks.3.0.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
    "up_blocks.0.resnets.0.": "output_blocks.0.0.",
    "up_blocks.0.resnets.1.": "output_blocks.1.0.",
    "up_blocks.0.upsamplers.0.conv.": "output_blocks.1.1.conv.",
    "up_blocks.1.resnets.0.": "output_blocks.2.0.",
    "up_blocks.1.attentions.0.": "output_blocks.2.1.",
    "up_blocks.1.resnets.1.": "output_blocks.3.0.",
    "up_blocks.1.attentions.1.": "output_blocks.3.1.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
}
RESIDUAL = {
    "norm1.": "in_layers.0.",
    "conv1.": "in_layers.2.",
    "time_emb_proj.": "emb_layers.1.",
    "norm2.": "out_layers.0.",
    "conv2.": "out_layers.3.",
    "conv_shortcut.": "skip_connection.",
}
AUTOENCODER = {
    "down_blocks.0.resnets.": "down.0.block.",
    "down_blocks.1.resnets.": "down.1.block.",
    "down_blocks.0.downsamplers.0.": "down.0.downsample.",
    "up_blocks.0.resnets.": "up.1.block.",
    "up_blocks.1.resnets.": "up.0.block.",
    "up_blocks.0.upsamplers.0.": "up.1.upsample.",
    "mid_block.resnets.0.": "mid.block_1.",
    "mid_block.resnets.1.": "mid.block_2.",
    "mid_block.attentions.0.": "mid.attn_1.",
    "conv_norm_out.": "norm_out.",
    "conv_shortcut.": "nin_shortcut.",
    "group_norm.": "norm.",
    "to_q.": "q.",
    "to_k.": "k.",
    "to_v.": "v.",
    "to_out.0.": "proj_out.",
}
CLIP_NAMES = {
    "vision_model.": "",
    "embeddings.class_embedding": "class_embedding",
    "embeddings.patch_embedding.": "conv1.",
    "embeddings.position_embedding.weight": "positional_embedding",
    "pre_layrnorm.": "ln_pre.",
    "post_layernorm.": "ln_post.",
    "encoder.layers.": "transformer.resblocks.",
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "self_attn.out_proj.": "attn.out_proj.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "visual_projection.weight": "proj",
}


def original_tensors(prior: Zero123) -> dict[str, torch.Tensor]:
    """The tensors by the names that the authors' checkpoints have."""
    found = {}
    for name, value in prior.unet.state_dict().items():
        table = BLOCKS | (RESIDUAL if ".resnets." in name else {})
        found[f"model.diffusion_model.{_renamed(name, table)}"] = value
    for name, value in prior.vae.state_dict().items():
        flat = ".attentions." in name and value.ndim == 2
        found[f"first_stage_model.{_renamed(name, AUTOENCODER)}"] = value[:, :, None, None] if flat else value
    visual = "cond_stage_model.model.visual."
    rows: dict[str, list[torch.Tensor]] = {}
    for name, value in prior.image_encoder.state_dict().items():
        if "position_ids" in name:
            continue
        new = _renamed(name, CLIP_NAMES)
        if "self_attn." in new:
            base, _, kind = new.partition("self_attn.")
            rows.setdefault(f"{visual}{base}attn.in_proj_{kind.partition('.')[2]}", []).append((kind[0], value))
        else:
            found[visual + new] = value.T if new == "proj" else value
    found |= {name: torch.cat([dict(parts)[letter] for letter in "qkv"]) for name, parts in rows.items()}
    return found | {f"cc_projection.{name}": value for name, value in prior.linear.state_dict().items()}


def _renamed(name: str, table: dict[str, str]) -> str:
    for old, new in table.items():
        name = name.replace(old, new, 1)
    return name
