"""Diffusion priors: what pictures look like in general, as a guide for what cannot be seen."""

from __future__ import annotations

from .distillation import Distilled, GuidanceOptions, guided_noise, score_distillation
from .prior import DiffusionPrior, Embeddings, LatentPrior, ViewPrior, add_noise

__all__ = [
    "DiffusionPrior",
    "Distilled",
    "Embeddings",
    "GuidanceOptions",
    "LatentPrior",
    "ViewPrior",
    "add_noise",
    "guided_noise",
    "score_distillation",
]
