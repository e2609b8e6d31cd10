"""Training of a scene on a hash grid (Instant NGP, section 4 and appendix E)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...metrics import psnr
from ...training import Cosine, Optimizer, Phase
from .config import SceneTraining
from .hash_model import HashScene
from .hash_render import HashRenderer, render_samples, samples_within, step_length
from .ray_bank import RayBank, RayBatch

BETAS, EPSILON = (0.9, 0.99), 1e-15
GAIN_RATE = 3e-3  # of the logarithms of the photos' gains
NARROW = 1e-5  # coverage this near to 0 or 1 is as good as that


class HashTask:
    """Data and loss of a scene for the training loop.

    Args:
        module: the scene.
        bank: pixels to learn from.
        held_out: pixels to judge by, None for none.
        settings: sizes of a step.
        steps: of the whole training.
    """

    def __init__(
        self, module: HashScene, bank: RayBank, settings: SceneTraining, *, steps: int, held_out: RayBank | None = None
    ) -> None:
        self.module: nn.Module = module
        self.net, self.bank, self.held_out, self.settings, self.steps = module, bank, held_out, settings, steps

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

    def batch(self, step: int, generator: torch.Generator) -> RayBatch:
        """Random pixels of random photos; more than a step uses once the scene is mostly empty."""
        del step
        return self.bank.draw(self.settings.rays, generator)

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
        origins, directions = origins[:used], directions[:used]
        behind = self._behind(directions, generator)
        seen = render_samples(net, origins, directions, samples, step=length, background=behind)
        truth, alpha = batch.rgb[:used], batch.alpha[:used, None]
        truth = truth * alpha + (1.0 - alpha) * behind.detach()
        rgb = seen.rgb if net.gains is None else seen.rgb * net.gain(batch.view[:used])
        error = (rgb - truth).square().mean()
        loss = error
        if settings.opacity_entropy_weight:
            cover = seen.alpha.clamp(NARROW, 1.0 - NARROW)
            loss = (
                loss
                - settings.opacity_entropy_weight * (cover * cover.log() + (1.0 - cover) * (1.0 - cover).log()).mean()
            )
        measures = {
            "psnr": -10.0 * torch.log10(error.detach()),
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

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """PSNR over the same random pixels of the held-out photos at each step."""
        del step
        if self.held_out is None:
            return {}
        assert isinstance(module, HashScene)
        place = next(module.parameters()).device
        batch = self.held_out.draw(self.settings.validation_rays, torch.Generator().manual_seed(0))
        directions = batch.directions.to(place)
        with torch.no_grad():
            seen = HashRenderer(module)(batch.origins.to(place), directions).rgb.cpu()
            behind = module.background(directions).cpu()
        truth = batch.rgb * batch.alpha[:, None] + (1.0 - batch.alpha[:, None]) * behind
        return {"psnr": psnr(seen.clamp(0.0, 1.0), truth)}
