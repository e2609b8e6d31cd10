"""Training of a word: `monoform train embedding`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor, nn

from ...devices import device_named
from ...errors import InputError
from ...ranges import require_ranges
from ...text import printable
from ...training import (
    Constant,
    LoopSettings,
    Optimizer,
    Phase,
    Training,
    TrainOptions,
    TrainResult,
    run_folder,
    train,
)
from ...training.identity import Value, gist
from ...training.processes import process_count
from ..clip import USUAL as USUAL_CLIP
from ..distillation import draw_noise
from ..parts import USUAL
from ..stable_diffusion import StableDiffusion
from ..words import Word, write_word
from .augment import FILTERS, Augmentation, augmented, in_range, plain
from .initializer import NounRanking
from .learned import LearnedWord, first_vectors, inversion_loss, learn
from .photos import read_photos
from .templates import TEMPLATES

WRITTEN = ("learned_embeds.bin", "learned_embeds.safetensors")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
AUTO = "auto"


@dataclass(frozen=True)
class EmbeddingTraining(LoopSettings):
    """How a word is learned; the defaults are those that the authors of RealFusion advise.

    Attributes:
        model: folder or hub id of the Stable Diffusion.
        word: what the learned word is called; no text may say it otherwise.
        initializer: a known word for the object, of one token, as which the learned one begins; or auto, the noun that
            CLIP finds nearest to the first photo.
        clip_model: folder or hub id of the CLIP model that auto asks.
        nouns: file that keeps what the CLIP model makes of the nouns; empty for nouns.safetensors in the folder.
        teaches: object or style: which texts are put around the word.
        vectors: of the word; more tell more, and are learned more slowly.
        image_size: pixels of the side of what the model sees; 0 for its own.
        batch: pictures of a micro-batch.
        rate: learning rate, for one picture of one micro-batch where scale_rate is on.
        scale_rate: multiply the rate by the pictures of a step, over all micro-batches and processes.
        warmup: steps in which the rate rises.
        weight_decay: pull of the vectors towards zero.
        augment: change the pictures heavily at random; else they are squeezed to a square, and mirrored or not.
        crop: smallest and largest area of the crops of augmented pictures.
        center_crop: of pictures that are not augmented, take the middle square.
        flip: probability of a mirrored picture.
        interpolation: of pictures that are not augmented: nearest, bilinear, bicubic or lanczos.
        published_range: give augmented pictures washed out to the encoder, as the release did.
        cached: so many pictures are drawn and encoded once and used again; 0 for new ones at each step. Fewer than a
            few hundred may be learned by heart.
        model_precision: of the model's weights: float32 or bfloat16.
        offload: keep the U-Net on the CPU and bring its layers to the device one by one.
        gradient_checkpointing: compute the U-Net twice instead of remembering it: less memory, slower.
        save_every: steps after which the word is written, too, as learned_embeds-steps-N.bin; 0 for never.
        validation_prompt: text, with <token> for the word, of which pictures are made at each evaluation.
        validation_images: how many.
        validation_steps: steps of their sampling.
    """

    ema_decay: float | None = None
    clip: float | None = None
    accumulate: int = 4
    checkpoint_every: int = 500
    evaluate_every: int = 100
    model: str = USUAL
    word: str = "_object_"
    initializer: str = "object"
    clip_model: str = USUAL_CLIP
    nouns: str = ""
    teaches: str = "object"
    vectors: int = 1
    image_size: int = 0
    batch: int = 1
    rate: float = 5e-4
    scale_rate: bool = True
    warmup: int = 0
    weight_decay: float = 1e-2
    augment: bool = True
    crop: tuple[float, float] = (0.85, 1.15)
    center_crop: bool = False
    flip: float = 0.5
    interpolation: str = "bicubic"
    published_range: bool = False
    cached: int = 0
    model_precision: str = "float32"
    offload: bool = False
    gradient_checkpointing: bool = False
    save_every: int = 500
    validation_prompt: str = ""
    validation_images: int = 4
    validation_steps: int = 25

    def __post_init__(self) -> None:
        require_ranges(self, "the embedding's", vectors=(1, 75), image_size=(0, 4096), batch=(1, 4096), rate=(1e-9, 10))
        require_ranges(self, "the embedding's", warmup=(0, 1_000_000_000), weight_decay=(0, 10), crop=(0.01, 4))
        require_ranges(self, "the embedding's", flip=(0, 1), cached=(0, 1_000_000), save_every=(0, 1_000_000_000))
        require_ranges(self, "the embedding's", validation_images=(1, 64), validation_steps=(1, 1000))
        choices: dict[str, tuple[str, ...]] = {
            "teaches": tuple(TEMPLATES),
            "interpolation": tuple(FILTERS),
            "model_precision": tuple(PRECISIONS),
        }
        for name, known in choices.items():
            value = getattr(self, name)
            if value not in known:
                raise InputError(f"The embedding's {name} is {value!r}; choose one of {', '.join(known)}.")


Batch = tuple[Tensor, Tensor | None, Tensor]


class EmbeddingTask:
    """Pictures, texts and the loss for the training loop; see `train_embedding`.

    Args:
        prior: the diffusion model, where it computes.
        learned: the word, entered into the prior.
        photos: of the object.
        settings: sizes and rates.
        images_a_step: over all micro-batches and processes.
        seed: of the pictures that are encoded once.
        out: where the word is written now and then.
    """

    def __init__(
        self,
        prior: StableDiffusion,
        learned: LearnedWord,
        photos: tuple,
        settings: EmbeddingTraining,
        *,
        images_a_step: int,
        seed: int,
        out: Path,
    ) -> None:
        self.prior, self.learned, self.photos, self.settings, self.out = prior, learned, photos, settings, out
        self.module: nn.Module = learned
        self.rate = settings.rate * (images_a_step if settings.scale_rate else 1)
        self.augmentation = Augmentation(size=prior.image_size, scale=settings.crop, flip=settings.flip)
        self.pool = (
            self._encoded_once(settings.cached, torch.Generator().manual_seed(seed)) if settings.cached else None
        )

    def phases(self) -> list[Phase]:
        """One phase over the word's vectors."""
        settings = self.settings
        optimizer = Optimizer("adamw", self.rate, (0.9, 0.999), 1e-8, settings.weight_decay)
        return [
            Phase("word", self.module.parameters, self._loss, optimizer=optimizer, schedule=Constant(settings.warmup))
        ]

    def identity(self) -> dict[str, Value]:
        """The photos and the word."""
        mean = np.mean([gist(np.asarray(each) / 255.0) for each in self.photos], axis=0)
        return {"photos": tuple(mean.tolist()), "word": self.settings.word}

    def batch(self, step: int, generator: torch.Generator) -> Batch:
        """Pictures, or mean and deviation of their latents; and the tokens of their texts."""
        del step
        texts = TEMPLATES[self.settings.teaches]
        which = torch.randint(len(texts), (self.settings.batch,), generator=generator).tolist()
        ids = self.prior.token_ids([texts[place].format(self.learned.name) for place in which]).cpu()
        if self.pool is not None:
            chosen = torch.randint(len(self.pool[0]), (self.settings.batch,), generator=generator)
            return self.pool[0][chosen], self.pool[1][chosen], ids
        return torch.stack([self._picture(generator) for _ in range(self.settings.batch)]), None, ids

    def after_step(self, step: int, generator: torch.Generator) -> None:
        """Write the word now and then."""
        del generator
        every = self.settings.save_every
        first = not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0
        if every and (step + 1) % every == 0 and first:
            write_word(self.learned.word(), self.out / f"learned_embeds-steps-{step + 1}.bin")

    def pictures(self, module: torch.nn.Module) -> Mapping[str, Float[Tensor, "h w 3"]]:
        """What the model makes of a text with the word, the same draws each time."""
        del module
        if not self.settings.validation_prompt:
            return {}
        text = self.settings.validation_prompt.replace("<token>", self.learned.name)
        generator = torch.Generator().manual_seed(1)
        made = [
            self.prior.pictures([text], generator=generator, steps=self.settings.validation_steps)[0].cpu()
            for _ in range(self.settings.validation_images)
        ]
        return {"validation": torch.cat(made, dim=1)}

    def _picture(self, generator: torch.Generator) -> Float[Tensor, "h w 3"]:
        settings, size = self.settings, self.prior.image_size
        photo = self.photos[int(torch.randint(len(self.photos), (1,), generator=generator))]
        if settings.augment:
            return in_range(augmented(photo, self.augmentation, generator), published=settings.published_range)
        flip = float(torch.rand(1, generator=generator)) < settings.flip
        return in_range(
            plain(photo, size, center_crop=settings.center_crop, flip=flip, interpolation=settings.interpolation)
        )

    @torch.no_grad()
    def _encoded_once(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        found = [self.prior.posterior(self._picture(generator)[None].to(self.prior.device)) for _ in range(count)]
        mean, deviation = (torch.cat(parts).cpu() for parts in zip(*found, strict=True))
        return mean, deviation

    def _loss(self, made: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        del step
        given, deviation, ids = made
        with torch.no_grad():
            if deviation is None:
                latents = self.prior.encode(given, generator=generator)
            else:
                latents = given + deviation * draw_noise(given, generator)
        noise, times = draw_noise(latents, generator), self._timesteps(len(latents), generator).to(latents.device)
        return inversion_loss(self.prior, latents, noise, times, ids), {}

    def _timesteps(self, count: int, generator: torch.Generator) -> Int[Tensor, " b"]:
        return torch.randint(len(self.prior.alphas_cumprod), (count,), generator=generator, device=generator.device)


def train_embedding(
    data: str | Path, out: str | Path, options: TrainOptions, settings: EmbeddingTraining | None = None
) -> TrainResult:
    """Learn a word of photos; write learned_embeds.bin and learned_embeds.safetensors to `out`.

    Args:
        data: folder of photos of one object, or one photo.

    Raises:
        InputError: there is no photo or no model, the word is known or its initializer is not one token, or `out` holds
            another training or the user's files.
    """
    settings, out = settings or EmbeddingTraining(), Path(out)
    with run_folder(out):
        photos = read_photos(data)
        for sentence in photos.left_out:
            print(printable(sentence))
        prior = _prior(settings, device_named(options.device))
        start = first_vectors(prior, _initializer(settings, out, photos.images[0], prior.device), settings.vectors)
        learned = learn(prior, Word(settings.word, start))
        images_a_step = settings.batch * options.accumulate * process_count(options)
        task = EmbeddingTask(
            prior, learned, photos.images, settings, images_a_step=images_a_step, seed=options.seed, out=out
        )
        result = train(task, out, options=options)
        for name in WRITTEN:
            write_word(learned.word(), out / name)
    return result


def _prior(settings: EmbeddingTraining, device: torch.device) -> StableDiffusion:
    prior = StableDiffusion.from_pretrained(
        settings.model,
        device=device,
        dtype=PRECISIONS[settings.model_precision],
        image_size=settings.image_size,
        offload=settings.offload,
    )
    if settings.gradient_checkpointing:
        prior.unet.enable_gradient_checkpointing()
    return prior


def _initializer(settings: EmbeddingTraining, out: Path, photo: Image.Image, device: torch.device) -> str:
    """The word that is given, or the nearest noun; the nearest five are said."""
    if settings.initializer != AUTO:
        return settings.initializer
    file = Path(settings.nouns) if settings.nouns else out / "nouns.safetensors"
    best = NounRanking(settings.clip_model, file=file, device=device).best(photo)
    print("nearest nouns: " + ", ".join(f"{noun} {cosine:.3f}" for noun, cosine in best))
    return best[0][0]


TRAINING = Training(
    "embedding",
    "a word that stands for the object of a photo, for a text-to-image model",
    EmbeddingTraining,
    train_embedding,
    steps=3000,
    data="Folder of photos of one object, or one photo.",
)
