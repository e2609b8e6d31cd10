"""The endless order in which a training sees its pictures: shuffled once, then by exchanges with what lately came."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def half_window_order(
    size: int, *, seed: int = 0, rank: int = 0, replicas: int = 1, window: float = 0.5, skip: int = 0
) -> Iterator[int]:
    """Numbers of pictures, without end; of several processes each gets every `replicas`-th.

    After each one its place is exchanged with one of the last `window` of the set, so that every picture comes again
    within a pass or two.

    Args:
        size: pictures of the set.
        window: share of the set among which places are exchanged; 0 leaves the first order as it is.
        skip: numbers of this process that were given out before, as when a training goes on.

    Raises:
        ValueError: the set is empty, or there is no process of this rank.
    """
    if size < 1 or not 0 <= rank < replicas:
        raise ValueError(f"no order of {size} pictures for process {rank} of {replicas}")
    order, random = np.arange(size), np.random.RandomState(seed)
    places = 0
    if window > 0:
        random.shuffle(order)
        places = int(np.rint(size * window))
    step = given = 0
    while True:
        place = step % size
        if step % replicas == rank:
            if given >= skip:
                yield int(order[place])
            given += 1
        if places >= 2:
            other = (place - random.randint(places)) % size
            order[place], order[other] = order[other], order[place]
        step += 1
