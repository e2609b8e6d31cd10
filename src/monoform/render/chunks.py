"""Work cut into pieces that fit a memory budget."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import InputError

GIBIBYTE = 2**30
# What evaluating one point takes in a 512-wide network: input, two activations and their sum, in float32.
DEFAULT_BYTES_PER_POINT = 4 * 512 * 4


def rays_per_chunk(
    samples_per_ray: int, *, memory_bytes: int = GIBIBYTE, bytes_per_point: int = DEFAULT_BYTES_PER_POINT
) -> int:
    """How many rays can be rendered at once within `memory_bytes`; at least one."""
    if samples_per_ray < 1 or memory_bytes < 1 or bytes_per_point < 1:
        raise InputError(
            f"Chunk size needs positive numbers, not {samples_per_ray} samples, {memory_bytes} bytes of memory and "
            f"{bytes_per_point} bytes per point."
        )
    return max(1, memory_bytes // (samples_per_ray * bytes_per_point))


def slices(total: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` that cover range(total)."""
    return (slice(start, min(start + size, total)) for start in range(0, total, size))
