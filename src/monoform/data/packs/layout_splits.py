"""Objects dealt to train, val and test, so that no near-duplicate of a test object is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from ...errors import InputError
from ...mesh import sample_surface
from ..objects.sources import Source, load_source
from ..objects.splits import Likeness, excluded_names, validation_names
from ..posed.srn import Split

_FEWEST = 5  # a smaller category is not split
_POINTS = 8192
Near = Callable[[str], Sequence[str]]


def deal_splits(
    sources: Sequence[Source], near: Near, *, share: float = 0.1, seed: int = 0
) -> tuple[dict[str, Split], dict[str, str]]:
    """(the split of each object by name, the reason for each that is left out).

    Objects of the frozen validation list are the test objects, and what the frozen list of likes names is left out.
    Where no object is on the list, the share is drawn for test from each category, in the order of the SHA-256 of
    "SEED NAME". The same share is drawn for val. What is like a test object is left out of train and val; copies and
    objects put together with a test object go the same way.

    Args:
        near: near-duplicates of an object, for example `Likeness.near`.
    """
    frozen, excluded = set(validation_names()), set(excluded_names())
    test = {source.base_name for source in sources} & frozen
    bases = {source.base_name: source.category for source in sources}
    groups: dict[str, list[str]] = {}
    for name in sorted(bases, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).hexdigest()):
        if name not in frozen | excluded:
            groups.setdefault(bases[name], []).append(name)
    val: set[str] = set()
    for names in groups.values():
        count = max(1, round(share * len(names))) if len(names) >= _FEWEST and share > 0 else 0
        if not frozen & bases.keys():
            test.update(names[:count])
            names = names[count:]
        val.update(names[:count])
    likes = {other: name for name in sorted(test) for other in near(name) if other not in test}
    splits: dict[str, Split] = {}
    left_out: dict[str, str] = {}
    for source in sources:
        name = source.base_name
        companion = None if source.companion is None else _name_of(source.companion, sources)
        if name in test:
            splits[source.name] = "test"
        elif name in excluded:
            left_out[source.name] = "it is too like an object of the test list"
        elif name in likes:
            left_out[source.name] = f"it is too like {likes[name]}, which is a test object"
        elif companion in test or companion in excluded or companion in likes:
            left_out[source.name] = f"it is put together with {companion}, which is kept out of training"
        else:
            splits[source.name] = "val" if name in val else "train"
    return splits, left_out


def near_duplicates(sources: Sequence[Source], *, seed: int = 0) -> Near:
    """Who is like whom, from points on the surfaces; meshes that cannot be read are like none.

    Nothing is read before the first question.
    """
    known: list[Likeness] = []

    def near(name: str) -> Sequence[str]:
        if not known:
            surfaces = {}
            for source in sources:
                if source.variant == 0:
                    try:
                        surfaces[source.name] = sample_surface(load_source(source, seed=seed), _POINTS, seed=seed)[0]
                    except InputError:
                        continue  # rendering it will report why
            known.append(Likeness(surfaces))
        return known[0].near(name) if name in known[0].names else []

    return near


def _name_of(path: str, sources: Sequence[Source]) -> str | None:
    return next((source.base_name for source in sources if source.path == path and source.variant == 0), None)
