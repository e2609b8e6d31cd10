"""The priors' judgement of views, each told which side it shows: by a text, or by the photo and the camera's way."""

from __future__ import annotations

import math
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import InputError
from ...guidance import (
    DiffusionPrior,
    Distilled,
    Embeddings,
    GuidanceOptions,
    LatentPrior,
    ViewPrior,
    score_distillation,
)
from ...guidance.words import Word, read_word, with_word
from ...memory import Portions, ran_out
from .annealed import annealed, is_zero
from .cameras import FRONT
from .config import RealFusionOptions
from .fit_options import Weights
from .prompts import view_texts
from .sides import Sides

SMALLER = "lower prior_size, or give precision=bfloat16 or offload=true"
Opened = TypeVar("Opened")


@runtime_checkable
class Judge(Protocol):
    """Who judges views.

    Attributes:
        portions: of what the prior is asked of at once.
    """

    portions: Portions

    def __call__(
        self, images: Float[Tensor, "b h w 3"], sides: Sides, step: int, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The mean size of the gradient, which is what flows back into the pictures, averaged over them.

        Args:
            images: sRGB 0..1.
            sides: which side each shows.
            step: of the fit.
        """
        ...


def open_judges(
    options: RealFusionOptions,
    photo: Float[Tensor, "s s 3"],
    device: torch.device,
    prior: DiffusionPrior | None = None,
    view_prior: ViewPrior | None = None,
) -> dict[str, Judge]:
    """The judges that have a weight, by its name.

    Args:
        photo: the object over white.
        prior: used instead of the one that the options name.
        view_prior: the same.

    Raises:
        InputError: a package, a model or the word is missing, or does not fit; or a weight of its own is given to a
            prior that is not.
    """
    if options.losses.view not in ("0", Weights.view) and not (options.view_prior or view_prior):
        raise InputError(
            f"realfusion's losses.view is {options.losses.view} (preset=magic123 sets it) and there is no view_prior: "
            "give one, or losses.view=0."
        )
    judges: dict[str, Judge] = {}
    if not is_zero(options.losses.prior):
        word = read_word(options.embedding) if options.embedding is not None else None
        judges["prior"] = Guide(prior or open_prior(options, device, word), options, word)
    if (options.view_prior or view_prior) and not is_zero(options.losses.view):
        judges["view"] = ViewGuide(view_prior or open_view_prior(options, device), options, photo)
    return judges


def open_prior(options: RealFusionOptions, device: torch.device, word: Word | None) -> DiffusionPrior:
    """Stable Diffusion with the learned word, and what the options say of it.

    Raises:
        InputError: a package or the model is missing, or the word does not fit.
    """
    from ...guidance.stable_diffusion import StableDiffusion

    prior = _opened(StableDiffusion, options.prior, options, device, options.prior_size)
    if word is not None:
        prior.add(word)
    return prior


def open_view_prior(options: RealFusionOptions, device: torch.device) -> ViewPrior:
    """Zero-1-to-3, and what the options say of it.

    Raises:
        InputError: a package or the model is missing, or does not fit.
    """
    from ...guidance.zero123 import Zero123

    assert options.view_prior is not None
    prior = _opened(Zero123, options.view_prior, options, device, options.view_size)
    if options.view_tells == "polar":
        prior.photo_elevation = math.radians(options.views.elevation)
    return prior


def _opened(kind: type[Opened], source: str, options: RealFusionOptions, device: torch.device, size: int) -> Opened:
    try:
        found: Opened = kind.from_pretrained(  # type: ignore[attr-defined]
            source,
            device=device,
            dtype=getattr(torch, options.precision),
            image_size=size,
            offload=options.offload,
        )
        return found
    except InputError as error:
        raise InputError(f"{error} The method lift works without a diffusion model.") from error
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        what = f"The diffusion model {source} does not fit into the memory of {device}"
        raise InputError(f"{what}: {SMALLER}.") from error


class Guide:
    """Score distillation of views by a prior that is told of them in words.

    Args:
        prior: the judge.
        options: texts, scale and timesteps.
        word: that stands for <token> in the texts; the prior knows it.

    Attributes:
        text: what the photo shows, with the learned word.
        negative: what it does not.
    """

    def __init__(self, prior: DiffusionPrior, options: RealFusionOptions, word: Word | None = None) -> None:
        self.prior, self.options = prior, options
        self.portions = Portions("pictures of the prior", advice=SMALLER)
        self.text, self.negative = (with_word(each, word) for each in (options.text, options.negative))
        texts = view_texts(self.text, self.negative, directions=options.views.directions, face=options.suppress_face)
        with torch.no_grad():
            self.wanted, self.unwanted = (prior.embed(each) for each in texts)

    def __call__(
        self, images: Float[Tensor, "b h w 3"], sides: Sides, step: int, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """See `Judge`."""
        labels = sides.labels.to(self.prior.device)
        negatives = None
        if self.options.perp_neg:
            front = _rows(self.wanted, torch.full_like(labels, FRONT))
            negatives = front, -self.options.perp_neg * (labels != FRONT).float()[None]
        found = score_distillation(
            self.prior,
            encoded(self.prior, images, self.portions, generator),
            _rows(self.wanted, labels),
            _rows(self.unwanted, labels),
            options=asked(self.options.guidance_scale, self.options.timesteps, step, self.options.steps),
            generator=generator,
            negatives=negatives,
            portions=self.portions,
        )
        return _mean(found, images)


class ViewGuide:
    """Score distillation of views by a prior that is told of them by the photo and the camera's way from it.

    Args:
        prior: the judge.
        options: scale and timesteps.
        photo: sRGB 0..1, the object over white.
    """

    def __init__(self, prior: ViewPrior, options: RealFusionOptions, photo: Float[Tensor, "s s 3"]) -> None:
        self.prior, self.options, self.photo = prior, options, photo
        self.portions = Portions("pictures of the view's prior", advice=SMALLER)

    def __call__(
        self, images: Float[Tensor, "b h w 3"], sides: Sides, step: int, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """See `Judge`."""
        way = (each.to(self.prior.device) for each in (sides.elevation, sides.azimuth, sides.distance))
        with torch.no_grad():
            told = self.prior.embed_view(self.photo, *way)
        latents = encoded(self.prior, images, self.portions, generator)
        if self.options.view_by_angle:
            latents = _scaled_gradient(latents, sides.turn / math.pi)
        found = score_distillation(
            self.prior,
            latents,
            *told,
            options=asked(self.options.view_scale, self.options.view_timesteps, step, self.options.steps),
            generator=generator,
            portions=self.portions,
        )
        return _mean(found, images)


def asked(scale: float, timesteps: str, step: int, steps: int) -> GuidanceOptions:
    """How a prior guides at a step; the lowest and the highest timestep are "v / v", each as `annealed` takes it."""
    low, high = (annealed(part, step, steps) for part in timesteps.split("/"))
    return GuidanceOptions(scale, (low, max(low, high)))


def encoded(
    prior: LatentPrior, images: Float[Tensor, "b h w 3"], portions: Portions, generator: torch.Generator
) -> Float[Tensor, "b c i j"]:
    """Latents of pictures, which keep their own precision until the prior has made them of its size."""
    images = images.to(prior.device)
    if portions.size is None or portions.size >= len(images):
        return prior.encode(images, generator=generator)
    with torch.no_grad():
        shape = prior.encode(images[:1]).shape[1:]
    # All noise is drawn before, since what is computed again must not draw again.
    noise = torch.randn(len(images), *shape, generator=generator, device=generator.device)
    parts = portions.checkpointed(lambda part: prior.encode(images[part], noise=noise[part]), len(images))
    return torch.cat(parts)


def _scaled_gradient(latents: Tensor, factor: Float[Tensor, " b"]) -> Tensor:
    """The same latents, whose gradient is the factor's part of what it would be."""
    factor = factor.to(latents)[:, None, None, None]
    return factor * latents + (1.0 - factor) * latents.detach()


def _mean(found: Distilled, images: Tensor) -> Float[Tensor, ""]:
    return found.loss.to(images.device) / len(images)


def _rows(embeddings: Embeddings, labels: Int[Tensor, " b"]) -> Embeddings:
    if isinstance(embeddings, Tensor):
        return embeddings[labels]
    return tuple(each[labels] for each in embeddings)
