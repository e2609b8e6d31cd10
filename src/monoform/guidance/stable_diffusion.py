"""Stable Diffusion as a prior, through the packages diffusers and transformers (Rombach et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..errors import InputError
from .latent_model import LatentModel
from .parts import PARTS, offload_layers, part_kinds, read_part
from .prior import Embeddings
from .words import Word, add_word, spelled_out


class StableDiffusion(LatentModel):
    """A latent diffusion model with its text encoder; see `DiffusionPrior`.

    Args:
        vae: `diffusers.AutoencoderKL`.
        unet: `diffusers.UNet2DConditionModel`.
        text_encoder: `transformers.CLIPTextModel`, of any width that the U-Net takes.
        tokenizer: `transformers.CLIPTokenizer`.
        scheduler: any of diffusers' with `alphas_cumprod`; what it predicts is read from its configuration.
        image_size: pixels of the side of what it sees; 0 for its own, 512 or 768.

    Raises:
        InputError: the parts do not fit each other, or it predicts neither noise nor velocity.
    """

    def __init__(self, vae: Any, unet: Any, text_encoder: Any, tokenizer: Any, scheduler: Any, *, image_size: int = 0):
        super().__init__(vae, unet, scheduler, image_size)
        self.text_encoder, self.tokenizer = text_encoder.eval().requires_grad_(False), tokenizer
        self.words: dict[str, Word] = {}
        self.require_fit()

    def require_fit(self) -> None:
        """The parts belong together.

        Raises:
            InputError: they do not.
        """
        width, asked = int(self.text_encoder.config.hidden_size), int(self.unet.config.cross_attention_dim)
        if width != asked:
            raise InputError(
                f"The diffusion model's U-Net takes texts of width {asked}, and its text encoder makes {width}: give a "
                "whole model of one source."
            )
        channels = int(self.unet.config.in_channels)
        if channels != self.latent_channels:
            raise InputError(
                f"The diffusion model's U-Net takes {channels} channels where latents have {self.latent_channels}: "
                "give one that is made for texts, not for inpainting or editing."
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
    ) -> StableDiffusion:
        """The model of a folder or of a repository on the Hugging Face hub, in the layout of diffusers.

        Args:
            source: local folder, or OWNER/NAME.
            device: where it computes.
            dtype: of its weights: float32, bfloat16 or float16.
            image_size: as of the class.
            offload: keep the U-Net on the CPU and bring its layers to `device` one after the other: for small GPUs,
                slower (needs the package accelerate).

        Raises:
            InputError: a package or the model is missing, or it does not fit; the sentence says what to do.
        """
        kinds = part_kinds()
        parts = {name: read_part(kinds[name], source, name, dtype) for name in PARTS}
        prior = cls(**parts, image_size=image_size)
        place = torch.device(device)
        if offload:
            offload_layers(prior.unet, place)
        return prior.to(place, unet=not offload)

    def to(self, device: torch.device, *, unet: bool = True) -> StableDiffusion:
        """This model on a device, itself."""
        for part in (self.vae, self.text_encoder, *([self.unet] if unet else [])):
            part.to(device)
        return self

    def add(self, word: Word) -> None:
        """Teach the model a word; prompts may then contain it.

        Raises:
            InputError: it knows the word already, or the word was learned with a text encoder of another width.
        """
        add_word(self.tokenizer, self.text_encoder, word)
        self.words[word.name] = word

    def token_ids(self, prompts: Sequence[str]) -> Int[Tensor, "b n"]:
        """Numbers of the tokens of texts, filled up to the length that the text encoder takes.

        Raises:
            InputError: a text is longer.
        """
        texts, most = [spelled_out(text, self.words) for text in prompts], self.tokenizer.model_max_length
        for text, ids in zip(prompts, self.tokenizer(texts).input_ids, strict=True):
            if len(ids) > most:
                raise InputError(
                    f"The text {text!r} has {len(ids) - 2} tokens, and the text encoder reads {most - 2}: shorten it."
                )
        found = self.tokenizer(texts, padding="max_length", max_length=most, return_tensors="pt")
        return found.input_ids.to(self.text_encoder.device)

    def embed_ids(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "b n w"]:
        """Last hidden states after the final norm; gradients flow into what learns."""
        return self.text_encoder(ids)[0]

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Float[Tensor, "b n w"]:
        """See `DiffusionPrior.embed`."""
        return self.embed_ids(self.token_ids(prompts))

    @torch.no_grad()
    def predict(
        self, latents: Float[Tensor, "b c i j"], timesteps: Int[Tensor, " b"], embeddings: Embeddings
    ) -> Float[Tensor, "b c i j"]:
        """See `DiffusionPrior.predict`."""
        assert isinstance(embeddings, Tensor)
        return self.noise(self.raw(latents, timesteps, embeddings), latents, timesteps)

    def raw(
        self, latents: Float[Tensor, "b c i j"], timesteps: Int[Tensor, " b"], embeddings: Float[Tensor, "b n w"]
    ) -> Float[Tensor, "b c i j"]:
        """What the U-Net itself gives, noise or velocity, in the type of `latents`, with gradients."""
        inputs, told = latents.to(self.dtype), embeddings.to(self.dtype)
        return self.unet(inputs, timesteps, encoder_hidden_states=told).sample.to(latents.dtype)

    @torch.no_grad()
    def pictures(
        self,
        prompts: Sequence[str],
        *,
        generator: torch.Generator,
        negative: str = "",
        steps: int = 50,
        scale: float = 7.5,
    ) -> Float[Tensor, "b h w 3"]:
        """Pictures of texts, sRGB 0..1, by deterministic sampling (Song et al. 2021, DDIM).

        Args:
            prompts: one for each picture.
            negative: what they must not show.
            steps: of the sampling.
            scale: of classifier-free guidance.
        """
        told, untold = self.embed(prompts), self.embed([negative] * len(prompts))
        side = self.image_size // self.reduction
        shape = (len(prompts), self.latent_channels, side, side)
        latents = torch.randn(shape, generator=generator, device=generator.device).to(self.device)
        times = torch.linspace(len(self.alphas_cumprod) - 1, 0, min(steps, len(self.alphas_cumprod))).long().tolist()
        for now, then in zip(times, [*times[1:], None], strict=True):
            at = torch.full((len(latents),), now, device=latents.device)
            both = self.predict(latents.repeat(2, 1, 1, 1), at.repeat(2), torch.cat((untold, told)))
            without, with_text = both.chunk(2)
            noise = without + scale * (with_text - without)
            kept, next_kept = self.alphas_cumprod[now], 1.0 if then is None else float(self.alphas_cumprod[then])
            clean = (latents - (1 - kept) ** 0.5 * noise) / kept**0.5
            latents = next_kept**0.5 * clean + (1 - next_kept) ** 0.5 * noise
        return self.decode(latents)
