"""What can be trained: whatever the installed methods declare, and the house's own mask network."""

from __future__ import annotations

from ..methods import declared
from ..training import Training


def trainings() -> dict[str, Training]:
    """All trainings by the names that `monoform train` calls them."""
    from ..matting.train import TRAINING

    found = [TRAINING, *(each for own in declared(lambda method: method.trainings()).values() for each in own)]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}
