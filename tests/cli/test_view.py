"""`monoform view` writes a page into results alone, and over nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.app.app_cases import write_result

from monoform.cli import view
from monoform.errors import InputError


def test_the_page_of_a_result_is_written_where_it_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = write_result(tmp_path / "egg")
    assert view.run([str(folder), "--print-only"]) == 0
    assert (folder / "report.html").is_file() and capsys.readouterr().out.endswith("/egg/report.html\n")


def test_nothing_is_written_beside_a_mesh_of_the_users(tmp_path: Path) -> None:
    folder = write_result(tmp_path / "egg")
    (folder / "result.json").unlink()
    before = sorted(os.listdir(folder))
    with pytest.raises(InputError, match=r"egg holds no result\.json; give the folder of a finished result"):
        view.run([str(folder), "--print-only"])
    assert sorted(os.listdir(folder)) == before


def test_a_link_or_a_folder_in_the_place_of_the_page_stays(tmp_path: Path) -> None:
    linked, taken = write_result(tmp_path / "linked"), write_result(tmp_path / "taken")
    (linked / "report.html").symlink_to(tmp_path / "elsewhere.html")
    (taken / "report.html").mkdir()
    for folder, words in ((linked, "it is a link"), (taken, "it is no file")):
        with pytest.raises(InputError, match=words):
            view.run([str(folder), "--print-only"])
    assert (linked / "report.html").is_symlink() and (taken / "report.html").is_dir()
    assert not (tmp_path / "elsewhere.html").exists()
