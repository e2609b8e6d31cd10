"""Threads that wait sleep, unless the user has said otherwise or torch is there already."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
TELL = "import os; print([os.environ.get(name) for name in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')])"
OURS, NOTHING = ["PASSIVE", None, "0"], [None, None, None]


def told(code: str, **values: str) -> str:
    """What a process prints."""
    environment = {name: value for name, value in os.environ.items() if name not in NAMES} | values
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[1] / "src"), os.environ.get("PYTHONPATH", "")]
    )
    words = [sys.executable, "-c", code]
    return subprocess.run(words, env=environment, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(
    ("first", "values", "expected"),
    [
        ("import monoform; ", {}, OURS),
        ("import monoform.cli.main; ", {}, OURS),
        ("import torch, monoform; ", {}, NOTHING),
        ("import monoform; ", {"OMP_WAIT_POLICY": "ACTIVE"}, ["ACTIVE", None, None]),
        ("import monoform; ", {"GOMP_SPINCOUNT": "7"}, [None, "7", None]),
    ],
)
def test_waiting_is_passive_unless_the_user_says_otherwise(first, values, expected):
    assert told(first + TELL, **values) == str(expected)


def test_torch_is_loaded_after_it_is_set():
    assert told("import sys, monoform; print('torch' in sys.modules)") == "False"
