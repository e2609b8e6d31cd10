"""Metrics of the steps, kept on their device until a line of the log is due."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .optimizer_step import diverged


class MetricAccumulator:
    """Sums of metrics since the last line of the log."""

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.counts: dict[str, int] = {}
        self._unread: list[tuple[str, int, dict[str, Tensor]]] = []

    def add(self, phase: str, step: int, metrics: dict[str, Tensor]) -> None:
        """Note the metrics of a step; they stay on their device until they are read."""
        self._unread.append((phase, step, metrics))

    def read(self, *, check: bool) -> None:
        """Bring everything noted since the last call into the sums.

        Raises:
            Diverged: `check` is set and a loss is not finite.
        """
        waiting, self._unread = self._unread, []
        if not waiting:
            return
        values = torch.stack([_wide(value) for *_, metrics in waiting for value in metrics.values()]).tolist()
        position = 0
        for phase, step, metrics in waiting:
            for name in metrics:
                value = values[position]
                position += 1
                if check and name in ("loss", "gradient") and not math.isfinite(value):
                    raise diverged(phase, step, float(metrics["loss"]))
                if math.isfinite(value):
                    key = f"{phase}/{name}"
                    self.sums[key] = self.sums.get(key, 0.0) + value
                    self.counts[key] = self.counts.get(key, 0) + 1

    def means(self) -> dict[str, float]:
        """The averages of what was read, and begin anew."""
        means = {key: total / self.counts[key] for key, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means


def _wide(value: Tensor) -> Tensor:
    """Double precision where the device has it."""
    return value.double() if value.device.type == "cpu" else value.float()
