"""Training of a scene on a hash grid (Instant NGP, section 4 and appendix E)."""

from __future__ import annotations

import torch
from torch import Tensor

from ...training import Cosine, Optimizer, Phase
from .hash_model import HashScene
from .hash_render import HashRenderer, render_samples, samples_within, step_length
from .losses import opacity_entropy, psnr_of, truth_over
from .ray_bank import RayBatch
from .scene_task import SceneTask

BETAS, EPSILON = (0.9, 0.99), 1e-15
GAIN_RATE = 3e-3  # of the logarithms of the photos' gains


class HashTask(SceneTask[HashScene]):
    """Loss, rates and empty space of a hash grid."""

    def phases(self) -> list[Phase]:
        """One phase; the table learns faster than the networks."""
        settings = self.settings
        table = [self.net.encode.embeddings]
        named = [(name, one) for name, one in self.net.named_parameters() if not name.startswith("encode.")]
        groups = [{"params": table, "lr": settings.rate, "weight_decay": settings.decay}]
        groups += [{"params": [one for name, one in named if name != "gains"], "lr": settings.network_rate}]
        if self.net.gains is not None:
            groups += [{"params": [self.net.gains], "lr": GAIN_RATE}]
        optimizer = Optimizer(name="adamw", rate=settings.rate, betas=BETAS, epsilon=EPSILON, fused=True)
        schedule = Cosine(self.steps, warmup=min(20, self.steps - 1), floor=settings.floor)
        return [Phase("scene", groups, self._loss, optimizer=optimizer, schedule=schedule)]

    def before_step(self, step: int, generator: torch.Generator) -> None:
        """Bring the grid of occupied cells up to date now and then."""
        settings = self.settings
        if step < settings.warmup or step % settings.update_every:
            return
        share = 1.0 if step < settings.warmup + settings.update_every else settings.update_share
        self.net.occupancy.update(self.net.density, generator=generator, share=share)

    def _loss(self, batch: RayBatch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        net, settings = self.net, self.settings
        warming = step < settings.warmup
        # Longer steps while all is occupied.
        length = step_length(net) * (3.0 if warming else 1.0)
        origins, directions = net.to_grid(batch.origins), batch.directions
        shift = torch.rand(len(origins), generator=generator, device=generator.device)
        samples, used = samples_within(
            net, origins, directions, shift, step=length, most=settings.samples, through=warming
        )
        batch = batch.first(used)
        origins, directions = origins[:used], directions[:used]
        behind = self._behind(directions, generator)
        seen = render_samples(net, origins, directions, samples, step=length, background=behind)
        rgb = seen.rgb if net.gains is None else seen.rgb * net.gain(batch.view)
        error = (rgb - truth_over(batch, behind.detach())).square().mean()
        loss = error
        if settings.opacity_entropy_weight:
            loss = loss + settings.opacity_entropy_weight * opacity_entropy(seen.alpha)
        measures = {
            "psnr": psnr_of(error),
            "rays": torch.tensor(float(used)),
            "samples": torch.tensor(float(len(samples.ray))),
            "occupied": net.occupancy.occupied.float().mean(),
        }
        return loss, measures

    def _behind(self, directions: Tensor, generator: torch.Generator) -> Tensor:
        """The background; of photos with alpha a new colour for each ray, which nothing in the scene can imitate."""
        if not self.bank.transparent:
            return self.net.background(directions)
        return torch.rand(directions.shape, generator=generator, device=generator.device).to(directions)

    def seen(self, net: HashScene, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        """See `SceneTask.seen`."""
        return HashRenderer(net)(origins, directions).rgb, net.background(directions)
