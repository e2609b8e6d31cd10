"""What can be trained: whatever the installed methods declare, and the house's own mask network."""

from __future__ import annotations

from ..methods import every_method
from ..training import Training


def trainings() -> dict[str, Training]:
    """All trainings by the names that `monoform train` calls them."""
    from ..matting.train import TRAINING

    declared = [TRAINING, *(method.training() for method in every_method().values())]
    return {each.name: each for each in sorted(filter(None, declared), key=lambda each: each.name)}
