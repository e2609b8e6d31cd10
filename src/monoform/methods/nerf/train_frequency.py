"""Training of NeRF's two networks on a scene (Mildenhall et al. 2020, section 5.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...metrics import psnr
from ...training import Cosine, Optimizer, Phase
from .config import SceneTraining
from .model import NerfNet, NerfRenderer
from .ray_bank import RayBank, RayBatch

FASTEST = 5e-4  # learning rate of the paper, above which these networks diverge


class FrequencyTask:
    """Data and loss of a scene for the training loop.

    Args:
        module: both networks.
        bank: pixels to learn from.
        held_out: pixels to judge by, None for none.
        settings: sizes of a step.
        steps: of the whole training.
    """

    def __init__(
        self, module: NerfNet, bank: RayBank, settings: SceneTraining, *, steps: int, held_out: RayBank | None = None
    ) -> None:
        self.module: nn.Module = module
        self.net, self.bank, self.held_out, self.settings, self.steps = module, bank, held_out, settings, steps

    def phases(self) -> list[Phase]:
        """One phase over both networks."""
        optimizer = Optimizer(name="adam", rate=min(self.settings.rate, FASTEST), fused=True)
        schedule = Cosine(self.steps, warmup=min(100, self.steps - 1), floor=self.settings.floor)
        return [Phase("scene", self.module.parameters, self._loss, optimizer=optimizer, schedule=schedule)]

    def batch(self, step: int, generator: torch.Generator) -> RayBatch:
        """Random pixels of random photos."""
        del step
        return self.bank.draw(self.settings.rays, generator)

    def _loss(self, batch: RayBatch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        del step
        seen = self.net.render(batch.origins, batch.directions, generator=generator)
        truth = batch.rgb * batch.alpha[:, None] + (1.0 - batch.alpha[:, None]) * float(self.net.config.sampling.white)
        loss = error = (seen.best.rgb - truth).square().mean()
        if seen.fine is not None:
            loss = error + (seen.coarse.rgb - truth).square().mean()
        return loss, {"psnr": -10.0 * torch.log10(error.detach())}

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """PSNR over the same random pixels of the held-out photos at each step."""
        del step
        if self.held_out is None:
            return {}
        assert isinstance(module, NerfNet)
        place = next(module.parameters()).device
        batch = self.held_out.draw(self.settings.validation_rays, torch.Generator().manual_seed(0))
        renderer, parts = NerfRenderer(module), []
        with torch.no_grad():
            for origins, directions in zip(batch.origins.split(1024), batch.directions.split(1024), strict=True):
                parts.append(renderer(origins.to(place), directions.to(place)).rgb.cpu())
        truth = batch.rgb * batch.alpha[:, None] + (1.0 - batch.alpha[:, None]) * float(module.config.sampling.white)
        return {"psnr": psnr(torch.cat(parts).clamp(0.0, 1.0), truth)}
