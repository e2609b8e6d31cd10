"""Which photos a folder holds, and what their results are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monoform.errors import InputError
from monoform.inputs.photo_folders import named_photos
from monoform.jobs.batch import plan


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in (
        "mug.jpg",
        "mug_mask.png",
        "death_mask.png",
        "notes.txt",
        ".hidden.jpg",
        "._mug.jpg",
        "cats/one.PNG",
        "dogs/one.png",
        "dogs/deep/one.webp",
        ".git/one.png",
        "results/mug/result.json",
        "results/mug/overlay.png",
    ):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(b"x")
    return tmp_path / "in"


def test_photos_of_a_folder_have_names_of_their_own(folder):
    found = named_photos([str(folder)])
    assert [(os.path.relpath(path, folder), name) for path, name in found] == [
        ("death_mask.png", "death_mask"),  # no death.jpg: not the mask of anything
        ("mug.jpg", "mug"),
        ("cats/one.PNG", "cats-one"),
        ("dogs/one.png", "dogs-one"),
        ("dogs/deep/one.webp", "dogs-deep-one"),
    ]


def test_files_and_addresses_stay_as_they_are(folder):
    words = [str(folder / "mug_mask.png"), "https://example.org/a/cup.jpg"]
    assert named_photos(words) == [(words[0], "mug_mask"), (words[1], "cup")]


def test_results_inside_the_folder_are_not_taken_again(folder):
    (folder / "out" / "half").mkdir(parents=True)
    (folder / "out" / "half" / "photo.jpg").write_bytes(b"x")
    found = named_photos([str(folder)], leave=folder / "out")
    assert {os.path.relpath(path, folder).split("/")[0] for path, _ in found}.isdisjoint({"out", "results"})


def test_a_link_that_goes_round_ends(folder):
    (folder / "cats" / "round").symlink_to(folder, target_is_directory=True)
    assert len(named_photos([str(folder)])) == 5


def test_a_folder_without_photos_is_one_sentence(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="holds no photo") as caught:
        named_photos([str(tmp_path)])
    assert "\n" not in str(caught.value)


def test_a_batch_has_a_result_for_each(folder, tmp_path):
    items = plan([str(folder), str(folder / "mug.jpg")], tmp_path / "out")
    names = [item.folder.name for item in items]
    assert len(set(names)) == len(names) == 6 and names[-1] == "mug-2"
