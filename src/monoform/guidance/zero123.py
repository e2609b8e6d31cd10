"""Zero-1-to-3 as a prior: told of a view by a photo and the camera's way from it (Liu et al. 2023)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ..errors import InputError
from .clip import DEVIATION, MEAN
from .parts import offload_layers
from .prior import Embeddings
from .stable_diffusion import LatentModel
from .zero123_parts import PARTS, is_checkpoint, part_kinds, read_checkpoint_parts, read_zero123_part

"""Of the pictures that CLIP has learned from."""
NUMBERS = 4  # that tell the camera's way


class Zero123(LatentModel):
    """A latent diffusion model that is told of views by a photo; see `ViewPrior`.

    Args:
        vae: `diffusers.AutoencoderKL`.
        unet: `diffusers.UNet2DConditionModel` whose input is the noisy latents beside those of the photo.
        image_encoder: `transformers.CLIPVisionModelWithProjection`.
        projection: of the photo's features and the camera's way, a `torch.nn.Linear`, or one in its `proj`.
        scheduler: any of diffusers' with `alphas_cumprod`.
        image_size: pixels of the side of what it sees; 0 for its own, 256.
        photo_elevation: of the photo's camera above the horizon in radians, which Stable Zero123 is told instead of
            the view's distance; None: it is told the distance.

    Raises:
        InputError: the parts do not fit each other, or it predicts neither noise nor velocity.
    """

    def __init__(
        self,
        vae: Any,
        unet: Any,
        image_encoder: Any,
        projection: Any,
        scheduler: Any,
        *,
        image_size: int = 0,
        photo_elevation: float | None = None,
    ) -> None:
        super().__init__(vae, unet, scheduler, image_size)
        parts = (part.eval().requires_grad_(False) for part in (image_encoder, projection))
        self.image_encoder, self.projection = parts
        self.linear = getattr(projection, "proj", projection)
        self.photo_elevation = photo_elevation
        self._photo: tuple[Tensor, Tensor, Tensor] | None = None
        self._require_fit()

    def _require_fit(self) -> None:
        channels, wide = int(self.unet.config.in_channels), int(self.unet.config.cross_attention_dim)
        if channels != 2 * self.latent_channels:
            raise InputError(
                f"The view's prior has a U-Net of {channels} channels, and a view beside the photo has "
                f"{2 * self.latent_channels}: give a Zero-1-to-3."
            )
        told = int(self.image_encoder.config.projection_dim)
        if (self.linear.in_features, self.linear.out_features) != (told + NUMBERS, wide):
            raise InputError(
                f"The view's prior projects {self.linear.in_features} numbers to {self.linear.out_features}, and its "
                f"parts need {told + NUMBERS} to {wide}: give a whole model of one source."
            )

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        image_size: int = 0,
        offload: bool = False,
        photo_elevation: float | None = None,
    ) -> Zero123:
        """The model of a folder or a repository in the layout of diffusers, or of its authors' checkpoint.

        Args:
            source: local folder, OWNER/NAME on the Hugging Face hub, or a file (.ckpt, .safetensors).
            device: where it computes.
            dtype: of its weights: float32, bfloat16 or float16.
            image_size: as of the class.
            offload: keep the U-Net on the CPU, see `StableDiffusion.from_pretrained`.
            photo_elevation: as of the class.

        Raises:
            InputError: a package or the model is missing, or it does not fit; the sentence says what to do.
        """
        if is_checkpoint(source):
            parts = read_checkpoint_parts(Path(source), dtype)
        else:
            kinds = part_kinds()
            parts = {name: read_zero123_part(kinds[name], source, name, dtype) for name in PARTS}
            parts["projection"] = parts.pop("clip_camera_projection")
        prior = cls(**parts, image_size=image_size, photo_elevation=photo_elevation)
        place = torch.device(device)
        if offload:
            offload_layers(prior.unet, place)
        for part in (prior.vae, prior.image_encoder, prior.projection, *([] if offload else [prior.unet])):
            part.to(place)
        return prior

    @torch.no_grad()
    def embed_view(
        self,
        photo: Float[Tensor, "h w 3"],
        elevation: Float[Tensor, " b"],
        azimuth: Float[Tensor, " b"],
        distance: Float[Tensor, " b"],
    ) -> tuple[Embeddings, Embeddings]:
        """See `ViewPrior`; each is the projected features of the photo with the way, and the photo's latents."""
        features, latents = self._seen(photo)
        count = len(azimuth)
        last = distance
        if self.photo_elevation is not None:
            last = torch.full_like(azimuth, 0.5 * torch.pi - self.photo_elevation)
        way = torch.stack((-elevation, azimuth.sin(), azimuth.cos(), last), dim=-1)  # angles from straight above
        told = self.projection(torch.cat((features.expand(count, -1), way.to(features)), dim=-1))[:, None]
        shown = latents.expand(count, -1, -1, -1)
        return (told, shown), (torch.zeros_like(told), torch.zeros_like(shown))

    @torch.no_grad()
    def predict(
        self, latents: Float[Tensor, "b c i j"], timesteps: Int[Tensor, " b"], embeddings: Embeddings
    ) -> Float[Tensor, "b c i j"]:
        """See `DiffusionPrior.predict`."""
        told, shown = embeddings
        inputs = torch.cat((latents, shown.to(latents)), dim=1).to(self.dtype)
        found = self.unet(inputs, timesteps, encoder_hidden_states=told.to(self.dtype)).sample.to(latents.dtype)
        return self.noise(found, latents, timesteps)

    def _seen(self, photo: Float[Tensor, "h w 3"]) -> tuple[Float[Tensor, "1 n"], Float[Tensor, "1 c i j"]]:
        """Features of a photo, and its latents in the units of the autoencoder itself; those of the last are kept."""
        if self._photo is None or self._photo[0] is not photo:
            image = photo.to(self.device).permute(2, 0, 1)[None].float()
            side = int(self.image_encoder.config.image_size)
            small = functional.interpolate(image, (side, side), mode="bicubic", antialias=True, align_corners=False)
            mean, deviation = (image.new_tensor(each)[:, None, None] for each in (MEAN, DEVIATION))
            seen = ((small.clamp(0.0, 1.0) - mean) / deviation).to(self.dtype)
            latents = self.encode(image.permute(0, 2, 3, 1)) / float(self.vae.config.scaling_factor)
            self._photo = photo, self.image_encoder(seen).image_embeds, latents
        return self._photo[1], self._photo[2]
