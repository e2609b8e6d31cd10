"""What can be trained: what the installed methods declare, the house's mask network, words for diffusion models."""

from __future__ import annotations

from ..methods import declared
from ..training import Training


def trainings() -> dict[str, Training]:
    """All trainings by the names that `monoform train` calls them."""
    from ..guidance.textual.train import TRAINING as EMBEDDING
    from ..matting.train import TRAINING as MATTING

    own = [each for several in declared(lambda method: method.trainings()).values() for each in several]
    found = [EMBEDDING, MATTING, *own]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}
