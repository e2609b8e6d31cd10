"""PoF3D for the training loop: its phases, its data, what is averaged, measured, kept and shown."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ...training import Ema, HalfLife, Optimizer, Phase, save_pretrained
from ...training.adversarial import adapted_strength
from ...training.best import keep_weights
from ...training.sheets import depth_shades, sheet
from .geod.term import OPTIMIZER as GEOD_ADAM
from .journal import pose_picture
from .networks import NetworksConfig
from .ordered_images import OrderedImages
from .published_steps import PublishedSteps
from .quality import Quality, chosen_poses, fakes, latents
from .rendering import normal_map
from .schedules import lazy
from .step_parts import Chance, Term
from .steps import Steps
from .template_terms import TemplateTerms
from .trained_state import TrainedState
from .training_config import Pof3dTraining

SHOWN, COLUMNS = 16, 8
Batch = Mapping[str, Tensor]
Loss = Callable[[Batch, int, torch.Generator], Term | Iterator[Term]]
Terms = Callable[[Tensor, float, Chance], Iterator[Term]]


class Pof3dTask:
    """Phases and data of PoF3D.

    Args:
        state: networks and what is remembered.
        images: what is learned from.
        settings: what a step consists of.
        images_a_step: over all micro-batches and processes.
        out: folder of the training.
        card: of weights after a step, with figures.
    """

    def __init__(
        self,
        state: TrainedState,
        images: OrderedImages,
        settings: Pof3dTraining,
        *,
        images_a_step: int,
        out: Path,
        card: Callable[[int, Mapping[str, float]], str],
    ) -> None:
        self.module: nn.Module = state
        self.state, self.images, self.settings = state, images, settings
        self.images_a_step, self.out, self.card = images_a_step, out, card
        discriminator = state.networks.discriminator
        assert discriminator is not None
        self.generator, self.discriminator = state.networks.generator, discriminator
        kind = PublishedSteps if settings.published else Steps
        self.steps = kind(
            self.generator,
            discriminator,
            settings,
            images_a_step=images_a_step,
            augment=state.augment,
            extra=None if state.geod is None else self._geod_term,
            template=self._template(),
        )
        self.quality = Quality(images, settings)
        self.metric = settings.metric or self.quality.name
        self._resolution = self.steps.resolution(0)
        self._warned = False

    # The loop

    def phases(self) -> list[Phase]:
        """Each network, and what keeps it smooth, with the optimizer of lazy regularisation."""
        settings, steps = self.settings, self.steps
        smooth = settings.every_generator if settings.density_reg > 0 or settings.density_type != "l1" else 0
        steep = settings.every_discriminator if settings.gamma > 0 else 0

        def phase(name: str, net: nn.Module, loss: Loss, **more: Any) -> Phase:
            return Phase(name, net.parameters, loss, observe=self._observe, **more)

        adam = self._adam(settings.rate, smooth), self._adam(settings.rate_discriminator, steep)
        phases = [phase("generator", self.generator, self._of_latents(steps.generator_terms), optimizer=adam[0])]
        if smooth:
            loss = self._of_latents(steps.smoothness_terms)
            phases.append(phase("smoothness", self.generator, loss, shares="generator", every=smooth))
        phases.append(phase("discriminator", self.discriminator, self._of_both, optimizer=adam[1]))
        if steep:
            phases.append(phase("penalty", self.discriminator, self._of_real, shares="discriminator", every=steep))
        geod = self.state.geod
        if geod is not None:
            learns = lambda step: float(geod.options.learns_at(self._images(step) / 1000))  # noqa: E731
            phases.insert(0, phase("geod", geod, self._of_geod, optimizer=GEOD_ADAM, schedule=learns))
        return phases

    def _adam(self, rate: float, interval: int) -> Optimizer:
        rate, betas = lazy(rate, (0.0, self.settings.beta2), interval)
        return Optimizer("adam", rate=rate, betas=betas, epsilon=1e-8)

    def numbered_batch(self, number: int, generator: torch.Generator) -> dict[str, Tensor]:
        """The images of a micro-batch, in the order of the whole training."""
        del generator
        return self._batch_of(self.images.numbers(number))

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Images at random, for loops that know no order."""
        del step
        count = self.settings.batch
        return self._batch_of(torch.randint(len(self.images), (count,), generator=generator).tolist())

    def _batch_of(self, numbers: list[int]) -> dict[str, Tensor]:
        return {"images": self.images.chosen(numbers), "numbers": torch.tensor(numbers)}

    def ema(self) -> Ema:
        """Half of the averaged generator is from the last 10,000 images, or from the last 5 % of all so far."""
        settings = self.settings
        images = settings.ema_kimg * 1000 * self.images_a_step / 32
        decay = HalfLife(images, self.images_a_step, rampup=settings.ema_rampup)
        return Ema(self.module, decay, of=[self.generator])

    def after_step(self, step: int, generator: torch.Generator) -> None:
        """Now and then the augmentation becomes stronger or weaker."""
        del generator
        settings, state = self.settings, self.state
        if settings.augment != "ada" or (step + 1) % settings.augment_every or state.augment is None:
            return
        total, count = state.signs.tolist()
        strength = adapted_strength(
            float(state.augment.p),
            total / count if count else settings.augment_target,
            target=settings.augment_target,
            images=self.images_a_step * settings.augment_every,
            span=settings.augment_images,
        )
        state.augment.p.fill_(strength)
        state.signs.zero_()

    def _observe(self, step: int, metrics: Mapping[str, Tensor]) -> None:
        """Count updates that were lost, and how sure the discriminator is of what is real."""
        del step
        state = self.state
        if "nonfinite" in metrics:
            state.lost += (metrics["nonfinite"] > 0).to(state.lost)
        if "sign_real" in metrics and state.augment is not None:
            state.signs += torch.stack([metrics["sign_real"], torch.ones_like(metrics["sign_real"])])

    # The losses

    def _images(self, step: int) -> float:
        return float(step * self.images_a_step)

    def _of_latents(self, terms: Terms) -> Loss:
        def loss(batch: Batch, step: int, generator: torch.Generator) -> Iterator[Term]:
            chance = Chance(generator)
            yield from terms(self._latents(len(batch["images"]), chance), self._images(step), chance)

        return loss

    def _of_both(self, batch: Batch, step: int, generator: torch.Generator) -> Iterator[Term]:
        chance, state = Chance(generator), self.state
        noted = {"lost": state.lost.float()}
        if state.augment is not None:
            noted["augment"] = state.augment.p
        real = _floating(batch["images"])
        z, images, poses = self._latents(len(real), chance), self._images(step), self._poses(batch, chance)
        for loss, metrics in self.steps.discriminator_terms(z, real, images, chance, *poses):
            yield loss, {**metrics, **noted}
            noted = {}

    def _of_real(self, batch: Batch, step: int, generator: torch.Generator) -> Iterator[Term]:
        chance, real = Chance(generator), _floating(batch["images"])
        yield from self.steps.penalty_terms(real, self._images(step), chance, *self._poses(batch, chance))

    def _poses(self, batch: Batch, chance: Chance) -> list[Tensor]:
        """Of the photos, where a template tells them."""
        template = self.steps.template
        return [] if template is None else [template.of_photos(batch["numbers"], chance)]

    def _template(self) -> TemplateTerms | None:
        if self.state.told is None:
            return None
        coding, options = self.discriminator.config.pose_coding, self.settings.template
        return TemplateTerms(self.generator, coding, options, lambda: cast(Tensor, self.state.told))

    def _of_geod(self, batch: Batch, step: int, generator: torch.Generator) -> Term:
        del generator
        geod = self.state.geod
        assert geod is not None
        if geod.options.learns_at(self._images(step) / 1000):
            return geod.loss(_floating(batch["images"]))
        return torch.stack([0 * each.sum() for each in geod.learned()]).sum(), {}

    def _geod_term(self, depth: Tensor, image: Tensor, images: float) -> Term | None:
        geod = self.state.geod
        if geod is None or geod.options.weight_at(images / 1000) == 0:
            return None
        found = geod.generator_loss(depth, image, images / 1000)
        return found, {"loss_geod": found}

    def _latents(self, count: int, chance: Chance) -> Tensor:
        return chance.normal(count, self.generator.config.network.z_dim)

    # What is measured, kept and shown

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """The distance of fakes to real images and where they are seen from; the best weights so far are kept.

        Raises:
            InputError: the metric by which weights are the best is none of these.
        """
        del module
        self._resolution = self.steps.resolution(self._images(step))
        figures = self.quality(self.generator, self._resolution)
        collapsed = figures["yaw_deviation"] < self.settings.collapse
        if collapsed and not self._warned:
            print(
                f"The poses have collapsed after {step} steps: yaws deviate by {figures['yaw_deviation']:.2g} degrees, "
                f"less than {self.settings.collapse:g}: lower --lambda-gd or raise --lambda-cam.",
                file=sys.stderr,
            )
        self._warned = collapsed
        figures |= {"collapsed": float(collapsed), "lost": float(self.state.lost)}
        self._keep(step, figures)
        return figures

    def _keep(self, step: int, figures: Mapping[str, float]) -> None:
        settings = self.settings
        measured = settings.metric_images or settings.metric is not None
        keep_weights(
            lambda folder: self._save(folder, step, figures),
            self.out,
            step,
            figures,
            best=self.state.best,
            metric=self.metric if measured else None,
            snapshots=settings.snapshots,
        )

    def _save(self, folder: Path, step: int, figures: Mapping[str, float]) -> None:
        save_pretrained(self.state.networks, self.config_at(step), folder, card=self.card(step, figures))

    def config_at(self, step: int) -> NetworksConfig:
        """The networks as they are after so many steps: they render as large as they do then."""
        config = self.state.networks.config
        rays = replace(config.generator.rays, raw_resolution=self.steps.resolution(self._images(step)))
        return replace(config, generator=replace(config.generator, rays=rays))

    def pictures(self, module: nn.Module) -> dict[str, Float[Tensor, "h w 3"]]:
        """Real images; fakes with what was rendered, its depth and normals; where the generator looks from."""
        del module
        shown = [fakes(self.generator, z, self._resolution) for z in latents(self.generator, SHOWN).split(COLUMNS)]
        side = self.generator.config.resolution
        depth = torch.cat([each.depth for each in shown])
        parts = {
            "reals": self.images.chosen(self.images.spread(SHOWN)) / 255,
            "fakes": torch.cat([each.image for each in shown]) / 2 + 0.5,
            "fakes_raw": torch.cat([each.image_raw for each in shown]) / 2 + 0.5,
            "fakes_depth": depth_shades(depth),
            "fakes_normals": normal_map(depth) / 2 + 0.5,
        }
        sheets = {name: sheet(images, columns=COLUMNS, side=side) for name, images in parts.items()}
        return {**sheets, "poses": pose_picture(chosen_poses(self.generator))}


def _floating(images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    return images.float() / 127.5 - 1
