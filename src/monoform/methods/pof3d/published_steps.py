"""The losses of a step as the published code computes them: everything anew for each term, some of it twice.

Values and gradients are those of `steps` but for random numbers, and for blur and augmentation: these are applied twice
to what is judged under a told pose, since telling the pose leaves the images changed.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ...training.adversarial import fake_loss, generator_loss, real_loss
from .discriminator import Judgement, coded
from .losses import pose_loss
from .model import Synthesis
from .step_parts import Chance, Chosen, Shown, Term
from .steps import Steps


class PublishedSteps(Steps):
    """`Steps` with three renderings for each network, and the discriminator run twice for a score."""

    def generator_terms(self, z: Float[Tensor, "n z"], images: float, chance: Chance) -> Iterator[Term]:
        """As in `Steps`; the pose is told of a rendering of its own."""
        options = self.options
        _, made = self._made(z, images, chance)
        score = self._twice(made, images, chance).score
        loss = generator_loss(score)
        further = None if self.extra is None else self.extra(made.depth, made.image, images)
        added, noted = (0.0, {}) if further is None else further
        yield loss + added, {"score": score.mean(), "sign": score.sign().mean(), "loss_own": loss, **noted}
        if options.flip_generator:
            score = self._twice(self._made(z, images, chance, mirror=True)[1], images, chance).score
            loss = options.flip_weight_generator * generator_loss(score)
            yield (
                loss,
                {"score_mirrored": score.mean(), "sign_mirrored": score.sign().mean(), "loss_mirrored": loss},
            )
        if options.lambda_gd > 0:
            chosen, made = self._made(z, images, chance, swapped=False)
            told = self._told(self.processed(Shown(made.image, made.image_raw), images, chance)).detach()
            known = coded(chosen.pose_alone[:, :2], self.discriminator.config.pose_coding)
            loss = options.lambda_gd * pose_loss(known, told)
            yield loss, {"loss_pose": loss}

    def discriminator_terms(
        self,
        z: Float[Tensor, "n z"],
        real: Float[Tensor, "n 3 h w"],
        images: float,
        chance: Chance,
        poses: Float[Tensor, "n 2"] | None = None,
    ) -> Iterator[Term]:
        """As in `Steps`, without a template; each term has a rendering of its own, which moves the mean style."""
        assert poses is None
        options = self.options
        if self.pose_weight > 0:
            chosen, made = self._made(z, images, chance, averages=True)
            told = self._told(self.processed(Shown(made.image, made.image_raw), images, chance))
            known = coded(chosen.pose[:, :2].detach(), self.discriminator.config.pose_coding)
            loss = self.pose_weight * pose_loss(told, known)
            yield loss, {"loss_pose": loss}
        weight = options.flip_weight_discriminator if options.flip_discriminator else 1.0
        score = self._twice(self._made(z, images, chance, averages=True)[1], images, chance).score
        loss = weight * fake_loss(score)
        yield loss, {"score_fake": score.mean(), "sign_fake": score.sign().mean(), "loss_fake": loss}
        if options.flip_discriminator:
            made = self._made(z, images, chance, averages=True, mirror=True)[1]
            score = self._twice(made, images, chance).score
            loss = weight * fake_loss(score)
            yield (
                loss,
                {"score_mirrored": score.mean(), "sign_mirrored": score.sign().mean(), "loss_mirrored": loss},
            )
        score = self._twice(self.real(real, images), images, chance).score
        loss = real_loss(score)
        yield loss, {"score_real": score.mean(), "sign_real": score.sign().mean(), "loss_real": loss}

    def penalty_terms(
        self,
        real: Float[Tensor, "n 3 h w"],
        images: float,
        chance: Chance,
        poses: Float[Tensor, "n 2"] | None = None,
    ) -> Iterator[Term]:
        """As in `Steps`, without a template, with respect to images that were processed twice."""
        assert poses is None
        given = self.real(real, images)
        first = self.processed(Shown(given.image.detach(), given.image_raw.detach()), images, chance)
        with torch.no_grad():
            told = self._told(first)
        shown = self.processed(first, images, chance)
        inputs = [each.detach().requires_grad_() for each in (shown if self.discriminator.config.dual else shown[:1])]
        yield self.penalty(self.discriminator(inputs[0], inputs[-1], told).score, inputs)

    def points(self, n: int, count: int, chance: Chance) -> Float[Tensor, "n p 3"]:
        """Between -1 and 1, whatever the box."""
        return chance.uniform(n, count, 3) * 2 - 1

    def _made(
        self,
        z: Tensor,
        images: float,
        chance: Chance,
        *,
        averages: bool = False,
        mirror: bool = False,
        swapped: bool = True,
    ) -> tuple[Chosen, Synthesis]:
        """One rendering of all latents, from their own poses or from mirrored ones."""
        chosen = self.chosen(z, chance, averages=averages, posed=swapped and not mirror)
        if mirror:
            chosen = self.mirrored(chosen, chance)
        return chosen, self.rendered(chosen, images, chance)

    def _told(self, shown: Shown) -> Tensor:
        """Poses that the discriminator tells of what it is shown."""
        return self.discriminator.b4.pose(self.discriminator.flat(*shown))

    def _twice(self, made: Synthesis | Shown, images: float, chance: Chance) -> Judgement:
        """What the discriminator says: poses first, then, of what has been processed once more, scores."""
        first = self.processed(Shown(made.image, made.image_raw), images, chance)
        with torch.no_grad():
            told = self._told(first)
        found: Judgement = self.discriminator(*self.processed(first, images, chance), told)
        return found
