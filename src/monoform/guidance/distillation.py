"""Score distillation: which way a picture should change to please a diffusion prior (Poole et al. 2022, eq. 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError
from ..memory import Portions
from ..ranges import require_ranges
from .prior import Embeddings, LatentPrior, add_noise, kept_share

WEIGHTINGS = ("variance", "uniform", "product")


@dataclass(frozen=True)
class GuidanceOptions:
    """How a prior guides.

    Attributes:
        scale: of classifier-free guidance: how much more of the text than of no text.
        timesteps: lowest and highest of those that are drawn, as parts of the prior's schedule.
        weighting: of a timestep: "variance", 1 - abar, as published; "uniform", 1; "product", sqrt(abar) (1 - abar).
    """

    scale: float = 100.0
    timesteps: tuple[float, float] = (0.02, 0.98)
    weighting: str = "variance"

    def __post_init__(self) -> None:
        require_ranges(self, "guidance's", scale=(0, 1e4), timesteps=(0, 1))
        low, high = self.timesteps
        if low > high:
            raise InputError(f"guidance's timesteps are {low}..{high}; give the lower one first.")
        if self.weighting not in WEIGHTINGS:
            raise InputError(f"guidance's weighting is {self.weighting!r}; choose one of {', '.join(WEIGHTINGS)}.")


@dataclass(frozen=True)
class Distilled:
    """One estimate of the score distillation's gradient.

    Attributes:
        gradient: of the loss with respect to the latents.
        loss: its mean size, a number to show; its own gradient is `gradient`, so that it can be weighted and added to
            other losses.
        timesteps: that were drawn.
        noisy: the latents with noise.
        predicted: the noise that was found in them: without the text, then with it.
    """

    gradient: Float[Tensor, "b c i j"]
    loss: Float[Tensor, ""]
    timesteps: Int[Tensor, " b"]
    noisy: Float[Tensor, "b c i j"]
    predicted: tuple[Float[Tensor, "b c i j"], Float[Tensor, "b c i j"]]


def score_distillation(
    prior: LatentPrior,
    latents: Float[Tensor, "b c i j"],
    conditional: Embeddings,
    unconditional: Embeddings,
    *,
    options: GuidanceOptions = GuidanceOptions(),
    generator: torch.Generator | None = None,
    timesteps: Int[Tensor, " b"] | None = None,
    noise: Float[Tensor, "b c i j"] | None = None,
    negatives: tuple[Embeddings, Float[Tensor, "n b"]] | None = None,
    portions: Portions | None = None,
) -> Distilled:
    """w(t) (e_hat - e) at a random timestep of each latent; the prior itself gets no gradient.

    Args:
        prior: the judge.
        latents: of the pictures that are judged, with the graph that leads back to what made them.
        conditional: what the prior is told of each picture.
        unconditional: what it is told instead of nothing (the negative text).
        options: scale, timesteps and weighting.
        generator: draws timesteps and noise, on its own device; may be left out where both are given.
        timesteps: used instead of a draw.
        noise: used instead of a draw.
        negatives: texts that the pictures must not be like, n for each (rows of the first text first), and how much:
            see `guided_noise`.
        portions: of latents that the prior is asked of at once; None: all.
    """
    seen = latents.detach()
    if timesteps is None:
        timesteps = draw_timesteps(prior, len(seen), options.timesteps, generator)
    if noise is None:
        noise = draw_noise(seen, generator)
    timesteps, noise = timesteps.to(seen.device), noise.to(seen)
    with torch.no_grad():
        noisy = add_noise(prior, seen, noise, timesteps)
        told = conditional, unconditional
        guided, predicted = guided_noise(prior, noisy, timesteps, *told, options.scale, negatives, portions)
        gradient = torch.nan_to_num(weight_of(prior, timesteps, noisy, options.weighting) * (guided - noise))
    return Distilled(gradient, with_gradient(latents, gradient), timesteps, noisy, predicted)


def guided_noise(
    prior: LatentPrior,
    noisy: Float[Tensor, "b c i j"],
    timesteps: Int[Tensor, " b"],
    conditional: Embeddings,
    unconditional: Embeddings,
    scale: float,
    negatives: tuple[Embeddings, Float[Tensor, "n b"]] | None = None,
    portions: Portions | None = None,
) -> tuple[Float[Tensor, "b c i j"], tuple[Tensor, Tensor]]:
    """The noise by classifier-free guidance (Ho and Salimans 2022), and what was found without and with the text.

    What negatives say is used only as far as it is perpendicular to what the text itself says (Armandpour et al. 2023):
    e = e_u + s (d + sum_i w_i perp_i), where d = e_c - e_u and perp_i is the part of e_i - e_u that is perpendicular
    to d. Weights are below 0 for what is not wanted.
    """
    told = [unconditional, conditional] + ([] if negatives is None else [negatives[0]])
    rows = _joined(*told)
    count = len(rows if isinstance(rows, Tensor) else rows[0]) // len(noisy)
    asked, times = noisy.repeat(count, 1, 1, 1), timesteps.repeat(count)
    parts = (portions or Portions("latents")).map(
        lambda part: prior.predict(asked[part], times[part], _rows(rows, part)), len(asked)
    )
    found = torch.cat(parts)
    without, with_text, *others = found.chunk(count)
    toward = with_text - without
    if negatives is not None:
        weights = negatives[1].to(toward)
        for weight, other in zip(weights, others, strict=True):
            toward = toward + weight[:, None, None, None] * perpendicular(other - without, with_text - without)
    return without + scale * toward, (without, with_text)


def perpendicular(vectors: Float[Tensor, "b c i j"], to: Float[Tensor, "b c i j"]) -> Float[Tensor, "b c i j"]:
    """What is left of each picture when its part along another one is taken away."""
    along, square = (vectors * to).sum((1, 2, 3), keepdim=True), (to * to).sum((1, 2, 3), keepdim=True)
    return vectors - along / square.clamp(min=torch.finfo(to.dtype).tiny) * to


def draw_timesteps(
    prior: LatentPrior, count: int, between: tuple[float, float], generator: torch.Generator | None
) -> Int[Tensor, " b"]:
    """Uniform timesteps between parts of the schedule, both ends included."""
    total = len(prior.alphas_cumprod)
    low, high = (min(int(part * total), total - 1) for part in between)
    return torch.randint(low, high + 1, (count,), generator=generator, device=_place(generator))


def draw_noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    """Standard normal numbers of a tensor's shape, drawn where the generator is."""
    return torch.randn(like.shape, generator=generator, device=_place(generator)).to(like)


def weight_of(
    prior: LatentPrior, timesteps: Int[Tensor, " b"], like: Tensor, weighting: str
) -> Float[Tensor, "b 1 1 1"]:
    """w(t) of `GuidanceOptions.weighting`."""
    kept = kept_share(prior, timesteps, like)
    known = {"variance": 1 - kept, "uniform": torch.ones_like(kept), "product": kept.sqrt() * (1 - kept)}
    return known[weighting]


def with_gradient(latents: Tensor, gradient: Tensor) -> Float[Tensor, ""]:
    """A number, the mean size of a gradient, whose gradient with respect to the latents is just that."""
    return _GivenGradient.apply(latents, gradient)


class _GivenGradient(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, latents: Tensor, gradient: Tensor) -> Tensor:
        context.save_for_backward(gradient)
        return gradient.abs().mean()

    @staticmethod
    def backward(context: Any, outer: Tensor) -> tuple[Tensor, None]:
        (gradient,) = context.saved_tensors
        return outer * gradient, None


def _joined(*embeddings: Embeddings) -> Embeddings:
    if all(isinstance(each, Tensor) for each in embeddings):
        return torch.cat(embeddings)  # type: ignore[arg-type]
    return tuple(torch.cat(parts) for parts in zip(*embeddings, strict=True))


def _rows(embeddings: Embeddings, rows: slice) -> Embeddings:
    return embeddings[rows] if isinstance(embeddings, Tensor) else tuple(each[rows] for each in embeddings)


def _place(generator: torch.Generator | None) -> torch.device:
    return torch.device("cpu") if generator is None else generator.device
