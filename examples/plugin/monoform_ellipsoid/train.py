"""How the network is trained: its ellipses are to cover the masks, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from monoform.training import LoopSettings, Optimizer, Phase, Training, TrainOptions, TrainResult, publish, train

from .masks import photos_in, square_in
from .model import EllipsoidConfig, EllipsoidNet, drawn

CARD = """# ellipsoid

Half axes of a mask, trained for {steps} steps on {count} photos. License: that of the photos.
"""


@dataclass(frozen=True)
class EllipsoidTraining(LoopSettings):
    """How the network is trained: the loop's own options come with `LoopSettings`, some with defaults of ours.

    Attributes:
        batch: masks in a step.
        rate: learning rate.
        width: channels of the network.
    """

    ema_decay: float | None = None
    evaluate_every: int = 100
    batch: int = 8
    rate: float = 3e-3
    width: int = 8


class EllipsoidTask:
    """Data and loss for the loop; every eighth photo is for the evaluation alone."""

    def __init__(self, net: EllipsoidNet, masks: Float[Tensor, "n s s"], settings: EllipsoidTraining) -> None:
        self.module: nn.Module = net
        self.settings = settings
        held = torch.arange(len(masks)) % 8 == 7
        self.masks, self.held = masks[~held], masks[held] if held.any() else masks

    def phases(self) -> list[Phase]:
        """One phase over all parameters."""
        return [Phase("fit", self.module.parameters, self._loss, optimizer=Optimizer("adam", self.settings.rate))]

    def batch(self, step: int, generator: torch.Generator) -> Float[Tensor, "b s s"]:
        """Random masks, some of them mirrored."""
        del step
        chosen = self.masks[torch.randint(len(self.masks), (self.settings.batch,), generator=generator)]
        mirrored = torch.rand(len(chosen), 1, 1, generator=generator) < 0.5
        return torch.where(mirrored, chosen.flip(-1), chosen)

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """Mean IoU of masks that were not trained on."""
        del step
        with torch.no_grad():
            return {"iou": float(overlaps(module, self.held).mean())}

    def pictures(self, module: nn.Module) -> Mapping[str, Float[Tensor, "h w 3"]]:
        """A mask, and its ellipse beside it."""
        seen = self.held[:1].to(next(module.parameters()).device)
        both = torch.cat((seen, drawn(module(seen), seen.shape[-1])), dim=2)[0]
        return {"ellipse": both[..., None].expand(-1, -1, 3)}

    def _loss(
        self, masks: Float[Tensor, "b s s"], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step, generator
        return (drawn(self.module(masks), masks.shape[-1]) - masks).square().mean(), {}


def overlaps(net: nn.Module, masks: Float[Tensor, "n s s"]) -> Float[Tensor, " n"]:
    """IoU of each mask and its ellipse."""
    masks = masks.to(next(net.parameters()).device)
    found, true = drawn(net(masks), masks.shape[-1]) > 0.5, masks > 0.5
    return (found & true).sum((1, 2)) / (found | true).sum((1, 2)).clamp_min(1)


def train_ellipsoid(data: Path, out: Path, options: TrainOptions, settings: EllipsoidTraining) -> TrainResult:
    """Train on a folder of photos; write `out`/weights.

    Raises:
        InputError: the folder holds no photos with masks.
    """
    torch.manual_seed(options.seed)
    net = EllipsoidNet(EllipsoidConfig(width=settings.width))
    files = photos_in(data)
    masks = torch.stack([square_in(file, net.config.size) for file in files])
    result = train(EllipsoidTask(net, masks, settings), out, options=options)
    publish(net, net.config, result, out / "weights", card=CARD.format(steps=result.step, count=len(files)))
    return result


TRAINING = Training("ellipsoid", "the ellipse of a mask", EllipsoidTraining, train_ellipsoid, steps=300)
