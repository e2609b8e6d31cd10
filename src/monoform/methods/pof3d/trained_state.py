"""All that a training of PoF3D remembers from step to step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...nn.stylegan2.augment import UNTURNED, AugmentPipe
from .geod import GeodTerm
from .networks import Pof3dNetworks
from .training_config import Pof3dTraining


class TrainedState(nn.Module):
    """All that a training remembers: the networks, the augmentation's strength and what moves it, counters.

    Attributes:
        signs: sum of mean signs of scores of real images since the augmentation's last change, and how many.
        lost: updates of which numbers were not finite, and counted as 0.
        best: the least of the metric so far.
        told: poses of all photos as a template tells them, (yaw, elevation parameter); None without a template.
    """

    signs: Tensor
    lost: Tensor
    best: Tensor

    def __init__(self, networks: Pof3dNetworks, settings: Pof3dTraining, photos: int = 0) -> None:
        super().__init__()
        self.networks = networks
        self.augment = None if settings.augment == "none" else AugmentPipe(UNTURNED, settings.augment_strength)
        self.geod = GeodTerm(settings.geod) if settings.geod.weight > 0 else None
        self.told: Tensor | None
        self.register_buffer("told", torch.zeros(photos, 2) if settings.template.weight > 0 else None)
        self.register_buffer("signs", torch.zeros(2, dtype=torch.float64))
        self.register_buffer("lost", torch.zeros((), dtype=torch.int64))
        self.register_buffer("best", torch.tensor(torch.finfo(torch.float32).max))
