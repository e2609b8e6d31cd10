"""A prior that the tests know in closed form: of each text it knows the one picture that there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from monoform.guidance.prior import kept_share


class PointPrior:
    """Pictures of a text are all alike: the noise in a latent is what leads to it, exactly.

    Args:
        pictures: of texts, (c, i, j); any other text is of a black one.
        steps: timesteps.
    """

    def __init__(self, pictures: Mapping[str, Float[Tensor, "c i j"]], steps: int = 1000) -> None:
        self.known = dict(pictures)
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, steps, dtype=torch.float64) ** 2
        self.alphas_cumprod = (1 - betas).cumprod(0).float()
        self.latent_channels, self.side = next(iter(pictures.values())).shape[:2]
        self.device, self.dtype = torch.device("cpu"), torch.float32

    def encode(
        self,
        images: Float[Tensor, "b h w 3"],
        *,
        generator: torch.Generator | None = None,
        noise: Float[Tensor, "b c i j"] | None = None,
    ) -> Float[Tensor, "b c i j"]:
        del generator, noise
        wide = functional.interpolate(images.permute(0, 3, 1, 2), size=(self.side, self.side), mode="bilinear")
        gray = wide.mean(dim=1, keepdim=True).expand(-1, self.latent_channels - 3, -1, -1)
        return torch.cat((wide, gray), dim=1)[:, : self.latent_channels]

    def embed(self, prompts: Sequence[str]) -> Float[Tensor, "b n w"]:
        black = torch.zeros(self.latent_channels, self.side, self.side)
        return torch.stack([self.known.get(text, black).flatten()[None] for text in prompts])

    def predict(
        self, latents: Float[Tensor, "b c i j"], timesteps: Int[Tensor, " b"], embeddings: Tensor
    ) -> Float[Tensor, "b c i j"]:
        kept = kept_share(self, timesteps, latents)
        return (latents - kept.sqrt() * embeddings.reshape(latents.shape)) / (1 - kept).sqrt()
