"""Distance of two distributions of camera poses, each given by samples of azimuth and elevation.

A generator that learns poses alone knows the world only up to a turn about the vertical, and perhaps a reflection:
`best_alignment` finds the one that brings its azimuths closest to the true ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # whose parts load when they are used
from jaxtyping import Float

from ..errors import InputError
from .arrays import Array, as_array

TURN = 2 * np.pi
BINS, SMALLEST = 36, 1e-6
_TRIALS = 180
_EVEN = 720  # azimuths that stand for a uniform distribution


def circular_wasserstein(first: Float[Array, " m"], second: Float[Array, " n"]) -> float:
    """Wasserstein-1 distance on the circle, in radians: the least mean angle by which one becomes the other.

    The integral around the circle of |F - G - c| with the best c, which is a median of F - G (Rabin et al. 2011).

    Raises:
        InputError: there are no angles.
    """
    apart, lengths = _apart(_angles(first), _angles(second), 0.0, TURN)
    order = np.argsort(apart, kind="stable")
    middle = order[np.searchsorted(np.cumsum(lengths[order]), TURN / 2)]
    return float((np.abs(apart - apart[middle]) * lengths).sum())


def _wasserstein(x: np.ndarray, y: np.ndarray) -> float:
    """Wasserstein-1 distance on the line."""
    ends = np.concatenate((x, y))
    apart, lengths = _apart(x, y, float(ends.min()), float(ends.max()))
    return float((np.abs(apart) * lengths).sum())


def _apart(x: np.ndarray, y: np.ndarray, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """The difference of the two cumulative distributions, constant on intervals of low..high, and their lengths."""
    places = np.sort(np.concatenate((x, y, [low])))
    below = [np.searchsorted(np.sort(values), places, side="right") / len(values) for values in (x, y)]
    return below[0] - below[1], np.diff(np.append(places, high))


@dataclass(frozen=True)
class Alignment:
    """How generated azimuths are brought to the true world's.

    Attributes:
        offset: radians that are added, -pi..pi.
        reflected: whether they are negated first.
    """

    offset: float = 0.0
    reflected: bool = False

    def __call__(self, azimuth: Float[Array, " n"]) -> Float[np.ndarray, " n"]:
        """The azimuths in the true world, 0..2 pi."""
        values = as_array(azimuth)
        return ((-values if self.reflected else values) + self.offset) % TURN


def best_alignment(
    true: Float[Array, " m"], generated: Float[Array, " n"], *, reflect: bool = False
) -> tuple[Alignment, float]:
    """The turn, and the reflection where that is allowed, of least circular distance; and that distance.

    Of a reflection that is no better, none is made.
    """
    found = [_best_offset(true, generated, reflected) for reflected in ((False, True) if reflect else (False,))]
    return min(found, key=lambda each: each[1])


def _best_offset(true: Array, generated: Array, reflected: bool) -> tuple[Alignment, float]:
    def distance(offset: float) -> float:
        return circular_wasserstein(true, Alignment(float(offset), reflected)(generated))

    step = TURN / _TRIALS
    trials = np.arange(_TRIALS) * step
    near = float(trials[int(np.argmin([distance(offset) for offset in trials]))])
    finer = scipy.optimize.minimize_scalar(
        distance, bounds=(near - step, near + step), method="bounded", options={"xatol": 1e-6}
    )
    best = min((near, float(finer.x)), key=distance)
    return Alignment((best + np.pi) % TURN - np.pi, reflected), distance(best)


def divergence(
    true: Float[Array, " m"],
    generated: Float[Array, " n"],
    *,
    low: float,
    high: float,
    bins: int = BINS,
    smallest: float = SMALLEST,
) -> float:
    """Kullback-Leibler divergence of the generated histogram from the true one, in nats: sum p log(p / q), p true.

    Args:
        low: where the first bin begins; what lies below counts in it.
        high: where the last bin ends; what lies above counts in it.
        smallest: what each bin's share is raised to before shares are brought to sum 1. A generator that never shows
            what the data do is charged up to log(1 / smallest), so that figures compare only for the same value.

    Raises:
        InputError: there are no angles.
    """
    edges = np.linspace(low, high, bins + 1)
    shares = []
    for angles in (true, generated):
        values = as_array(angles)
        if not len(values):
            raise InputError("A distribution of no poses; at least one is needed.")
        counts = np.histogram(values.clip(low, high), edges)[0]
        share = np.maximum(counts / len(values), smallest)
        shares.append(share / share.sum())
    return float((shares[0] * np.log(shares[0] / shares[1])).sum())


def pose_distances(
    true: Float[Array, "m 2"], generated: Float[Array, "n 2"], *, align: bool = True, reflect: bool = False
) -> dict[str, float]:
    """All distances of two sets of poses, (azimuth, elevation) in radians.

    Args:
        align: compare after the best turn about the vertical.
        reflect: allow a reflection besides.

    Returns:
        `azimuth_kl`, `elevation_kl` in nats, the measure of TeFF (Chen et al. 2024) with bins of 10 degrees (the paper
        does not tell its own); `azimuth_w1`, `elevation_w1` in degrees; `azimuth_offset` in degrees and `reflected`, 0
        or 1, where `align`.

    Raises:
        InputError: a set is empty, or a pose is not finite.
    """
    x, y = as_array(true), as_array(generated)
    for values in (x, y):
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values).all(axis=1)).sum())
            raise InputError(f"{bad} of {len(values)} poses are not finite; leave them out, and say how many.")
    alignment = best_alignment(x[:, 0], y[:, 0], reflect=reflect)[0] if align else Alignment()
    azimuths = x[:, 0] % TURN, alignment(y[:, 0])
    quarter = np.pi / 2
    found = {
        "azimuth_kl": divergence(*azimuths, low=0.0, high=TURN),
        "elevation_kl": divergence(x[:, 1], y[:, 1], low=-quarter, high=quarter, bins=BINS // 2),
        "azimuth_w1": float(np.degrees(circular_wasserstein(*azimuths))),
        "elevation_w1": float(np.degrees(_wasserstein(x[:, 1], y[:, 1]))),
    }
    if align:
        found |= {"azimuth_offset": float(np.degrees(alignment.offset)), "reflected": float(alignment.reflected)}
    return found


def plain_distances(true: Float[Array, " n"], *, low: float, high: float) -> dict[str, float]:
    """How near azimuths come that know nothing: circular Wasserstein-1 distances in degrees, each after its best turn.

    Args:
        true: radians.
        low: radians where the true azimuths begin, known beforehand.
        high: where they end.

    Returns:
        `point_w1` of one azimuth for all (the mean distance from the circular median), `around_w1` of azimuths uniform
        on the circle, `between_w1` of azimuths uniform from `low` to `high`.

    Raises:
        InputError: there are no angles.
    """
    spread = (np.arange(_EVEN) + 0.5) / _EVEN
    plain = {"point": np.zeros(1), "around": spread * TURN, "between": low + spread * (high - low)}
    return {f"{name}_w1": float(np.degrees(best_alignment(true, each)[1])) for name, each in plain.items()}


def pose_errors(true: Float[Array, "n 2"], told: Float[Array, "n 2"], *, reflect: bool = False) -> dict[str, float]:
    """Errors of poses that were told one by one, after the one turn (and reflection) that suits all of them best.

    Returns:
        `told_azimuth_error`, `told_elevation_error`: medians in degrees.
    """
    x, y = as_array(true), as_array(told)
    trials = []
    for reflected in (False, True) if reflect else (False,):
        apart = x[:, 0] - (-y[:, 0] if reflected else y[:, 0])
        # The circular mean is a start that outliers move; of all differences the one that is the median's is the best.
        offsets = np.append(apart, np.arctan2(np.sin(apart).mean(), np.cos(apart).mean()))
        draws = offsets if len(offsets) <= 400 else np.append(offsets[:: len(offsets) // 400], offsets[-1])
        errors = np.abs((apart[None] - draws[:, None] + np.pi) % TURN - np.pi)
        trials.append(np.median(errors, axis=1).min())
    return {
        "told_azimuth_error": float(np.degrees(min(trials))),
        "told_elevation_error": float(np.degrees(np.median(np.abs(x[:, 1] - y[:, 1])))),
    }


def circular_correlation(first: Float[Array, " n"], second: Float[Array, " n"]) -> float:
    """Whether two angles of each thing go together, -1..1 (Jammalamadaka and SenGupta 2001, section 8.2).

    It does not change when either is turned; a reflection changes its sign.

    Args:
        first: radians.
        second: radians.
    """
    x, y = (np.sin(values - np.angle(np.exp(1j * values).mean())) for values in (as_array(first), as_array(second)))
    return float((x * y).sum() / max(np.sqrt((x**2).sum() * (y**2).sum()), 1e-12))


def _angles(values: Array) -> np.ndarray:
    found = as_array(values) % TURN
    if not len(found):
        raise InputError("A distribution of no poses; at least one is needed.")
    return found
