"""Training of NeRF's two networks on a scene (Mildenhall et al. 2020, section 5.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from ...training import Cosine, Optimizer, Phase
from .losses import psnr_of, truth_over, two_pass_loss
from .model import NerfNet, NerfRenderer
from .ray_bank import RayBatch
from .scene_task import SceneTask

FASTEST = 5e-4  # learning rate of the paper, above which these networks diverge


class FrequencyTask(SceneTask[NerfNet]):
    """Loss and rate of both networks."""

    def phases(self) -> list[Phase]:
        """One phase over both networks."""
        optimizer = Optimizer(name="adam", rate=min(self.settings.rate, FASTEST), fused=True)
        schedule = Cosine(self.steps, warmup=min(100, self.steps - 1), floor=self.settings.floor)
        return [Phase("scene", self.module.parameters, self._loss, optimizer=optimizer, schedule=schedule)]

    def _loss(self, batch: RayBatch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        del step
        seen = self.net.render(batch.origins, batch.directions, generator=generator)
        loss, error = two_pass_loss(seen, truth_over(batch, float(self.net.config.sampling.white)))
        return loss, {"psnr": psnr_of(error)}

    def seen(self, net: NerfNet, origins: Tensor, directions: Tensor) -> tuple[Tensor, float]:
        """See `SceneTask.seen`."""
        renderer = NerfRenderer(net)
        rays = zip(origins.split(1024), directions.split(1024), strict=True)
        return torch.cat([renderer(*some).rgb for some in rays]), float(net.config.sampling.white)
