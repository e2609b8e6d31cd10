"""Which word a learned word may begin as: the noun nearest to the photo by CLIP (Radford et al. 2021)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ...data.images.fitting import center_cropped
from ...errors import InputError
from ...inputs.tensors import read_tensors
from ...outputs import atomic_stream
from ..clip import open_clip, picture_features, plain

TEXT = "an image of a {}"


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
        self.model, self.tokenizer = open_clip(source, "name the object by --initializer WORD")
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
        cosines = self.features @ picture_features(self.model, [center_cropped(image)])[0]
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
            made.append(plain(told))
        features = torch.cat(made)
        if file is not None:
            with atomic_stream(file) as stream:
                stream.write(save({key: features.contiguous()}))
        return features
