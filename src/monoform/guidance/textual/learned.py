"""A word while it is learned: its vectors take the place of rows of the text encoder's table, and the loss."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InputError
from ..prior import add_noise, kept_share
from ..stable_diffusion import StableDiffusion
from ..words import Word, add_word


class LearnedWord(nn.Module):
    """The vectors that are learned: all that is trained."""

    def __init__(self, word: Word) -> None:
        super().__init__()
        self.name = word.name
        self.vectors = nn.Parameter(word.vectors.clone())

    def word(self) -> Word:
        """The word as it is now."""
        return Word(self.name, self.vectors.detach().cpu().float().clone())


class SubstitutedTable(nn.Module):
    """A table of which some rows are learned; the others get no gradient and stay what they are.

    Args:
        table: the text encoder's.
        learned: gives the rows.
        numbers: of the tokens whose rows they are.
    """

    def __init__(self, table: nn.Embedding, learned: LearnedWord, numbers: list[int]) -> None:
        super().__init__()
        self.table, self.numbers = table, numbers
        self._learned = [learned]  # not a part of this module: it is trained and stored by itself

    @property
    def weight(self) -> Float[Tensor, "n w"]:
        """The table as it was before."""
        return self.table.weight

    def forward(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b n w"]:
        found = self.table(ids)
        vectors = self._learned[0].vectors.to(found)
        for number, vector in zip(self.numbers, vectors, strict=True):
            found = torch.where((ids == number)[..., None], vector, found)
        return found


def learn(prior: StableDiffusion, word: Word) -> LearnedWord:
    """Enter a word into a prior so that gradients reach its vectors, which begin as they are given.

    Raises:
        InputError: the prior knows the word, or its vectors have another width.
    """
    numbers = add_word(prior.tokenizer, prior.text_encoder, word)
    prior.words[word.name] = word
    learned = LearnedWord(word).to(prior.device)
    table = prior.text_encoder.get_input_embeddings()
    prior.text_encoder.set_input_embeddings(SubstitutedTable(table, learned, numbers))
    return learned


def first_vectors(prior: StableDiffusion, initializer: str, count: int = 1) -> Float[Tensor, "n w"]:
    """What a new word begins as: the vector of a known word, as often as is asked.

    Raises:
        InputError: the text encoder reads several tokens, or none, where the initializer stands.
    """
    ids = prior.tokenizer(initializer, add_special_tokens=False).input_ids
    unknown = prior.tokenizer.unk_token_id
    if len(ids) != 1 or ids[0] == unknown:
        pieces = ", ".join(repr(piece) for piece in prior.tokenizer.convert_ids_to_tokens(ids)) or "none"
        raise InputError(
            f"The initializer {initializer!r} is not one token of the text encoder ({pieces}): give one plain word for "
            "the object, such as cat."
        )
    row = prior.text_encoder.get_input_embeddings().weight[ids[0]].detach().float().cpu()
    return row[None].repeat(count, 1)


def inversion_loss(
    prior: StableDiffusion,
    latents: Float[Tensor, "b c i j"],
    noise: Float[Tensor, "b c i j"],
    timesteps: Int[Tensor, " b"],
    ids: Int[Tensor, "b n"],
) -> Float[Tensor, ""]:
    """Mean squared error of the noise that is predicted with the texts, or of the velocity (Gal et al. 2022, eq. 2)."""
    found = prior.raw(add_noise(prior, latents, noise, timesteps), timesteps, prior.embed_ids(ids))
    kept = kept_share(prior, timesteps, latents)
    target = noise if prior.predicts == "epsilon" else kept.sqrt() * noise - (1 - kept).sqrt() * latents
    return functional.mse_loss(found.float(), target.float())
