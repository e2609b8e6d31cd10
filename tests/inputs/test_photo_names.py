"""Names of photos from other systems and programs mean the photos that they mean there."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from monoform import InputError
from monoform.inputs import listed, listed_below
from monoform.inputs.photo_names import NameTable, find_mask, find_photo, matching, plain_name

NAMES = ["images/front/0000.png", "images/front/0001.png", "images/back/0000.png", "single.jpg"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("./images//0.png", "images/0.png"),
        ("images\\front\\0.png", "images/front/0.png"),
        ("images/front/../0.png", "images/0.png"),
        ("//data/0.png", "/data/0.png"),
        (unicodedata.normalize("NFD", "über/é.png"), "über/é.png"),
        ("a%20b.png", "a%20b.png"),
    ],
)
def test_plain_names(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("images/back/0000.png", [2]),
        (".\\images\\back\\0000.png", [2]),
        ("images/back/0000", [2]),
        ("images/back/0000.PNG", [2]),
        ("images/back/0000.jpg", []),
        ("back/0000.png", [2]),
        ("/somewhere/data/images/front/0001.png", [1]),
        ("0001", [1]),
        ("0000.png", [0, 2]),
        ("other/0000.png", []),
        ("left/single.jpg", [3]),
        ("none.png", []),
    ],
)
def test_a_name_means_these_photos(wanted: str, found: list[int]) -> None:
    assert matching(wanted, NAMES) == found
    assert NameTable(NAMES).matching(wanted) == found


def test_of_a_copy_elsewhere_the_most_folders_in_common_tell() -> None:
    assert matching("/copy/back/0000.png", NAMES, elsewhere=True) == [2]
    assert matching("/copy/0000.png", NAMES, elsewhere=True) == [0, 2]
    assert matching("/copy/0001.png", NAMES, elsewhere=True) == [1]


def test_a_photo_is_found_by_what_lists_call_it(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    file = tmp_path / "images" / "é 1.JPG"
    file.touch()
    for name in (
        "images/é 1",
        "images\\é 1.JPG",
        "images/é 1.jpg",
        unicodedata.normalize("NFD", "images/é 1.JPG"),
        "C:\\Users\\me\\capture\\images\\é 1.JPG",
        "/home/me/capture/images/é 1.JPG",
        f"../{tmp_path.name}/images/é 1.JPG",
        str(file),
    ):
        assert find_photo(tmp_path, name).samefile(file), name
    with pytest.raises(InputError, match="no photo"):
        find_photo(tmp_path, "images/é 1.png")
    assert find_photo(tmp_path, "images/é 1.png", other_ending=True).samefile(file)
    with pytest.raises(InputError, match="no photo"):
        find_photo(tmp_path, "x" * 5000)
    with pytest.raises(InputError, match="no photo"):
        find_photo(tmp_path, "images/a\0b.png")


def test_masks_lie_in_the_folders_of_their_photos(tmp_path: Path) -> None:
    photo, masks = tmp_path / "data" / "images" / "front" / "0.png", tmp_path / "masks"
    with pytest.raises(InputError, match="holds no mask"):
        find_mask(photo, masks)
    for place in ("left", "front", "images/front"):
        (masks / place).mkdir(parents=True)
    (masks / "left" / "0.png").touch()
    assert find_mask(photo, masks) == masks / "left/0.png", "the only one of that name"
    (masks / "back").mkdir()
    (masks / "back" / "0.png").touch()
    with pytest.raises(InputError, match=r"2 masks named 0\.png"):
        find_mask(photo, masks)
    for place in ("0.png", "0_mask.png", "front/0.png", "images/front/0.png.png"):
        (masks / place).touch()
        assert find_mask(photo, masks) == masks / place


def test_a_photo_is_not_its_own_mask(tmp_path: Path) -> None:
    (tmp_path / "cup.png").touch()
    with pytest.raises(InputError, match=r"neither cup\.png nor cup_mask\.png"):
        find_mask(tmp_path / "cup.png", tmp_path)


def test_what_systems_leave_is_not_listed(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "._a.JPG", ".DS_Store", "Thumbs.db", "desktop.ini", "note.txt"):
        (tmp_path / name).touch()
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "b.png").touch()
    assert [file.name for file in listed(tmp_path, (".png", ".jpg"))] == ["a.JPG", "b.png"]
    assert [file.name for file in listed_below(tmp_path)] == ["a.JPG", "b.png", "note.txt"]
    with pytest.raises(InputError, match="missing or cannot be read"):
        listed(tmp_path / "none")


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.png").symlink_to("self.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert [file.name for file in listed_below(tmp_path, "a.png")] == ["a.png"]
    with pytest.raises(InputError, match="no photo"):
        find_photo(tmp_path, "self.png")
