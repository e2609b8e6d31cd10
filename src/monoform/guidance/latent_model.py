"""What latent diffusion models have in common: an autoencoder, a U-Net, and a table of noise (Rombach et al. 2022)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ..errors import InputError


class LatentModel:
    """A `LatentPrior` but for its predictions: the parts that do not depend on what it is told.

    Args:
        vae: `diffusers.AutoencoderKL`.
        unet: `diffusers.UNet2DConditionModel`.
        scheduler: any of diffusers' with `alphas_cumprod`; what it predicts is read from its configuration.
        image_size: pixels of the side of what it sees; 0 for its own.

    Raises:
        InputError: it predicts neither noise nor velocity, or the size does not fit.
    """

    def __init__(self, vae: Any, unet: Any, scheduler: Any, image_size: int = 0) -> None:
        self.vae, self.unet = (part.eval().requires_grad_(False) for part in (vae, unet))
        self.scheduler = scheduler
        self.alphas_cumprod = scheduler.alphas_cumprod.float()
        self.latent_channels = int(vae.config.latent_channels)
        self.reduction = 2 ** (len(vae.config.block_out_channels) - 1)
        self.image_size = image_size or int(unet.config.sample_size) * self.reduction
        self.predicts = str(scheduler.config.get("prediction_type", "epsilon"))
        if self.predicts not in ("epsilon", "v_prediction"):
            raise InputError(
                f"The diffusion model predicts {self.predicts!r}; give one that predicts epsilon or v_prediction."
            )
        if self.image_size < self.reduction or self.image_size % self.reduction:
            raise InputError(
                f"image_size is {self.image_size}; the diffusion model takes multiples of {self.reduction}."
            )

    @property
    def device(self) -> torch.device:
        return self.vae.device

    @property
    def dtype(self) -> torch.dtype:
        return self.unet.dtype

    def encode(
        self,
        images: Float[Tensor, "b h w 3"],
        *,
        generator: torch.Generator | None = None,
        noise: Float[Tensor, "b c i j"] | None = None,
    ) -> Float[Tensor, "b c i j"]:
        """See `LatentPrior.encode`; latents are in single precision whatever that of the weights."""
        mean, deviation = self.posterior(images)
        if noise is None and generator is not None:
            noise = torch.randn(mean.shape, generator=generator, device=generator.device)
        return mean if noise is None else mean + deviation * noise.to(mean)

    def posterior(self, images: Float[Tensor, "b h w 3"]) -> tuple[Float[Tensor, "b c i j"], Float[Tensor, "b c i j"]]:
        """Mean and standard deviation of the latents of pictures, see `encode`."""
        size = (self.image_size, self.image_size)
        seen = functional.interpolate(images.permute(0, 3, 1, 2), size=size, mode="bilinear", align_corners=False)
        found = self.vae.encode((2 * seen - 1).to(self.vae.dtype)).latent_dist
        unit = float(self.vae.config.scaling_factor)
        return unit * found.mean.float(), unit * found.std.float()

    def decode(self, latents: Float[Tensor, "b c i j"]) -> Float[Tensor, "b h w 3"]:
        """Pictures of latents, sRGB 0..1."""
        plain = (latents / float(self.vae.config.scaling_factor)).to(self.vae.dtype)
        return (self.vae.decode(plain).sample.float().permute(0, 2, 3, 1) / 2 + 0.5).clamp(0, 1)

    def noise(
        self, found: Float[Tensor, "b c i j"], latents: Float[Tensor, "b c i j"], timesteps: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c i j"]:
        """The noise in latents by what the U-Net has found: a velocity v gives sqrt(abar) v + sqrt(1 - abar) z."""
        if self.predicts == "epsilon":
            return found
        kept = self.alphas_cumprod.to(latents.device)[timesteps.to(latents.device)].to(latents)[:, None, None, None]
        return kept.sqrt() * found + (1 - kept).sqrt() * latents
