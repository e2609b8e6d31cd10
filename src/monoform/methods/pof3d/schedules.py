"""What changes while PoF3D trains, as functions of the images seen so far: a resumed training meets the same."""

from __future__ import annotations


def blur_sigma(images: float, *, start: float, fade: float) -> float:
    """Of the blur on all that the discriminator sees: falls linearly to 0.

    Args:
        images: seen so far.
        start: in the beginning, in pixels.
        fade: images until it is 0; 0 for none at all.
    """
    return max(1 - images / fade, 0.0) * start if fade > 0 else 0.0


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


def adapted_strength(strength: float, signs: float, *, target: float, images: float, span: float) -> float:
    """Strength of the augmentation, moved by how sure the discriminator is of what is real (Karras et al. 2020, ADA).

    Args:
        signs: mean sign of its scores of real images since the last change.
        target: what this should be.
        images: seen since the last change.
        span: images in which the strength may go from 0 to 1.
    """
    step = (signs > target) - (signs < target)
    return max(strength + step * images / span, 0.0)
