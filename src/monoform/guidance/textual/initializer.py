"""Which word a learned word may begin as: the noun nearest to the photo by CLIP (Radford et al. 2021)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ...computing import is_offline
from ...data.images.fitting import center_cropped
from ...errors import InputError
from ...inputs.tensors import read_tensors
from ...outputs import atomic_stream
from ..parts import EXTRA, quiet

USUAL = "openai/clip-vit-large-patch14"
TEXT = "an image of a {}"
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's training


def known_nouns() -> tuple[str, ...]:
    """The nouns of nouns.txt: our own choice, of no published list."""
    lines = files(__package__).joinpath("nouns.txt").read_text(encoding="utf-8").splitlines()
    return tuple(word for line in lines if not line.startswith("#") for word in line.split())


class NounRanking:
    """CLIP and what it makes of the nouns.

    Args:
        source: folder or hub id of a CLIP model with its tokenizer, as transformers keeps it.
        file: where what it makes of the nouns is kept for the next time; None: nowhere.
        nouns: that are compared, ours by default; those that are one token count.
        device: where it computes.

    Raises:
        InputError: the package or the model is missing.
    """

    def __init__(
        self,
        source: str,
        *,
        file: Path | None = None,
        nouns: Sequence[str] | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.model, self.tokenizer = _clip(source)
        self.model.to(device)
        asked = known_nouns() if nouns is None else nouns
        self.nouns = tuple(noun for noun in dict.fromkeys(asked) if self._is_one_token(noun))
        if not self.nouns:
            raise InputError(f"No noun is one token of the CLIP model {source}: give another, or --initializer WORD.")
        self.features = self._kept(source, file)

    def _is_one_token(self, noun: str) -> bool:
        ids = self.tokenizer(noun, add_special_tokens=False).input_ids
        return len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id

    def best(self, image: Image.Image, count: int = 5) -> list[tuple[str, float]]:
        """The nouns that are nearest to a photo, with the cosines between their features and its."""
        side = int(self.model.config.vision_config.image_size)
        small = center_cropped(image).resize((side, side), Image.Resampling.BICUBIC)
        values = torch.from_numpy(np.asarray(small, dtype=np.float32) / 255)
        values = ((values - torch.tensor(MEAN)) / torch.tensor(DEVIATION)).permute(2, 0, 1)[None]
        with torch.no_grad():
            seen = _plain(self.model.get_image_features(pixel_values=values.to(self.model.device)))
        cosines = self.features @ torch.nn.functional.normalize(seen[0].float().cpu(), dim=0)
        order = cosines.argsort(descending=True)[:count].tolist()
        return [(self.nouns[place], float(cosines[place])) for place in order]

    def _kept(self, source: str, file: Path | None) -> Float[Tensor, "n w"]:
        """Features of the nouns, from the file where it holds those of this model and these nouns."""
        from safetensors.torch import save

        key = hashlib.sha256("\n".join([str(source), *self.nouns]).encode()).hexdigest()[:16]
        if file is not None and file.is_file():
            found = read_tensors(file, "remove it: it is made anew")
            if key in found and found[key].shape[0] == len(self.nouns):
                return found[key]
        made = []
        for first in range(0, len(self.nouns), 32):
            texts = [TEXT.format(noun) for noun in self.nouns[first : first + 32]]
            tokens = self.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")
            with torch.no_grad():
                told = self.model.get_text_features(**{name: ids.to(self.model.device) for name, ids in tokens.items()})
            made.append(torch.nn.functional.normalize(_plain(told).float().cpu(), dim=1))
        features = torch.cat(made)
        if file is not None:
            with atomic_stream(file) as stream:
                stream.write(save({key: features.contiguous()}))
        return features


def _plain(found: Any) -> Tensor:
    """Features, which newer versions of transformers wrap."""
    return found if isinstance(found, Tensor) else found.pooler_output


def _clip(source: str) -> tuple[Any, Any]:
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
            f"The CLIP model {source} cannot be had ({reason}): name the object by --initializer WORD, or give the "
            f"folder of a CLIP model, which `hf download {USUAL} --local-dir DIR` fetches where there is a network."
        ) from error
