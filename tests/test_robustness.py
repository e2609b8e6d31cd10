"""A small share of the benchmark of robustness: every input is taken, or refused by a sentence, and harms nothing."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest
from benchmarks.fuzz.mutations import damaged
from benchmarks.robustness import KINDS, Found, Worker, fuzz, verdicts

QUICK = tuple(kind for kind in KINDS if kind not in ("photo", "mask", "weights"))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched through /proc")
def test_damaged_inputs_are_refused_by_sentences(tmp_path: Path) -> None:
    found = fuzz(60, QUICK, seed=7, work=tmp_path / "work")
    assert sum(counts["inputs"] for counts in found.counts.values()) >= 55
    assert not found.bad, found.bad[0]
    assert sum(counts["refused"] for counts in found.counts.values()) > 20


def test_the_benchmark_tells_what_is_wrong(tmp_path: Path) -> None:
    good = {"kind": "mask", "code": 2, "said": "no", "fault": "", "megabytes": 1, "no_memory": False, "changed": []}
    good |= {"left": [], "seconds": 0.1}
    found = Found()
    for answer, column in (
        (good, "refused"),
        (good | {"code": 0}, "taken"),
        (good | {"fault": "Traceback"}, "tracebacks"),
        (good | {"code": 1}, "tracebacks"),
        (good | {"said": ""}, "tracebacks"),
        (good | {"megabytes": 2500}, "above 2 GB"),
        (good | {"changed": ["precious.txt"]}, "harmed"),
        (good | {"left": [".a.partial"]}, "left behind"),
        ({"kind": "mask", "ended": "hangs"}, "hangs"),
    ):
        assert column in verdicts(answer)
        found.add(answer)
    assert len(found.bad) == 7 and "| mask | 9 | 4 | 1 | 3 | 1 | 0 | 1 | 1 | 1 |" in found.table()
    assert Worker(tmp_path).process is None


def test_damage_is_of_every_kind_and_by_the_seed() -> None:
    data = json.dumps({"frames": [{"w": 1, "name": "a"}]}).encode()
    made = {damaged(data, ".json", random.Random(seed)) for seed in range(200)}
    assert len(made) > 60
    assert damaged(data, ".json", random.Random(3)) == damaged(data, ".json", random.Random(3))
