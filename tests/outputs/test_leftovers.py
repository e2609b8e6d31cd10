"""What killed processes have left is cleared; what living ones are at stays; an old result comes back."""

from __future__ import annotations

import os

from tests.leftovers import left_behind

from monoform.outputs import atomic_file, atomic_folder, sweep
from monoform.outputs.temporaries import temporary_path


def test_leftovers_of_the_dead_are_cleared(tmp_path):
    (tmp_path / left_behind("cup", ".partial")).mkdir()
    (tmp_path / left_behind("cup", ".partial") / "half").mkdir(parents=True)
    (tmp_path / left_behind("cup.png", ".png")).write_text("half")
    with atomic_folder(tmp_path / "mug") as draft:
        (draft / "a").touch()
    assert os.listdir(tmp_path) == ["mug"]


def test_the_living_and_the_user_are_not_touched(tmp_path):
    kept = [temporary_path(tmp_path / "cup", ".partial").name, ".cup.partial", ".old", ".cup.12-34.png", "cup.old"]
    for name in kept:
        (tmp_path / name).mkdir()
    with atomic_file(tmp_path / "x.txt") as draft:
        draft.touch()
    assert sorted(os.listdir(tmp_path)) == sorted([*kept, "x.txt"])


def test_a_number_that_is_used_again_does_not_protect(tmp_path):
    """The process of this number lives, but it is another one: it started at another time."""
    name = temporary_path(tmp_path / "cup", ".partial").name
    head, _, tail = name.partition(f".mf{os.getpid()}-")
    start, _, rest = tail.partition("-")
    (tmp_path / f"{head}.mf{os.getpid()}-{int(start) + 7}-{rest}").mkdir()
    sweep(tmp_path, again=True)
    assert os.listdir(tmp_path) == []


def test_an_old_result_that_was_moved_aside_comes_back(tmp_path):
    (tmp_path / left_behind("cup", ".old")).mkdir()
    (tmp_path / left_behind("mug", ".old")).mkdir()
    for name in os.listdir(tmp_path):
        (tmp_path / name / "old").touch()
    (tmp_path / "mug").mkdir()
    (tmp_path / "mug/new").touch()
    sweep(tmp_path, again=True)
    assert sorted(os.listdir(tmp_path)) == ["cup", "mug"]
    assert os.listdir(tmp_path / "cup") == ["old"] and os.listdir(tmp_path / "mug") == ["new"]
