"""Killed without warning, a training loses at most the steps since its last checkpoint, and a batch no finished photo.

`benchmarks/kill.py` does the same fifty times.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.killed import EVERY, killed_batch, killed_training

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed in groups, as POSIX has them")


def test_a_training_that_is_killed_goes_on(tmp_path: Path) -> None:
    found = killed_training(tmp_path, 3)
    assert found.kills >= 1 and max(found.lost) <= EVERY + 1  # the step after a checkpoint has begun when it is told
    assert not found.wrong and not found.leftovers


def test_a_batch_that_is_killed_goes_on(tmp_path: Path) -> None:
    found = killed_batch(tmp_path, 3)
    assert found.kills >= 1 and not any(found.lost) and not found.workers_left
    assert not found.wrong and not found.leftovers
