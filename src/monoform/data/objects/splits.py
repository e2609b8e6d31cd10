"""Which objects are for validation, and which must not be trained on because they are too like those."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from jaxtyping import Float

from ...errors import InputError
from ...mesh.solid.alignment import Shape, aligned_chamfer, shape_descriptor

SCAN_PREFIXES = ("gso_", "vgso_", "ycb_")
SCANS, OTHERS = 12, 48
NEAR = 0.02  # Chamfer-L1 in a frame where objects have radius 0.5
_SPACING = 0.0022  # what the spacing of 8,192 points over an area of 3 adds to a distance of NEAR
# Shapes whose descriptors differ more are not aligned at all: in the mean of the quantiles, and in any semi-axis.
_ALIKE, _ALIKE_AXES = 0.07, 0.13
_MOST_LIKE = 12  # an object with more near-duplicates than this costs too much training data to validate on
_LISTS = "monoform.data.objects"


@dataclass(frozen=True)
class Candidate:
    """One object that may be chosen.

    Attributes:
        name: of the object.
        category: of the object.
    """

    name: str
    category: str


class Likeness:
    """Which of many shapes are near-duplicates: aligned Chamfer distance below `NEAR`.

    Args:
        surfaces: for each name, points uniform on the surface, object radius 0.5; 8,000 or more are asked for.
    """

    def __init__(self, surfaces: Mapping[str, Float[np.ndarray, "n 3"]]) -> None:
        self.names = list(surfaces)
        self._shapes = {name: Shape(points) for name, points in surfaces.items()}
        self._descriptors = np.stack([shape_descriptor(surfaces[name]) for name in self.names])
        self._known: dict[tuple[str, str], bool] = {}

    def is_near(self, name: str, other: str) -> bool:
        """Whether the two are near-duplicates."""
        key = (name, other) if name < other else (other, name)
        if key not in self._known:
            limit = NEAR + _SPACING
            self._known[key] = aligned_chamfer(self._shapes[other], self._shapes[name], limit=limit) < limit
        return self._known[key]

    def near(self, name: str) -> list[str]:
        """All near-duplicates of an object, itself left out."""
        own = self._descriptors[self.names.index(name)]
        gaps = np.abs(self._descriptors - own)
        alike = (gaps[:, :-3].mean(axis=1) < _ALIKE) & (gaps[:, -3:].max(axis=1) < _ALIKE_AXES)
        return [
            other
            for other, worth in zip(self.names, alike, strict=True)
            if worth and other != name and self.is_near(name, other)
        ]


def choose_validation(
    candidates: Sequence[Candidate],
    near: Callable[[str], Sequence[str]],
    *,
    scans: int = SCANS,
    others: int = OTHERS,
    seed: int = 1,
) -> tuple[list[str], list[str]]:
    """The validation list, and the names to be left out of training because they are like one of it.

    Names are put in the order of the SHA-256 of "SEED NAME". The scans (`SCAN_PREFIXES`) are dealt over their
    categories in turns, then the others: one of each category first, then by the square root of the category's size.
    An object is passed over when it is a near-duplicate of one that is chosen, or when it has more than 12
    near-duplicates.

    Raises:
        InputError: there are too few objects.
    """
    chosen: list[str] = []
    like: dict[str, list[str]] = {}

    def fits(name: str, strict: bool) -> bool:
        if name not in like:
            like[name] = list(near(name))
        return not set(like[name]) & set(chosen) and (not strict or len(like[name]) <= _MOST_LIKE)

    def deal(pool: Sequence[Candidate], count: int) -> None:
        goal = len(chosen) + count
        waiting = _by_category(pool, seed)
        for category in _turns(waiting, count):
            for strict in (True, False):
                found = next((name for name in waiting[category] if fits(name, strict)), None)
                if found is not None or len(waiting[category]) > 3:
                    break
            if found is not None:
                waiting[category].remove(found)
                chosen.append(found)
            if len(chosen) == goal:
                return
        raise InputError(f"There are too few objects for a validation list: {goal - len(chosen)} are missing.")

    is_scan = {c.name: c.name.startswith(SCAN_PREFIXES) for c in candidates}
    deal([c for c in candidates if is_scan[c.name]], scans)
    deal([c for c in candidates if not is_scan[c.name]], others)
    left_out = sorted({other for name in chosen for other in like[name]} - set(chosen))
    return sorted(chosen), left_out


def _by_category(pool: Sequence[Candidate], seed: int) -> dict[str, list[str]]:
    ordered = sorted(pool, key=lambda c: hashlib.sha256(f"{seed} {c.name}".encode()).hexdigest())
    groups: dict[str, list[str]] = {}
    for candidate in ordered:
        groups.setdefault(candidate.category, []).append(candidate.name)
    return groups


def _turns(groups: Mapping[str, Sequence[str]], count: int) -> list[str]:
    """Categories in the order in which they give a name: all once, then the one that lags most behind its share."""
    share = {category: np.sqrt(len(names)) for category, names in groups.items()}
    given = dict.fromkeys(groups, 0)
    order = []
    for _ in range(10 * count + len(groups)):
        category = max(sorted(groups), key=lambda c: (given[c] == 0, share[c] / (given[c] + 1)))
        given[category] += 1
        order.append(category)
    return order


def validation_names() -> list[str]:
    """The frozen validation list of the training meshes: 12 scans and 48 others."""
    return _read("validation.txt")


def excluded_names() -> list[str]:
    """Meshes that are too like one of the validation list to be trained on; frozen with it."""
    return _read("excluded.txt")


def training_names(names: Sequence[str]) -> list[str]:
    """Those of `names` (widened copies, NAME~1, included) that may be trained on."""
    without = {*validation_names(), *excluded_names()}
    return [name for name in names if name.split("~")[0] not in without]


def _read(name: str) -> list[str]:
    lines = files(_LISTS).joinpath(name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
