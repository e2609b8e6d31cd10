"""Recorded figures name the command and the commit that they come from; the command is one that is there."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from monoform.cli.main import VERBS

ROOT = Path(__file__).parents[1]
RECORDS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_says_where_its_figures_come_from(path: Path) -> None:
    found = json.loads(path.read_text())
    assert re.fullmatch(r"[0-9a-f]{7,40}", found["commit"]) and found["torch"] and found["processor"]
    assert found["printed"] or found["figures"]
    program, first, *_ = shlex.split(found["command"])
    assert (ROOT / first).is_file() if program == "python" else (program, first in VERBS) == ("monoform", True)


def test_recording_keeps_command_output_and_figures(tmp_path: Path) -> None:
    program = "import json; print('as said'); json.dump({'f': 0.5}, open('figures.json', 'w'))"
    code = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import record, pathlib\n"
        "record.RESULTS = pathlib.Path('results')\n"
        f"sys.argv = ['record', 'tried', '--figures', 'figures.json', '--', sys.executable, '-c', {program!r}]\n"
        "record.main()\n"
    )
    run = [sys.executable, "-c", code, str(ROOT / "benchmarks")]
    subprocess.run(run, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    found = json.loads((tmp_path / "results" / "tried.json").read_text())
    assert found["printed"] == ["as said"] and found["figures"] == {"f": 0.5} and "as said" in found["command"]
