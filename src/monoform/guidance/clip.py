"""CLIP (Radford et al. 2021): features of pictures, to be compared by their cosines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..computing import is_offline
from ..errors import InputError
from .parts import EXTRA, quiet

USUAL = "openai/clip-vit-large-patch14"
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's training


def open_clip(source: str, advice: str) -> tuple[Any, Any]:
    """The model and its tokenizer.

    Args:
        source: folder or hub id of a CLIP model with its tokenizer, as transformers keeps it.
        advice: what else can be done where there is none, as a clause.

    Raises:
        InputError: the package or the model is missing.
    """
    try:
        from transformers import CLIPModel, CLIPTokenizer
    except ImportError as error:
        raise InputError(EXTRA) from error
    options: Any = {"local_files_only": is_offline() or Path(source).is_dir()}
    try:
        with quiet():
            model = CLIPModel.from_pretrained(source, **options).eval().requires_grad_(False)
            return model, CLIPTokenizer.from_pretrained(source, **options)
    except Exception as error:  # of the network, the hub, damaged files: each has its own
        reason = str(error).strip().split("\n")[0][:200]
        raise InputError(
            f"The CLIP model {source} cannot be had ({reason}): {advice}, or give the folder of a CLIP model, which "
            f"`hf download {USUAL} --local-dir DIR` fetches where there is a network."
        ) from error


@torch.no_grad()
def picture_features(model: Any, pictures: Sequence[Image.Image]) -> Float[Tensor, "n w"]:
    """Unit vectors of square RGB pictures."""
    side = int(model.config.vision_config.image_size)
    small = [np.asarray(each.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32) for each in pictures]
    values = (torch.from_numpy(np.stack(small)) / 255 - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
    return plain(model.get_image_features(pixel_values=values.permute(0, 3, 1, 2).to(model.device)))


def plain(found: Any) -> Float[Tensor, "n w"]:
    """Features as unit vectors on the CPU; newer versions of transformers wrap them."""
    features = found if isinstance(found, Tensor) else found.pooler_output
    return torch.nn.functional.normalize(features.float().cpu(), dim=1)
