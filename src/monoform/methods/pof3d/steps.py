"""The four losses of a step: generator and discriminator, and what keeps each smooth (sections 3.3 and 3.4).

Planes are made once for an image and its mirrored view, an image is rendered once for all that needs it, and the
discriminator's trunk is run once for pose and score; the graph of one view is in memory at a time. `published_steps`
computes the same as the published code does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from ...nn.stylegan2.augment import AugmentPipe
from ...training.adversarial import blur_sigma, blurred, fake_loss, generator_loss, gradient_penalty, real_loss
from .discriminator import Judgement, Pof3dDiscriminator, coded
from .inputs import resized
from .losses import density_loss, monotonic_loss, pose_loss
from .model import Pof3dGenerator, Synthesis
from .poses import MIRRORS, Mirror, mirrored
from .schedules import rendering_resolution
from .shared_graph import SharedGraph
from .step_parts import Chance, Chosen, GeneratorTerm, Shown, Term
from .template_terms import TemplateTerms
from .training_config import Pof3dTraining

FRONT_POINTS = 2000
"""At which monotonic regularisations look at what is behind."""
STEP_BEHIND = 1 / 256
"""How far behind, as a share of the side of the box."""


class Steps:
    """The losses of one micro-batch, as terms that the loop makes small one after the other.

    Args:
        generator: of images and poses.
        discriminator: of images.
        options: of the training.
        images_a_step: over all micro-batches and processes.
        augment: of all that the discriminator is shown; None for none.
        extra: a further term of the generator.
        template: tells the poses of photos; None for none.
    """

    def __init__(
        self,
        generator: Pof3dGenerator,
        discriminator: Pof3dDiscriminator,
        options: Pof3dTraining,
        *,
        images_a_step: int,
        augment: AugmentPipe | None = None,
        extra: GeneratorTerm | None = None,
        template: TemplateTerms | None = None,
    ) -> None:
        self.generator, self.discriminator, self.options = generator, discriminator, options
        self.augment, self.extra, self.template = augment, extra, template
        self.blur_images = options.blur_kimg * 1000 * images_a_step / 32

    # The generator

    def generator_terms(self, z: Float[Tensor, "n z"], images: float, chance: Chance) -> Iterator[Term]:
        """Fakes, seen from their own poses and from mirrored ones, should look real; poses be what is told of them."""
        options = self.options
        chosen = self.chosen(z, chance)
        planes = self.generator.planes(chosen.ws, noise=chance.noise())
        shared = SharedGraph([planes, chosen.ws, chosen.cameras, chosen.intrinsics])
        planes, *rest = shared.leaves
        leaves = Chosen(chosen.pose, chosen.pose_alone, *rest)
        made = self.rendered(leaves, images, chance, planes)
        judged = self.judged(Shown(made.image, made.image_raw), images, chance, self.condition(chosen.pose))
        own = generator_loss(judged.score)
        terms, metrics = [own], {"score": judged.score.mean(), "sign": judged.score.sign().mean(), "loss_own": own}
        if options.lambda_gd > 0:
            known = coded(chosen.pose_alone[:, :2], self.discriminator.config.pose_coding)
            metrics["loss_pose"] = options.lambda_gd * pose_loss(known, judged.pose.detach())
            terms.append(metrics["loss_pose"])
        if options.lambda_shown > 0:
            seen = coded(chosen.pose[:, :2].detach(), self.discriminator.config.pose_coding)
            metrics["loss_shown"] = options.lambda_shown * pose_loss(judged.pose, seen)
            terms.append(metrics["loss_shown"])
        if self.template is not None:
            metrics["loss_template"] = self.template.weight * self.template.unlike(chance)
            terms.append(metrics["loss_template"])
        further = None if self.extra is None else self.extra(made.depth, made.image, images)
        if further is not None:
            terms.append(further[0])
            metrics |= further[1]
        yield shared.counted(torch.stack(terms).sum()), metrics
        del made, judged, own, terms, metrics, further
        if options.flip_generator:
            made = self.rendered(self.mirrored(leaves, chance), images, chance, planes)
            score = self.judged(Shown(made.image, made.image_raw), images, chance).score
            other = options.flip_weight_generator * generator_loss(score)
            noted = {"score_mirrored": score.mean(), "sign_mirrored": score.sign().mean(), "loss_mirrored": other}
            yield shared.counted(other), noted
            del made, score, other, noted
        yield shared.rest(), {}

    def smoothness_terms(self, z: Float[Tensor, "n z"], images: float, chance: Chance) -> Iterator[Term]:
        """Density should be alike at neighbors, and where asked for not fall away from the camera."""
        del images
        options = self.options
        planes = self.generator.planes(self.chosen(z, chance, posed=False).ws, noise=chance.noise())
        box = self.generator.config.rays.box
        near = options.density_distance
        charged: list[Tensor] = []
        metrics: dict[str, Tensor] = {}
        if options.density_type != "l1":
            near = box * STEP_BEHIND
            front = self.points(len(z), FRONT_POINTS, chance)
            behind = front + front.new_tensor([0.0, 0.0, -near])
            sigma, further = self.density(torch.cat([front, behind], dim=1), planes).split(FRONT_POINTS, dim=1)
            sigma = sigma.detach() if options.density_type == "monotonic-detach" else sigma
            falling = monotonic_loss(sigma, further)
            charged.append(falling)
            metrics["loss_monotonic"] = falling
        here = self.points(len(z), options.density_points, chance)
        beside = here + near * chance.normal(*here.shape)
        sigma, sigma_beside = self.density(torch.cat([here, beside], dim=1), planes).split(here.shape[1], dim=1)
        metrics["loss_density"] = options.density_reg * density_loss(sigma, sigma_beside)
        charged.append(metrics["loss_density"])
        yield options.every_generator * torch.stack(charged).sum(), metrics

    # The discriminator

    def discriminator_terms(
        self,
        z: Float[Tensor, "n z"],
        real: Float[Tensor, "n 3 h w"],
        images: float,
        chance: Chance,
        poses: Float[Tensor, "n 2"] | None = None,
    ) -> Iterator[Term]:
        """Poses of fakes should be told as they are, fakes and real images from each other.

        Args:
            poses: of the real images, where a template tells them.
        """
        options = self.options
        weight = options.flip_weight_discriminator if options.flip_discriminator else 1.0
        with torch.no_grad():
            chosen = self.chosen(z, chance, averages=True)
            planes = self.generator.planes(chosen.ws, noise=chance.noise())
            made = self.rendered(chosen, images, chance, planes)
        judged = self.judged(Shown(made.image, made.image_raw), images, chance, self.condition(chosen.pose))
        known = coded(chosen.pose[:, :2], self.discriminator.config.pose_coding)
        told, fake = self.pose_weight * pose_loss(judged.pose, known), weight * fake_loss(judged.score)
        yield (
            told + fake,
            {
                "loss_pose": told,
                "score_fake": judged.score.mean(),
                "sign_fake": judged.score.sign().mean(),
                "loss_fake": fake,
            },
        )
        del judged, told, fake
        if options.flip_discriminator:
            with torch.no_grad():
                made = self.rendered(self.mirrored(chosen, chance), images, chance, planes)
            score = self.judged(Shown(made.image, made.image_raw), images, chance).score
            fake = weight * fake_loss(score)
            yield (
                fake,
                {"score_mirrored": score.mean(), "sign_mirrored": score.sign().mean(), "loss_mirrored": fake},
            )
            del score, fake
        shown = self.processed(self.real(real, images), images, chance)
        found, condition = self.judged_real(shown, poses)
        score, loss = found.score, real_loss(found.score)
        metrics = {"score_real": score.mean(), "sign_real": score.sign().mean(), "loss_real": loss}
        if self.template is not None and condition is not None:
            metrics["loss_template"] = self.template.weight * pose_loss(found.pose, condition)
            loss = loss + metrics["loss_template"]
        yield loss, metrics

    def penalty_terms(
        self,
        real: Float[Tensor, "n 3 h w"],
        images: float,
        chance: Chance,
        poses: Float[Tensor, "n 2"] | None = None,
    ) -> Iterator[Term]:
        """Scores should not change steeply around real images."""
        shown = self.processed(self.real(real, images), images, chance)
        inputs = [each.detach().requires_grad_() for each in (shown if self.discriminator.config.dual else shown[:1])]
        yield self.penalty(self.judged_real(Shown(inputs[0], inputs[-1]), poses)[0].score, inputs)

    def penalty(self, score: Tensor, inputs: list[Tensor]) -> Term:
        """R1 with its weight: half of gamma, all of it for a discriminator that is not dual."""
        options = self.options
        squared = gradient_penalty(score, inputs)
        weight = options.gamma / 2 if self.discriminator.config.dual else options.gamma
        metrics = {"score_real": score.mean(), "sign_real": score.sign().mean(), "penalty": squared.mean()}
        return options.every_discriminator * weight * squared.mean(), metrics

    @property
    def pose_weight(self) -> float:
        """Of the poses that the discriminator tells; where it has none of its own, that of the generator's."""
        return self.options.lambda_cam or self.options.lambda_gd

    # What all of them share

    def chosen(self, z: Float[Tensor, "n z"], chance: Chance, *, averages: bool = False, posed: bool = True) -> Chosen:
        """Styles and poses of latents.

        Args:
            averages: move the mean style towards them.
            posed: whether cameras are needed; poses are swapped then.
        """
        options, generator = self.options, self.generator
        drawn = chance.generator if generator.config.pose.uniform else None
        mapped = generator.map(z, update_average=averages, generator=drawn)
        alone = mapped.pose.detach() if drawn else generator.backbone.mapping.pose(mapped.w.detach())
        ws = self._mixed(mapped.ws, chance) if options.style_mixing > 0 else mapped.ws
        known = seen = mapped.pose
        if posed:
            swapped = chance.uniform(len(z), 1) < options.pose_swapping
            seen, other = (torch.where(swapped, each.roll(1, 0), each) for each in (known, alone))
            if not options.published:  # whose losses compare what is told of a swapped view with the pose of the latent
                known, alone = seen, other
        return Chosen(known, alone, ws, *generator.cameras(seen))

    def _mixed(self, ws: Tensor, chance: Chance) -> Tensor:
        """Styles of which the later ones are, now and then, of another latent."""
        n, slots = ws.shape[:2]
        other = self.generator.map(chance.normal(n, self.generator.config.network.z_dim)).ws
        cut = 1 + int(chance.uniform(1) * (slots - 1))
        cut = cut if bool(chance.uniform(1) < self.options.style_mixing) else slots
        return torch.cat([ws[:, :cut], other[:, cut:]], dim=1)

    def rendered(
        self, chosen: Chosen, images: float, chance: Chance, planes: Float[Tensor, "n 3 c p p"] | None = None
    ) -> Synthesis:
        """Fakes from their cameras.

        Args:
            planes: of their styles, where they are known.
        """
        return self.generator.synthesize(
            chosen.ws,
            chosen.cameras,
            chosen.intrinsics,
            resolution=self.resolution(images),
            noise=chance.noise(),
            draws=chance.places(),
            planes=planes,
        )

    def mirrored(self, chosen: Chosen, chance: Chance) -> Chosen:
        """The same with cameras in one of two mirrors."""
        cameras, kind = chosen.cameras, self.options.mirrors
        cameras = cameras.detach() if self.options.detach_pose else cameras
        both: Sequence[Mirror] = MIRRORS.get(kind, (cast(Mirror, kind),))
        return chosen._replace(cameras=mirrored(cameras, both[0] if chance.first_mirror() else both[-1]))

    def condition(self, poses: Float[Tensor, "n c"]) -> Float[Tensor, "n d"] | None:
        """What an image of a known pose is judged under; None without a template: what the discriminator tells."""
        return None if self.template is None else self.template.condition(poses)

    def judged(
        self, shown: Shown, images: float, chance: Chance, pose: Float[Tensor, "n c"] | None = None
    ) -> Judgement:
        """What the discriminator says, under the poses that are given or that it tells itself."""
        found: Judgement = self.discriminator(*self.processed(shown, images, chance), pose)
        return found

    def judged_real(
        self, shown: Shown, poses: Float[Tensor, "n 2"] | None
    ) -> tuple[Judgement, Float[Tensor, "n c"] | None]:
        """What the discriminator says of processed photos, and the poses that a template tells, where it does."""
        if self.template is None or poses is None:
            found: Judgement = self.discriminator(*shown)
            return found, None
        flat = self.discriminator.flat(*shown)
        told = self.discriminator.b4.pose(flat)
        condition = self.template.condition_of_photos(poses, told.detach())
        return self.discriminator.judged(flat, told, condition), condition

    def processed(self, shown: Shown, images: float, chance: Chance) -> Shown:
        """Blurred in the beginning, and augmented where it is asked for."""
        sigma = blur_sigma(images, start=self.options.first_blur, fade=self.blur_images)
        image, raw = blurred(shown.image, sigma), blurred(shown.image_raw, sigma)
        if self.augment is not None:
            side, small = image.shape[-1], raw.shape[-1]
            both = self.augment(torch.cat([image, resized(raw, side)], dim=1), generator=chance.generator)
            image, raw = both[:, :3], resized(both[:, 3:], small)
        return Shown(image, raw)

    def real(self, real: Float[Tensor, "n 3 h w"], images: float) -> Shown:
        """Real images beside small ones, as fakes have them."""
        return Shown(real, resized(real, self.resolution(images)))

    def resolution(self, images: float) -> int:
        """Pixels along a side of what is rendered."""
        options = self.options
        return rendering_resolution(
            images, start=options.resolution_start, end=options.resolution_end, fade=options.resolution_kimg * 1000
        )

    def points(self, n: int, count: int, chance: Chance) -> Float[Tensor, "n p 3"]:
        """Random places within the box."""
        return (chance.uniform(n, count, 3) - 0.5) * self.generator.config.rays.box

    def density(self, points: Float[Tensor, "n p 3"], planes: Tensor) -> Float[Tensor, "n p"]:
        """Density as the network gives it."""
        return self.generator.query(planes)(points).geometry
