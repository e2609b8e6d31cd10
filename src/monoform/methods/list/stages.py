"""The two stages of LIST's training as tasks for the training loop (Arshad and Beksi 2023, section 3.5)."""

from __future__ import annotations

from ...training import Optimiser


def published_optimiser() -> Optimiser:
    """Adam with the published rate and decay, the decay added to the gradient."""
    return Optimiser(name="adam", rate=1e-4, betas=(0.9, 0.999), weight_decay=1e-5)
