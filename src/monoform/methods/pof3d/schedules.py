"""What changes while PoF3D trains, as functions of the images seen so far: a resumed training meets the same."""

from __future__ import annotations


def rendering_resolution(images: float, *, start: int, end: int | None, fade: float) -> int:
    """Pixels along a side of what is rendered: goes linearly from `start` to `end`.

    Args:
        images: seen so far.
        end: None to stay at `start`.
        fade: images until `end` is reached; 0 for at once.
    """
    if end is None:
        return start
    share = min(images / fade, 1.0) if fade > 0 else 1.0
    return round(start * (1 - share) + end * share)


def lazy(rate: float, betas: tuple[float, float], interval: int) -> tuple[float, tuple[float, float]]:
    """Rate and decays of Adam where a regularisation is an update of its own every `interval` steps.

    There are interval + 1 updates in as many steps as should count as `interval`: the rate is scaled by
    interval / (interval + 1) and the decays are raised to its power (Karras et al. 2020, appendix B).

    Args:
        interval: 0 where there is no regularisation.
    """
    if interval <= 0:
        return rate, betas
    ratio = interval / (interval + 1)
    return rate * ratio, (betas[0] ** ratio, betas[1] ** ratio)
