"""What the losses take from a template: conditions of the discriminator, and poses as unlike as photos'."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ...training.chance import Chance
from .discriminator import PoseCoding, coded
from .losses import energy_distance
from .model import Pof3dGenerator
from .template_config import TemplateOptions

COMPARED = 64
"""Poses that are chosen and told, of which distributions are compared."""


def opposite(poses: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2"]:
    """Half a turn around."""
    return poses + poses.new_tensor([math.pi, 0.0])


class TemplateTerms:
    """Poses of photos as a template tells them, for the losses of a step.

    Args:
        generator: whose poses should be distributed as those of the photos.
        coding: of poses.
        options: of the template.
        told: (yaw, elevation parameter) of all photos.
    """

    def __init__(
        self,
        generator: Pof3dGenerator,
        coding: PoseCoding,
        options: TemplateOptions,
        told: Callable[[], Float[Tensor, "k 2"]],
    ) -> None:
        self.generator, self.coding, self.options, self.told = generator, coding, options, told

    @property
    def weight(self) -> float:
        """Of what the template tells."""
        return self.options.weight

    def condition(self, poses: Float[Tensor, "n c"]) -> Float[Tensor, "n d"]:
        """What an image of a known pose is judged under."""
        return coded(poses[:, :2].detach(), self.coding)

    def of_photos(self, numbers: Tensor, chance: Chance) -> Float[Tensor, "n 2"]:
        """Poses of photos, anywhere between those that the template tells apart."""
        poses = self.told()[numbers]
        reach = self.generator.config.pose.reach
        steps = poses.new_tensor([2 * math.pi / self.options.yaws, 2 * reach / self.options.elevations])
        return poses + (chance.uniform(*poses.shape) - 0.5) * steps

    def condition_of_photos(self, poses: Float[Tensor, "n 2"], told: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """What photos are judged under: their poses, or the opposite ones where the discriminator tells rather these.

        Args:
            poses: as the template tells them.
            told: by the discriminator.
        """
        here = self.condition(poses)
        if not self.options.half_turn:
            return here
        there = self.condition(opposite(poses))
        nearer = (told - here).square().sum(dim=1, keepdim=True) <= (told - there).square().sum(dim=1, keepdim=True)
        return torch.where(nearer, here, there)

    def unlike(self, chance: Chance) -> Float[Tensor, ""]:
        """How far the poses that are chosen are, as a distribution, from those of the photos."""
        mapping, count = self.generator.backbone.mapping, len(self.told())
        with torch.no_grad():
            w = mapping(chance.normal(COMPARED, self.generator.config.network.z_dim))
        known = self.of_photos((chance.uniform(COMPARED) * count).long(), chance)
        if self.options.half_turn:
            known = torch.where(chance.uniform(COMPARED, 1) < 0.5, known, opposite(known))
        return energy_distance(*(coded(each, self.coding) for each in (mapping.pose(w)[:, :2], known)))
