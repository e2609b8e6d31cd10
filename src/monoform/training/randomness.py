"""Every draw of a training is seeded by what it is for: nothing about chance has to be kept to resume exactly."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_for(*purpose: int | str) -> int:
    """A seed of 63 bits that depends on every word of its purpose, the same on every machine."""
    digest = hashlib.blake2b(repr(purpose).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_globals(seed: int, device: torch.device) -> None:
    """Seed the generators that layers such as dropout draw from: torch's on `device`, numpy's and Python's."""
    # Not torch.manual_seed: where CUDA is not in use that formats a stack trace at each call.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002  other people's layers may draw from it
    random.seed(seed)


@contextmanager
def kept_globals(device: torch.device) -> Iterator[None]:
    """Put the global generators back to where they were before the block."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    on_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        random.setstate(states[2])
        if on_device is not None:
            torch.cuda.set_rng_state(on_device, device)
