"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from monoform.errors import InputError
from monoform.outputs import Kind, atomic_file, atomic_folder

MADE = Kind("thing", "made.json", lambda record: record["names"])


def made(folder, name):
    """A folder of the kind MADE with one file."""
    (folder / name).write_text(name)
    (folder / "made.json").write_text(json.dumps({"names": [name]}))


def test_a_file_appears_when_it_is_whole(tmp_path):
    with atomic_file(tmp_path / "a" / "x.txt") as path:
        path.write_text("whole")
        assert path.suffix == ".txt" and not (tmp_path / "a" / "x.txt").exists()
    assert (tmp_path / "a" / "x.txt").read_text() == "whole"
    assert os.listdir(tmp_path / "a") == ["x.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_what_breaks_leaves_the_old_file(tmp_path, error):
    (tmp_path / "x.txt").write_text("old")
    with pytest.raises(error), atomic_file(tmp_path / "x.txt") as path:
        path.write_text("half")
        raise error
    assert (tmp_path / "x.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_what_breaks_leaves_the_old_folder(tmp_path, error):
    with atomic_folder(tmp_path / "out") as folder:
        made(folder, "a")
    with pytest.raises(error), atomic_folder(tmp_path / "out", MADE) as folder:
        (folder / "b").write_text("half")
        raise error
    assert os.listdir(tmp_path) == ["out"] and sorted(os.listdir(tmp_path / "out")) == ["a", "made.json"]


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path):
    for name in ("a", "b"):
        with atomic_folder(tmp_path / "out", MADE) as folder:
            made(folder, name)
    assert os.listdir(tmp_path) == ["out"] and sorted(os.listdir(tmp_path / "out")) == ["b", "made.json"]


def test_a_failed_rename_puts_the_old_folder_back(tmp_path, monkeypatch):
    with atomic_folder(tmp_path / "out") as folder:
        made(folder, "a")
    rename = os.rename

    def failing(source, target):
        if str(source).endswith(".partial"):
            raise OSError(28, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(InputError, match="No space left on device"), atomic_folder(tmp_path / "out", MADE) as folder:
        made(folder, "b")
    assert os.listdir(tmp_path) == ["out"] and sorted(os.listdir(tmp_path / "out")) == ["a", "made.json"]


def test_places_that_cannot_be_written_are_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for opened in (atomic_file, atomic_folder):
        with pytest.raises(InputError, match=r"Cannot write .*file.*: "), opened(tmp_path / "file" / "x"):
            raise AssertionError("nothing should be opened")


def test_a_folder_into_which_others_still_write_is_removed(tmp_path):
    """A film encoder, say, that was interrupted too and closes its file a moment later."""
    writer = (
        "import sys, time, pathlib\n"
        "folder, end = pathlib.Path(sys.argv[1]), time.time() + 1.5\n"
        "while time.time() < end:\n"
        "    try:\n"
        "        folder.mkdir(exist_ok=True)\n"
        "        (folder / f'{time.time_ns()}').write_text('x')\n"
        "    except OSError:\n"
        "        pass\n"
    )
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "result") as place:
        process = subprocess.Popen([sys.executable, "-c", writer, str(place / "frames")])
        time.sleep(0.5)
        raise KeyboardInterrupt
    process.wait()
    assert list(tmp_path.iterdir()) == []
