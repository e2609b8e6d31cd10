"""Data and validation of a scene's training, of whichever network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from ...devices import device_of
from ...metrics import psnr
from ...training.identity import Value
from .config import SceneTraining
from .losses import truth_over
from .ray_bank import RayBank, RayBatch

PICTURE = 96  # pixels of the longer side of what is shown while it trains
Net = TypeVar("Net", bound=nn.Module)


class SceneTask(ABC, Generic[Net]):
    """A scene for the training loop, but for its phases.

    Args:
        net: what is trained.
        bank: pixels to learn from.
        settings: sizes of a step.
        steps: of the whole training.
        held_out: pixels to judge by, None for none.
    """

    def __init__(
        self, net: Net, bank: RayBank, settings: SceneTraining, *, steps: int, held_out: RayBank | None = None
    ) -> None:
        self.module: nn.Module = net
        self.net, self.bank, self.held_out, self.settings, self.steps = net, bank, held_out, settings, steps

    def identity(self) -> dict[str, Value]:
        """The photos: their mean color, and how the places that they were taken from lie to each other."""
        places = self.bank.places().double()
        places = (places - places.mean(0)) / places.std(unbiased=False).clamp_min(1e-9)
        color = self.bank.pixels.sum(0, dtype=torch.int64).double() / (255.0 * len(self.bank))
        return {"photos": (*color.tolist(), *places.flatten().tolist())}

    def batch(self, step: int, generator: torch.Generator) -> RayBatch:
        """Random pixels of random photos; more than a step uses once a hash scene is mostly empty."""
        del step
        return self.bank.draw(self.settings.rays, generator)

    @abstractmethod
    def seen(self, net: Net, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor | float]:
        """Colors of rays on the scene's background, and that background."""

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """PSNR over the same random pixels of the held-out photos at each step."""
        del step
        if self.held_out is None:
            return {}
        assert isinstance(module, type(self.net))
        place = next(module.parameters()).device
        batch = self.held_out.draw(self.settings.validation_rays, torch.Generator().manual_seed(0))
        with torch.no_grad():
            rgb, behind = self.seen(module, batch.origins.to(place), batch.directions.to(place))
        behind = behind.cpu() if isinstance(behind, Tensor) else behind
        return {"psnr": psnr(rgb.cpu().clamp(0.0, 1.0), truth_over(batch, behind))}

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        """The scene from the place of a photo, of one that was held out where there is one."""
        assert isinstance(module, type(self.net))
        camera = (self.held_out or self.bank).cameras[0]
        share = min(1.0, PICTURE / max(camera.width, camera.height))
        small = camera.resized(max(1, round(share * camera.width)), max(1, round(share * camera.height)))
        rgb, _ = self.seen(module, *(rays[0] for rays in small.to(device_of(module)).rays()))
        return {"view": rgb.reshape(small.height, small.width, 3)}
