"""The batches of each step, made in time."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import torch

from ..devices import to_device
from .options import TrainOptions
from .phase import NumberedTask, Task
from .randomness import seed_for

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Batches = list[tuple[int, Any]]


class BatchPrefetcher:
    """Numbered micro-batches of this process for each step.

    Micro-batch i of process r of w is shard i w + r of the step, and its generator is seeded by the shard: the same
    number of shards gives the same data, however they are spread over micro-batches and processes.
    """

    def __init__(self, task: Task, fabric: Fabric, options: TrainOptions) -> None:
        self.task = task
        self.fabric = fabric
        self.options = options
        self._worker = ThreadPoolExecutor(1, "batches") if options.prefetch else None
        self._ahead: tuple[int, Future[Batches]] | None = None

    def batches(self, step: int, following: int | None) -> Batches:
        """The batches of `step`, on the device; begin with those of `following` meanwhile."""
        ahead, self._ahead = self._ahead, None
        made = ahead[1].result() if ahead is not None and ahead[0] == step else self._make(step)
        if self._worker is not None and following is not None:
            self._ahead = following, self._worker.submit(self._make, following)
        return [(shard, to_device(batch, self.fabric.device)) for shard, batch in made]

    def close(self) -> None:
        """End the thread."""
        if self._worker is not None:
            self._worker.shutdown(cancel_futures=True)

    def _make(self, step: int) -> Batches:
        made = []
        for micro in range(self.options.accumulate):
            shard = micro * self.fabric.world_size + self.fabric.global_rank
            generator = torch.Generator().manual_seed(seed_for(self.options.seed, step, shard, "batch"))
            made.append((shard, self._batch(step, shard, generator)))
        return made

    def _batch(self, step: int, shard: int, generator: torch.Generator) -> Any:
        if isinstance(self.task, NumberedTask):
            shards = self.options.accumulate * self.fabric.world_size
            return self.task.numbered_batch(step * shards + shard, generator)
        return self.task.batch(step, generator)
