"""Folders in which a command goes on: one process at a time, nothing left of a refused line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from monoform.errors import InputError
from monoform.outputs import Kind, claimed

WORK = Kind("piece of work", "work.json", lambda record: () if "asked" in record else None)


def work(folder, asked, *, fail=False):
    """Ask for something; one file comes of it."""
    with claimed(folder, WORK, same=lambda record: record["asked"] == asked, other="other work") as place:
        if place.stored is None:
            place.record({"asked": asked})
        if fail:
            raise InputError("refused")
        (folder / f"{asked}.txt").touch()
        return place.stored


def test_it_goes_on_and_others_are_refused(tmp_path):
    out = tmp_path / "a/out"
    assert work(out, 1) is None and work(out, 1) == {"asked": 1}
    assert sorted(os.listdir(out)) == ["1.txt", "work.json"]
    with pytest.raises(InputError, match="other work"):
        work(out, 2)
    with pytest.raises(InputError, match="refused"):
        work(out, 1, fail=True)
    assert sorted(os.listdir(out)) == ["1.txt", "work.json"]


def test_a_refused_line_leaves_nothing_and_the_corrected_one_runs(tmp_path):
    out = tmp_path / "a/out"
    with pytest.raises(InputError, match="refused"):
        work(out, 1, fail=True)
    assert os.listdir(tmp_path) == []
    out.mkdir(parents=True)
    (out / "work.json").write_text('{"asked": 1}')  # of a process that was killed before anything was finished
    assert work(out, 2) is None
    assert sorted(os.listdir(out)) == ["2.txt", "work.json"]


@pytest.mark.parametrize("record", ["{", "[]", '"asked"', "{\x00}"])
def test_a_damaged_record_is_a_sentence(tmp_path, record):
    (tmp_path / "work.json").write_text(record)
    with pytest.raises(InputError, match=r"work\.json is damaged"):
        work(tmp_path, 1)


def test_the_users_folder_is_refused(tmp_path):
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(InputError, match="no piece of work"):
        work(tmp_path, 1)
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_second_process_is_told_who_is_at_work(tmp_path):
    out = tmp_path / "out"
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert other.stdout is not None and other.stdout.readline() == "at work\n"
    with pytest.raises(InputError, match=f"by process {other.pid}"):
        work(out, 1)
    other.kill()  # its lock dies with it
    other.wait()
    work(out, 1)
    assert sorted(os.listdir(out)) == ["1.txt", "work.json"]


HOLD = """
import sys
from monoform.outputs import Kind, claimed
kind = Kind("piece of work", "work.json", lambda record: ())
with claimed(sys.argv[1], kind):
    print("at work", flush=True)
    sys.stdin.read()
"""


def test_a_process_may_claim_again(tmp_path):
    with claimed(tmp_path / "out", WORK) as outer:
        outer.record({"asked": 1})
        assert work(tmp_path / "out", 1) == {"asked": 1}
    assert json.loads((tmp_path / "out/work.json").read_text()) == {"asked": 1}
    assert sorted(os.listdir(tmp_path / "out")) == ["1.txt", "work.json"]
