"""Sets of photos: which pictures they give, and the sentence for each way in which they are bad."""

from __future__ import annotations

import io
import itertools
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from monoform.data.images import ImageSet, fov_label, half_window_order
from monoform.errors import InputError

LABEL = [*np.eye(4).ravel().tolist(), 4.2, 0, 0.5, 0, 4.2, 0.5, 0, 0, 1]


def picture(number: int, width: int = 8, height: int = 8) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def folder_of(place: Path, sizes: dict[str, tuple[int, int]], labels: object = ...) -> Path:
    for number, (name, size) in enumerate(sizes.items()):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(number, *size)).save(place / name)
    if labels is not ...:
        (place / "dataset.json").write_text(json.dumps({"labels": labels}))
    return place


def zipped(folder: Path) -> Path:
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w") as archive:
        for path in folder.rglob("*.*"):
            archive.write(path, path.relative_to(folder))
    return file


NAMES = ["b/2.png", "b/10.png", "a.png"]
SQUARE = dict.fromkeys(NAMES, (8, 8))


@pytest.mark.parametrize("archive", [False, True])
def test_names_are_sorted_as_words_and_labels_follow_them(tmp_path: Path, archive: bool) -> None:
    labels = [[name, [*LABEL[:-1], float(number)]] for number, name in enumerate(NAMES)]
    place = folder_of(tmp_path / "set", SQUARE, labels)
    images = pickle.loads(pickle.dumps(ImageSet(zipped(place) if archive else place)))
    assert [images.name(number) for number in range(3)] == ["a.png", "b/10.png", "b/2.png"]
    assert [images.label(number)[-1] for number in range(3)] == [2, 1, 0]
    np.testing.assert_array_equal(images.image(1), picture(1))
    assert images.resolution == 8 and images.label_size == 25 and images.has_labels


def test_the_mirrored_half_has_the_same_labels(tmp_path: Path) -> None:
    images = ImageSet(folder_of(tmp_path, SQUARE, [[name, LABEL] for name in NAMES]), mirrored=True)
    assert len(images) == 6
    np.testing.assert_array_equal(images.image(4), images.image(1)[:, ::-1])
    np.testing.assert_array_equal(images.label(4), images.label(1))


def test_what_is_transparent_lies_on_white(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[0, 0] = 10, 20, 30, 255
    Image.fromarray(pixels).save(tmp_path / "x.png")
    found = ImageSet(tmp_path).image(0)
    assert found[0, 0].tolist() == [10, 20, 30] and (found[1:] == 255).all()


def test_a_field_of_view_labels_what_has_no_labels_and_crops_it(tmp_path: Path) -> None:
    place = folder_of(tmp_path, {"a.png": (12, 8), "b.png": (8, 10)}, None)
    images = ImageSet(place, label_fov=30.0, resolution=8)
    np.testing.assert_array_equal(images.image(0), picture(0, 12, 8)[:, 2:10])
    np.testing.assert_array_equal(images.image(1), picture(1, 8, 10)[1:9])
    np.testing.assert_allclose(images.label(0)[16], 1 / (np.tan(np.radians(15)) * np.sqrt(2)), rtol=1e-3)
    wide = ImageSet(place, label_fov=30.0, resolution=12, fit="pad").image(0)
    assert (wide[:2] == 255).all() and (wide[10:] == 255).all()
    np.testing.assert_array_equal(wide[2:10], picture(0, 12, 8))


def test_classes_are_rows_with_a_one(tmp_path: Path) -> None:
    images = ImageSet(folder_of(tmp_path, SQUARE, [[name, number] for number, name in enumerate(NAMES)]))
    assert images.label(0).tolist() == [0, 0, 1]


def corrupt(place: Path) -> Path:
    """One photo ends in the middle."""
    buffer = io.BytesIO()
    Image.fromarray(picture(0, 64, 64)).save(buffer, "PNG")
    (place / "a.png").write_bytes(buffer.getvalue()[:3000])
    return place


BAD = {
    "nothing": (lambda place: place, {}, "holds no photo"),
    "mixed sizes": (lambda place: folder_of(place, SQUARE | {"z.png": (9, 9)}), {}, "z.png .* has 9 x 9 pixels"),
    "not square": (lambda place: folder_of(place, SQUARE | {"z.png": (9, 8)}), {}, "z.png .* is not square"),
    "too few": (lambda place: folder_of(place, SQUARE), {"at_least": 4}, "gives 3 pictures; at least 4"),
    "corrupt": (lambda place: corrupt(folder_of(place, SQUARE)), {"resolution": 8}, "a.png.* is damaged or truncated"),
    "half labelled": (lambda place: folder_of(place, SQUARE, [["a.png", LABEL]]), {}, "2 of 3 pictures have none"),
    "null among labels": (
        lambda place: folder_of(place, SQUARE, [["a.png", LABEL], ["b/2.png", None], ["b/10.png", LABEL]]),
        {},
        "no label for b/2.png",
    ),
    "labels of two lengths": (
        lambda place: folder_of(place, SQUARE, [["a.png", LABEL], ["b/2.png", [1.0]], ["b/10.png", LABEL]]),
        {},
        "has 1 numbers",
    ),
    "labels are words": (lambda place: folder_of(place, SQUARE, "none"), {}, "is no list of labels"),
    "label of words": (lambda place: folder_of(place, SQUARE, [[name, "x"] for name in NAMES]), {}, "list of numbers"),
    "entry of three": (lambda place: folder_of(place, SQUARE, [["a.png", 1, 2]]), {}, "is no list of labels"),
    "labels of one twice": (
        lambda place: folder_of(place, SQUARE, [[name, 0] for name in NAMES] + [["a.png", 1]]),
        {},
        "two different labels for a.png",
    ),
    "too large": (lambda place: folder_of(place, SQUARE, [[name, [1e300]] for name in NAMES]), {}, "1e.300, too large"),
    "no resolution": (lambda place: folder_of(place, SQUARE), {"resolution": 0}, "must be at least 1"),
    "no angle": (lambda place: folder_of(place, SQUARE), {"label_fov": 180.0}, "field of view"),
}


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize("fault", BAD)
def test_bad_sets_get_one_sentence(tmp_path: Path, fault: str, archive: bool) -> None:
    make, options, sentence = BAD[fault]
    (tmp_path / "set").mkdir()
    place = make(tmp_path / "set")
    with pytest.raises(InputError, match=sentence) as error:
        ImageSet(zipped(place) if archive else place, **options).check()
    assert "\n" not in str(error.value)


def test_an_archive_cut_off_anywhere_gets_one_sentence(tmp_path: Path) -> None:
    file = zipped(folder_of(tmp_path / "set", SQUARE))
    whole = file.read_bytes()
    for length in range(0, len(whole), 97):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError):
            ImageSet(file).check()


def test_an_order_visits_all_and_goes_on_where_it_was(tmp_path: Path) -> None:
    order = list(itertools.islice(half_window_order(7, seed=3), 70))
    assert sorted(order[:7]) == list(range(7)) and all(order.count(number) >= 8 for number in range(7))
    assert list(itertools.islice(half_window_order(7, seed=3, skip=30), 40)) == order[30:]
    parts = [list(itertools.islice(half_window_order(7, seed=3, rank=rank, replicas=2), 35)) for rank in range(2)]
    assert [each for pair in zip(*parts, strict=True) for each in pair] == order
    for nobody in ({"size": 0}, {"size": 7, "rank": 1}, {"size": 7, "rank": -1, "replicas": 2}):
        with pytest.raises(ValueError, match="no order"):
            next(half_window_order(**nobody))


def test_a_label_of_a_field_of_view_holds_nothing_about_the_pose() -> None:
    label = fov_label(20.0)
    assert not label[:16].any() and label[16:].tolist()[1:4] == [0, 0.5, 0]
