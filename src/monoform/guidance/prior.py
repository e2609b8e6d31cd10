"""What a diffusion model offers to a reconstruction, whatever library or network is behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Embeddings = Tensor | tuple[Tensor, ...]
"""What the noise predictor is told of the picture, of each picture a row: a text's tokens (B, n, width), or several
tensors where a view is told by more."""


@runtime_checkable
class LatentPrior(Protocol):
    """A latent diffusion model, whatever it is told of pictures by; a field or a picture learns from it.

    Attributes:
        alphas_cumprod: share of the picture's variance that is left at each timestep, falling from 1 towards 0.
        latent_channels: channels of a latent.
        device: where it computes; what it is given is brought there by who calls.
        dtype: of latents and embeddings.
    """

    alphas_cumprod: Float[Tensor, " t"]
    latent_channels: int

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def encode(
        self,
        images: Float[Tensor, "b h w 3"],
        *,
        generator: torch.Generator | None = None,
        noise: Float[Tensor, "b c i j"] | None = None,
    ) -> Float[Tensor, "b c i j"]:
        """Latents of pictures; gradients flow back into the pictures.

        Args:
            images: sRGB 0..1, of any size: brought to the model's own.
            generator: draws the latent where the encoder gives a distribution; without it and `noise`, its mean.
            noise: the draw itself, standard normal.
        """
        ...

    def predict(
        self, latents: Float[Tensor, "b c i j"], timesteps: Int[Tensor, " b"], embeddings: Embeddings
    ) -> Float[Tensor, "b c i j"]:
        """The noise in noisy latents, without gradients; models that predict the velocity are converted."""
        ...


@runtime_checkable
class DiffusionPrior(LatentPrior, Protocol):
    """A prior that is told of pictures by texts."""

    def embed(self, prompts: Sequence[str]) -> Embeddings:
        """What texts say to the model, one row each."""
        ...


@runtime_checkable
class ViewPrior(LatentPrior, Protocol):
    """A prior that is told of a view by a photo of the object and the camera's way from it, as Zero-1-to-3 is."""

    def embed_view(
        self,
        photo: Float[Tensor, "h w 3"],
        elevation: Float[Tensor, " b"],
        azimuth: Float[Tensor, " b"],
        distance: Float[Tensor, " b"],
    ) -> tuple[Embeddings, Embeddings]:
        """What the model is told of views, and of nothing: the conditional and the unconditional embeddings.

        Args:
            photo: sRGB 0..1, square, the object over white.
            elevation: of the views above that of the photo, radians.
            azimuth: of the views from that of the photo, radians, counterclockwise from above.
            distance: of the views beyond that of the photo, in the model's own unit.
        """
        ...


def add_noise(
    prior: LatentPrior,
    latents: Float[Tensor, "b c i j"],
    noise: Float[Tensor, "b c i j"],
    timesteps: Int[Tensor, " b"],
) -> Float[Tensor, "b c i j"]:
    """sqrt(abar) z + sqrt(1 - abar) e (Ho et al. 2020, eq. 4)."""
    kept = kept_share(prior, timesteps, latents)
    return kept.sqrt() * latents + (1 - kept).sqrt() * noise


def kept_share(prior: LatentPrior, timesteps: Int[Tensor, " b"], like: Tensor) -> Float[Tensor, "b 1 1 1"]:
    """alphas_cumprod at timesteps, in the type and on the device of `like`."""
    table = prior.alphas_cumprod.to(like.device)
    return table[timesteps.to(like.device)].to(like.dtype)[:, None, None, None]
