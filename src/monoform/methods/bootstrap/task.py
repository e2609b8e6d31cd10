"""The training of bootstrapped inversion's generator for the loop: phases, data, averages, measures, pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ...metrics.features import FeatureNet
from ...training import Ema, Optimizer, Phase, save_pretrained
from ...training.best import keep_weights
from ...training.chance import Chance
from ...training.phase import Term
from ...training.sheets import depth_shades, sheet
from .augment import Similarity
from .discriminator import BootstrapDiscriminator
from .feeding import TrainingPhotos
from .losses import Terms, total
from .model import BootstrapGenerator
from .networks import joined
from .quality import Quality, latents, seen
from .rendering import Maps
from .schedules import augment_probability, generator_average, rate_factor
from .steps import GanSteps, Views
from .training_config import BootstrapTraining

SHOWN, COLUMNS = 8, 4
NONE_YET = -1.0


@dataclass(frozen=True, eq=False)
class GanBatch:
    """What a micro-batch is made of.

    Attributes:
        fake: cameras and classes that fakes are made for.
        real: of the images; None at a step of the generator.
        images: real ones, of twice the size where they are augmented with care.
    """

    fake: Views
    real: Views | None = None
    images: Float[Tensor, "n c s s"] | None = None


class TrainedState(nn.Module):
    """All that a training remembers.

    Attributes:
        path: mean path length of the styles; negative before the first.
        probability: of each augmentation.
        certainty: mean sign of the last scores of real images.
        best: the least of the metric so far.
    """

    path: Tensor
    probability: Tensor
    certainty: Tensor
    best: Tensor

    def __init__(self, generator: BootstrapGenerator, discriminator: BootstrapDiscriminator) -> None:
        super().__init__()
        self.networks = joined(generator, discriminator=discriminator)
        training = generator.config.training
        start = {"path": NONE_YET, "probability": training.augment if training.ada_target is None else 0.0}
        for name, value in {**start, "certainty": 0.0, "best": torch.finfo(torch.float32).max}.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))


class BootstrapTask:
    """Phases and data: spheres first, then even iterations for the generator, odd ones for the discriminator.

    Args:
        state: networks and what is remembered.
        photos: what is learned from, of twice the resolution where augmented images are made smaller.
        settings: what a step consists of.
        features: what an evaluation sees of images.
        shards: micro-batches of a step, over all processes.
        out: folder of the training.
        card: of weights after a step, with figures.
    """

    def __init__(
        self,
        state: TrainedState,
        photos: TrainingPhotos,
        settings: BootstrapTraining,
        features: FeatureNet,
        *,
        shards: int,
        out: Path,
        card: Callable[[int, Mapping[str, float]], str],
    ) -> None:
        self.module: nn.Module = state
        self.state, self.photos, self.settings = state, photos, settings
        discriminator = state.networks.discriminator
        assert discriminator is not None
        self.generator, self.discriminator = state.networks.generator, discriminator
        self.steps, self.training = GanSteps(self.generator, discriminator), self.generator.config.training
        self.shards, self.micro, self.out, self.card = shards, settings.micro_batch(shards), out, card
        self.quality = Quality(photos, features, settings.metric_images)

    # The loop

    def phases(self) -> list[Phase]:
        """Both networks, and before them the generator's shapes alone."""
        begin, settings = self.settings.begin, self.settings

        def adam(rate: float) -> Optimizer:
            return Optimizer("adam", rate=rate, betas=(0.0, settings.beta2))

        def schedule(step: int) -> float:
            return rate_factor(max(self._iteration(step), 0), self.training.rate_warmup)

        phases = [
            Phase(
                "generator",
                self.generator.parameters,
                self._of_generator,
                every=2,
                begin=begin,
                optimizer=adam(settings.rate),
                schedule=schedule,
                observe=self._observe,
            ),
            Phase(
                "discriminator",
                self.discriminator.parameters,
                self._of_discriminator,
                every=2,
                offset=1,
                begin=begin,
                optimizer=adam(settings.rate_discriminator),
                schedule=schedule,
                observe=self._observe,
            ),
        ]
        if begin and self.generator.beta is not None:
            sphere = Optimizer("adam", rate=settings.rate)
            phases.insert(0, Phase("sphere", self.generator.parameters, self._of_sphere, end=begin, optimizer=sphere))
        return phases

    def numbered_batch(self, number: int, generator: torch.Generator) -> GanBatch:
        """Cameras at random, and at a step of the discriminator the photos that follow in their order."""
        step, shard = divmod(number, self.shards)
        iteration = self._iteration(step)
        fake = self._views(torch.randint(len(self.photos), (self.micro,), generator=generator))
        if iteration < 0 or iteration % 2 == 0:
            return GanBatch(fake)
        place = (iteration // 2 * self.shards + shard) * self.micro
        numbers = self.photos.following(place, self.micro)
        return GanBatch(fake, self._views(torch.tensor(numbers)), self.photos.images(numbers))

    def batch(self, step: int, generator: torch.Generator) -> GanBatch:
        """A micro-batch of a step, for loops that know no order."""
        return self.numbered_batch(step * self.shards, generator)

    def ema(self) -> Ema:
        """The generator alone, from what the pretraining has left."""
        decay = generator_average(self.training.batch, self.settings.begin)
        return Ema(self.module, decay, of=[self.generator])

    def after_step(self, step: int, generator: torch.Generator) -> None:
        """The surface's numbers stay positive; now and then the augmentation becomes more or less likely."""
        del generator
        iteration, state = self._iteration(step), self.state
        if iteration < 0:
            return
        if iteration % 2 == 0:
            self.generator.clamp_surface()
        moved = augment_probability(float(state.probability), iteration, float(state.certainty), self.training)
        state.probability.fill_(moved)

    def _observe(self, step: int, metrics: Mapping[str, Tensor]) -> None:
        del step
        for name, buffer in {"path": self.state.path, "certainty": self.state.certainty}.items():
            if name in metrics:
                buffer.copy_(metrics[name])

    def identity(self) -> dict[str, str | int | float | bool]:
        """Sizes of the networks and of what they are shown, by the names of their options."""
        config = self.generator.config
        return {
            "resolution": config.resolution,
            "half_side": config.scene.half_side,
            **{f"network.{name}": value for name, value in asdict(config.network).items()},
            "training.alpha": config.training.alpha,
            "training.conditional_pose": config.training.conditional_pose,
        }

    # The losses

    def _iteration(self, step: int) -> int:
        return step - self.settings.begin

    def _views(self, numbers: Tensor) -> Views:
        return self.photos.views.chosen(numbers)

    def _latents(self, views: Views, chance: Chance) -> Tensor:
        return chance.normal(len(views), self.generator.config.network.z_dim)

    def _of_sphere(self, batch: GanBatch, step: int, generator: torch.Generator) -> Term:
        del step
        chance, radius = Chance(generator), 1.0 if self.settings.published else None
        z = self._latents(batch.fake, chance)
        return _summed(self.steps.pretraining_terms(z, chance, batch.fake.classes, radius))

    def _of_generator(self, batch: GanBatch, step: int, generator: torch.Generator) -> Term:
        chance, before = Chance(generator), float(self.state.path)
        z, views = self._latents(batch.fake, chance), self._moved(batch.fake, chance)[0]
        mean = None if before < 0 else before
        terms, mean = self.steps.generator_terms(z, views, self._iteration(step), mean, chance)
        loss, metrics = _summed(terms)
        if mean is not None:
            metrics["path"] = loss.new_tensor(mean)
        assert self.generator.beta is None or self.generator.alpha is not None
        surface = {} if self.generator.beta is None else {"beta": self.generator.beta[0]}
        return loss, {**metrics, **surface}

    def _of_discriminator(self, batch: GanBatch, step: int, generator: torch.Generator) -> Term:
        assert batch.real is not None and batch.images is not None
        chance = Chance(generator)
        real_views, images = self._moved(batch.real, chance, batch.images)
        assert images is not None
        size = self.generator.config.resolution
        if images.shape[-1] == 2 * size:
            images = avg_pool2d(images, 2)
        z, views = self._latents(batch.fake, chance), self._moved(batch.fake, chance)[0]
        terms, score = self.steps.discriminator_terms(z, views, images, real_views, self._iteration(step), chance)
        loss, metrics = _summed(terms)
        known = {"certainty": score.sign().mean(), "score_real": score.mean(), "augment": self.state.probability}
        return loss, {**metrics, **known}

    def _moved(
        self, views: Views, chance: Chance, images: Float[Tensor, "n c s s"] | None = None
    ) -> tuple[Views, Float[Tensor, "n c s s"] | None]:
        """Cameras, and the images that they have taken, in the same random motion; as they are where there is none."""
        probability = float(self.state.probability)
        if probability == 0:
            return views, images
        motion = Similarity.draw(len(views), probability, generator=chance.generator)
        moved = Views(*motion.cameras(views.world_from_camera, views.focal), views.classes)
        white = self.generator.config.scene.white
        return moved, None if images is None else motion.images(images, white=white)

    # What is measured, kept and shown

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """The distance of samples to photos; the best weights so far are kept.

        Raises:
            InputError: the metric by which weights are the best is none of these.
        """
        del module
        figures, settings = self.quality(self.generator), self.settings
        keep_weights(
            lambda folder: self._save(folder, step, figures),
            self.out,
            step,
            figures,
            best=self.state.best,
            metric=settings.metric or (self.quality.name if figures else None),
            snapshots=settings.snapshots,
        )
        return figures

    def _save(self, folder: Path, step: int, figures: Mapping[str, float]) -> None:
        networks = self.state.networks
        save_pretrained(networks, networks.config, folder, card=self.card(step, figures))

    def pictures(self, module: nn.Module) -> dict[str, Float[Tensor, "h w 3"]]:
        """Photos, and samples from their cameras: colors, opacity, depth, normals, places."""
        del module
        net, numbers = self.generator, self.photos.spread(SHOWN)
        views = self.photos.views.chosen(torch.tensor(numbers))
        maps = Maps(coordinates=True, normals=net.beta is not None)
        shown = list(seen(net, latents(net, len(views)), views, maps))

        def whole(values: list[Tensor | None]) -> Tensor:
            joined = torch.cat([value for value in values if value is not None])
            return joined[:, None] if joined.ndim == 3 else joined.permute(0, 3, 1, 2)

        places = whole([each.coordinates for each in shown]) / net.config.scene.half_side
        parts = {
            "reals": self.photos.photos.images(numbers, net.config.resolution)[:, :3] / 2 + 0.5,
            "fakes": whole([each.rgb for each in shown]) / 2 + 0.5,
            "fakes_alpha": whole([each.alpha for each in shown]),
            "fakes_depth": depth_shades(whole([each.depth for each in shown])),
            "fakes_coordinates": places / 2 + 0.5,
        }
        if maps.normals:
            parts["fakes_normals"] = whole([each.normals for each in shown]) / 2 + 0.5
        side = net.config.resolution
        return {name: sheet(images, columns=COLUMNS, side=side) for name, images in parts.items()}


def _summed(terms: Terms) -> Term:
    return total(terms), {f"loss_{name}": term for name, term in terms.items()}
