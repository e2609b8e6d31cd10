"""Which optimizer moves which part of a field, and how weights are averaged."""

from __future__ import annotations

from typing import Any

from ...training import Ema, EveryNth, Optimizer
from .fit_options import FitOptions
from .model import RealFusionField

GRID = 10.0  # how much faster the grid learns
ADAN = 5.0  # and all of it by adan
ADAN_CLIP, ADAN_DECAY = 5.0, 2e-5
BETAS, EPSILON = (0.9, 0.99), 1e-15


def optimizer_of(name: str, rate: float, weight_decay: float = 0.0) -> Optimizer:
    """The optimizer of that name, with the moments of the published code."""
    if name == "adan":
        return Optimizer("adan", rate, betas=(0.98, 0.92, 0.99), epsilon=1e-8, weight_decay=ADAN_DECAY)
    return Optimizer(name, rate, betas=BETAS, epsilon=EPSILON, weight_decay=weight_decay)


def clip_of(name: str) -> float | None:
    """Largest norm of a gradient; None for no limit."""
    return ADAN_CLIP if name == "adan" else None


def groups_of(field: RealFusionField, options: FitOptions) -> list[dict[str, Any]]:
    """Parameters and their rates."""
    rate = options.rate * (ADAN if options.optimizer == "adan" else 1.0)
    table = [field.encoder.embeddings]
    others = [one for name, one in field.named_parameters() if not name.startswith("encoder.")]
    return [{"params": table, "lr": GRID * rate}, {"params": others, "lr": rate}]


def published_decay(limit: float, number: int) -> float:
    """Decay of the averages at their update 0, 1, 2 ...: a shorter memory at first."""
    return min(limit, (2.0 + number) / (11.0 + number))


def averages_of(field: RealFusionField, options: FitOptions) -> Ema | None:
    """Averaged weights; None for none."""
    if options.ema_decay == 0.0:
        return None
    limit = options.ema_decay
    return Ema(field, EveryNth(options.ema_every, lambda number: published_decay(limit, number)))
