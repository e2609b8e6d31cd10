"""What may be written over: nothing of the user's."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image

from monoform.errors import InputError
from monoform.outputs import (
    Kind,
    atomic_folder,
    distinct,
    is_marked,
    require_free_file,
    require_name,
    require_ours,
    require_replaceable,
    save_picture,
)

RESULT = Kind("result", "made.json", lambda record: record["names"])


def made(folder, *names):
    """A folder of the kind RESULT."""
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(name)
    (folder / "made.json").write_text(json.dumps({"names": list(names)}))
    return folder


def everything(folder):
    """All files below a folder with their content."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_nothing_an_empty_folder_and_our_own_are_replaced(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "none/deep", tmp_path / "empty", made(tmp_path / "ours", "a", "b")):
        with atomic_folder(place, RESULT) as draft:
            (draft / "new").touch()
        assert os.listdir(place) == ["new"]


@pytest.mark.parametrize("record", [None, "{", "[]", "{}", '{"names": 3}', '{"names": [[]]}', '{"names": null}'])
def test_a_folder_without_our_record_is_the_users(tmp_path, record):
    place = tmp_path / "cup"
    place.mkdir()
    (place / "thesis.txt").write_text("years of work")
    if record is not None:
        (place / "made.json").write_text(record)
    before = everything(tmp_path)
    with pytest.raises(InputError, match="cup is there and no result"), atomic_folder(place, RESULT):
        raise AssertionError("nothing should be begun")
    assert everything(tmp_path) == before


def test_files_that_the_user_put_into_a_result_stay(tmp_path):
    place = made(tmp_path / "cup", "a")
    (place / ".DS_Store").touch()  # of a file manager: no reason to refuse
    require_replaceable(place, RESULT)
    (place / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"notes\.txt, which monoform did not write"), atomic_folder(place, RESULT):
        raise AssertionError("nothing should be begun")
    assert (place / "notes.txt").read_text() == "mine"


def test_a_folder_or_a_link_in_the_place_of_our_file_is_the_users(tmp_path):
    folder, link = made(tmp_path / "cup", "a", "b"), made(tmp_path / "mug", "a", "b")
    for place in (folder, link):
        require_replaceable(place, RESULT)
        (place / "b").unlink()
    (folder / "b").mkdir()
    (folder / "b" / "thesis.txt").write_text("years of work")
    (link / "b").symlink_to(tmp_path)
    before = everything(tmp_path)
    for place in (folder, link):
        with pytest.raises(InputError, match="holds b, which monoform did not write"), atomic_folder(place, RESULT):
            raise AssertionError("nothing should be begun")
    assert everything(tmp_path) == before


def test_what_the_user_adds_meanwhile_stays(tmp_path):
    place = made(tmp_path / "cup", "a")
    with pytest.raises(InputError, match="notes"), atomic_folder(place, RESULT) as draft:
        (draft / "b").touch()
        (place / "notes").touch()
    assert sorted(os.listdir(place)) == ["a", "made.json", "notes"] and os.listdir(tmp_path) == ["cup"]


def test_an_input_within_is_refused(tmp_path):
    place = made(tmp_path / "cup", "photo.jpg")
    with pytest.raises(InputError, match="which is read here"):
        require_replaceable(place, RESULT, inputs=(None, "https://x.org/cup.png", str(place / "photo.jpg")))
    require_replaceable(place, RESULT, inputs=(tmp_path / "photo.jpg", "", 3))


@pytest.mark.parametrize("target", ["file", "folder", "nowhere"])
def test_links_are_left_as_they_are(tmp_path, target):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / target)
    with pytest.raises(InputError, match="it is a link"):
        require_replaceable(link, RESULT)
    for overwrite in (False, True):
        with pytest.raises(InputError, match="it is a link"):
            require_free_file(link, overwrite=overwrite)
    assert link.is_symlink()


def test_single_files(tmp_path):
    file = tmp_path / "film.png"
    require_free_file(file)
    file.write_bytes(b"of the user")
    with pytest.raises(InputError, match="--overwrite"):
        require_free_file(file, is_ours=is_marked)
    require_free_file(file, overwrite=True)
    with pytest.raises(InputError, match="is read here"):
        require_free_file(file, overwrite=True, inputs=(file,))
    with pytest.raises(InputError, match="it is no file"):
        require_free_file(tmp_path, overwrite=True)
    save_picture(Image.fromarray(np.zeros((4, 4, 3), np.uint8)), file, marked=True)
    require_free_file(file, is_ours=is_marked)


def test_files_with_fixed_names(tmp_path):
    file = tmp_path / "poses.json"
    require_ours(file, lambda path: False)
    file.write_text("{")
    with pytest.raises(InputError, match="not monoform's"):
        require_ours(file, lambda path: bool(json.loads(path.read_text())))
    file.write_text("[1]")
    require_ours(file, lambda path: bool(json.loads(path.read_text())))


@pytest.mark.parametrize(
    "word",
    [
        "",
        " ",
        ".",
        "..",
        "../up",
        "a/b",
        "a\\b",
        "/root",
        "C:x",
        "a\x00b",
        "a\x1b[2J",
        "a\nb",
        "\udcff",
        "x" * 300,
        "語" * 80,
    ],
)
def test_names_that_lead_elsewhere(word):
    with pytest.raises(InputError) as refusal:
        require_name(word)
    assert str(refusal.value).isprintable()


def test_usual_names_pass():
    for word in ("cup", "a b", "Tasse-é.2", "語", "03001627", "..x", "x" * 150):
        assert require_name(word) == word


def test_names_are_distinct_on_any_file_system():
    names = ["Cup", "cup", "caf\u00e9", "cafe\u0301", "cup-2", "stra\u00dfe", "STRASSE", "index.html"]
    found = distinct(names, {"index.html"})
    assert found == ["Cup", "cup-2", "caf\u00e9", "cafe\u0301-2", "cup-2-2", "stra\u00dfe", "STRASSE-2", "index.html-2"]


def test_a_long_name_gets_a_shorter_one_for_a_while(tmp_path):
    for name in ("語" * 85, "x" * 255):
        with atomic_folder(tmp_path / name) as draft:
            (draft / "a").touch()
        assert os.listdir(tmp_path / name) == ["a"]
    with pytest.raises(InputError, match="File name too long"), atomic_folder(tmp_path / ("x" * 300)):
        raise AssertionError("nothing should be begun")


def test_a_folder_of_our_pictures_is_ours_until_something_else_lies_in_it(tmp_path):
    kind = Kind("scene", "record.json", lambda record: (), pictures=frozenset({"held_out"}))
    folder = tmp_path / "weights"
    (folder / "held_out/front").mkdir(parents=True)
    (folder / "record.json").write_text("{}")
    save_picture(Image.new("RGB", (8, 8)), folder / "held_out/front/0.png", marked=True)
    require_replaceable(folder, kind)
    save_picture(Image.new("RGB", (8, 8)), folder / "held_out/front/mine.png")
    with pytest.raises(InputError, match="holds held_out, which monoform did not write"):
        require_replaceable(folder, kind)
