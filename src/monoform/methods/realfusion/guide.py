"""The prior's judgement of views, each told by a text which side it shows."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from ...guidance import DiffusionPrior, Embeddings, GuidanceOptions, score_distillation
from ...guidance.words import read_word, with_word
from .annealed import annealed
from .cameras import FRONT
from .options import RealFusionOptions
from .prompts import view_texts


def open_prior(options: RealFusionOptions, device: torch.device) -> DiffusionPrior:
    """Stable Diffusion with the learned word, and what the options say of it.

    Raises:
        InputError: a package, the model or the word is missing, or does not fit.
    """
    from ...guidance.stable_diffusion import StableDiffusion

    try:
        prior = StableDiffusion.from_pretrained(
            options.prior,
            device=device,
            dtype=getattr(torch, options.precision),
            image_size=options.prior_size,
            offload=options.offload,
        )
    except InputError as error:
        raise InputError(f"{error} The method lift works without a diffusion model.") from error
    if options.embedding is not None:
        prior.add(read_word(options.embedding))
    return prior


class Guide:
    """Score distillation of views.

    Args:
        prior: the judge.
        options: texts, scale and timesteps.
    """

    def __init__(self, prior: DiffusionPrior, options: RealFusionOptions) -> None:
        self.prior, self.options = prior, options
        word = read_word(options.embedding) if options.embedding is not None else None
        text, negative = with_word(options.text, word), with_word(options.negative, word)
        texts = view_texts(text, negative, directions=options.views.directions, face=options.suppress_face)
        with torch.no_grad():
            self.wanted, self.unwanted = (prior.embed(each) for each in texts)

    def __call__(
        self,
        images: Float[Tensor, "b h w 3"],
        labels: Int[Tensor, " b"],
        step: int,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """The mean size of the gradient, which is what flows back into the pictures, averaged over them.

        Args:
            labels: which side each shows, see `LABELS`.
            step: of the fit.
        """
        low, high = (annealed(part, step, self.options.steps) for part in self.options.timesteps.split("/"))
        asked = GuidanceOptions(self.options.guidance_scale, (low, max(low, high)))
        place, labels = self.prior.device, labels.to(self.prior.device)
        latents = self.prior.encode(images.to(place, self.prior.dtype), generator=generator)
        negatives = None
        if self.options.perp_neg:
            front = _rows(self.wanted, torch.full_like(labels, FRONT))
            negatives = front, -self.options.perp_neg * (labels != FRONT).float()[None]
        found = score_distillation(
            self.prior,
            latents,
            _rows(self.wanted, labels),
            _rows(self.unwanted, labels),
            options=asked,
            generator=generator,
            negatives=negatives,
        )
        return found.loss.to(images.device) / len(images)


def _rows(embeddings: Embeddings, labels: Int[Tensor, " b"]) -> Embeddings:
    if isinstance(embeddings, Tensor):
        return embeddings[labels]
    return tuple(each[labels] for each in embeddings)
