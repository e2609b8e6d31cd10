"""Words that a text encoder has learned: in its table, in texts, and in the files that people keep them in."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import InputError
from ..inputs.checkpoints import read_checkpoint
from ..inputs.tensors import read_tensors
from ..outputs import atomic_stream

TOKEN = "<token>"
"""In a text it stands for the learned word, whatever that is."""
ADVICE = "give a file that a textual inversion has written, such as learned_embeds.bin"
LARGEST = 64 << 20  # bytes
MOST_VECTORS = 75  # of the 77 tokens that CLIP reads, two are the ends


@dataclass(frozen=True)
class Word:
    """A word and the vectors that stand for it; most have one.

    Attributes:
        name: as texts say it.
        vectors: rows of the text encoder's table, 512, 768 or 1024 wide.

    Raises:
        InputError: the name is empty or has spaces around it, or the vectors are not finite.
    """

    name: str
    vectors: Float[Tensor, "n w"]

    def __post_init__(self) -> None:
        if not self.name or self.name != self.name.strip():
            raise InputError(f"A learned word cannot be called {self.name!r}: give it a name without spaces around it.")
        if not 1 <= len(self.vectors) <= MOST_VECTORS or not self.vectors.shape[1]:
            raise InputError(
                f"The word {self.name} has {len(self.vectors)} vectors of {self.vectors.shape[1]} numbers; give "
                f"1..{MOST_VECTORS} vectors."
            )
        if not bool(torch.isfinite(self.vectors).all()):
            raise InputError(f"The word {self.name} has numbers that are not finite: learn it again.")

    @property
    def tokens(self) -> list[str]:
        """Names of the tokens of its vectors: the word itself, then word_1, word_2 ..."""
        return [self.name, *(f"{self.name}_{number}" for number in range(1, len(self.vectors)))]


def with_word(text: str, word: Word | None) -> str:
    """The text with the word in place of each <token>.

    Raises:
        InputError: there is a <token>, and no word.
    """
    if word is None and TOKEN in text:
        raise InputError(
            f"The text {text!r} says {TOKEN} and there is no learned word: give its file, or another text."
        )
    return text if word is None else text.replace(TOKEN, word.name)


def spelled_out(text: str, words: Mapping[str, Word]) -> str:
    """The text with all tokens of words that have several, the longest words first."""
    several = sorted((name for name, word in words.items() if len(word.vectors) > 1), key=len, reverse=True)
    if not several:
        return text
    return re.sub("|".join(map(re.escape, several)), lambda found: " ".join(words[found[0]].tokens), text)


def add_word(tokenizer: Any, text_encoder: Any, word: Word) -> list[int]:
    """Enter a word into a tokenizer and the table of its text encoder.

    Returns:
        the numbers of its tokens.

    Raises:
        InputError: a token is known already, or the widths differ.
    """
    table = text_encoder.get_input_embeddings().weight
    if word.vectors.shape[1] != table.shape[1]:
        raise InputError(
            f"The word {word.name} has {word.vectors.shape[1]} numbers a vector, and the text encoder takes "
            f"{table.shape[1]}: give the diffusion model that the word was learned with."
        )
    known = tokenizer.get_vocab()
    taken = [token for token in word.tokens if token in known]
    if taken:
        raise InputError(f"The text encoder knows the word {taken[0]} already: call the learned word otherwise.")
    tokenizer.add_tokens(word.tokens)
    numbers = [int(number) for number in tokenizer.convert_tokens_to_ids(word.tokens)]
    with torch.random.fork_rng(devices=[]):  # new rows are drawn before they are written
        text_encoder.resize_token_embeddings(max(len(tokenizer), len(table)), mean_resizing=False)
    table = text_encoder.get_input_embeddings().weight
    table.requires_grad_(False)
    table[numbers] = word.vectors.to(table)
    return numbers


def read_word(path: str | Path) -> Word:
    """The word of a file: {word: vector} in PyTorch's format or safetensors, or the layouts of AUTOMATIC1111.

    Raises:
        InputError: the file is missing, damaged, holds no word or several.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        content: Any = read_tensors(path, ADVICE, missing=ADVICE)
    else:
        content = read_checkpoint(path, ADVICE, largest=LARGEST)
    if isinstance(content, Mapping) and "string_to_param" in content:
        inner, name = content["string_to_param"], content.get("name")
        found = {"*": next(iter(inner.values()))} if isinstance(inner, Mapping) and len(inner) == 1 else {}
        name = name if isinstance(name, str) and name.strip() else path.stem
    else:
        found = _vectors(content)
        name = path.stem if "emb_params" in found else next(iter(found), "")
    if len(found) > 1:
        raise InputError(f"{path} holds {len(found)} words, {', '.join(list(found)[:4])}: give a file with one.")
    vector = next(iter(found.values()), None)
    if not isinstance(vector, Tensor) or vector.ndim not in (1, 2) or not vector.is_floating_point():
        raise InputError(f"{path} holds no learned word: {ADVICE}.")
    return Word(name.strip(), vector.detach().float().reshape(-1, vector.shape[-1]))


def _vectors(content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        return {}
    return {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def write_word(word: Word, path: str | Path) -> None:
    """Write a file by its ending: .bin, {word: vector} in PyTorch's format; .safetensors, the same; .pt, the layout of
    AUTOMATIC1111.

    Raises:
        InputError: another ending.
        WriteError: the folder cannot be written.
    """
    from safetensors.torch import save

    path, vectors = Path(path), word.vectors.detach().cpu().float().contiguous()
    plain = {word.name: vectors[0].clone() if len(vectors) == 1 else vectors}
    if path.suffix == ".safetensors":
        data = save(plain)
    elif path.suffix in (".bin", ".pt"):
        automatic = {"string_to_token": {"*": 265}, "string_to_param": {"*": vectors}, "name": word.name, "step": 0}
        stream = io.BytesIO()
        torch.save(plain if path.suffix == ".bin" else automatic, stream)
        data = stream.getvalue()
    else:
        raise InputError(f"A learned word cannot be written to {path}: end its name in .bin, .safetensors or .pt.")
    with atomic_stream(path) as file:
        file.write(data)
