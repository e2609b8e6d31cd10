"""Photos into sets of one square size, from every container, and the sentence for each bad set."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.test_image_sets import LABEL, corrupt, folder_of, picture, zipped

from monoform.cli.prepare import run
from monoform.data.images import ImageSet, fov_label
from monoform.data.images.fitting import cropped_wide
from monoform.errors import InputError

MIXED = {"a.png": (20, 12), "b/c.png": (12, 30), "d.png": (16, 16)}
LSUN = Path(__file__).with_name("lsun_sample.mdb.zlib")  # written by the library: 39 pictures in 13 pages


def prepare(place: Path, out: Path, *words: str) -> int:
    return run(["images", "--data", str(place), "-o", str(out), *words])


def pixels_of(place: Path) -> np.ndarray:
    images = ImageSet(place)
    return np.stack([images.image(number) for number in range(len(images))])


@pytest.mark.parametrize("out", ["set", "set.zip"])
@pytest.mark.parametrize("archive", [False, True])
def test_photos_become_a_set_of_one_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str, archive: bool
) -> None:
    source = folder_of(tmp_path / "photos", MIXED, [[name, [*LABEL[:24], number]] for number, name in enumerate(MIXED)])
    place = zipped(source) if archive else source
    assert prepare(place, tmp_path / out, "--transform", "center-crop", "--resolution", "8") == 0
    assert "3 pictures of 8 x 8 pixels, with labels, are in" in capsys.readouterr().out
    images = ImageSet(tmp_path / out)
    assert images.source.names == [f"00000/img0000000{number}.png" for number in range(3)]
    assert [images.label(number)[24] for number in range(3)] == [0, 1, 2]
    square = Image.fromarray(picture(1, 12, 30)[9:21])
    np.testing.assert_array_equal(images.image(1), np.asarray(square.resize((8, 8), Image.Resampling.LANCZOS)))


def test_sets_are_stored_without_compression_and_the_same_each_time(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "photos", {"a.png": (8, 8), "b.png": (8, 8)})
    for _ in range(2):  # our own archive is replaced
        assert prepare(place, tmp_path / "set.zip") == 0
        first = (tmp_path / "set.zip").read_bytes()
    assert prepare(place, tmp_path / "again.zip") == 0
    assert (tmp_path / "again.zip").read_bytes() == first
    with zipfile.ZipFile(tmp_path / "set.zip") as archive:
        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.namelist()[-1] == "dataset.json" and json.loads(archive.read("dataset.json")) == {"labels": None}


def test_every_transform_does_what_it_says(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "photos", {"a.png": (16, 8)})
    whole = picture(0, 16, 8)
    for transform, resolution in (("pad", "16"), ("stretch", "8"), ("center-crop", "8"), ("center-crop-wide", "16x8")):
        out = tmp_path / f"{transform}.zip"
        assert prepare(place, out, "--transform", transform, "--resolution", resolution) == 0
        found = pixels_of(out)[0]
        if transform == "pad":
            np.testing.assert_array_equal(found[4:12], whole)
            assert (found[:4] == 255).all() and (found[12:] == 255).all()
        elif transform == "center-crop":
            np.testing.assert_array_equal(found, whole[:, 4:12])
        elif transform == "center-crop-wide":
            np.testing.assert_array_equal(found[4:12], whole)
            assert not found[:4].any() and not found[12:].any()
        else:
            small = Image.fromarray(whole).resize((8, 8), Image.Resampling.LANCZOS)
            np.testing.assert_array_equal(found, np.asarray(small))


def test_the_band_of_a_wide_crop_keeps_the_photos_width() -> None:
    image = cropped_wide(Image.fromarray(picture(0, 20, 20)), 16, 8)
    assert image is not None and image.size == (16, 16)
    band = Image.fromarray(picture(0, 20, 20)[2:18]).resize((16, 8), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(np.asarray(image)[4:12], np.asarray(band))
    assert cropped_wide(image, 32, 16) is None


def test_small_photos_are_left_out_of_a_wide_crop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder_of(tmp_path / "photos", {"a.png": (16, 16), "b.png": (8, 8)})
    words = ("--transform", "center-crop-wide", "--resolution", "16x8")
    assert prepare(place, tmp_path / "set.zip", *words) == 0
    assert "1 photos are smaller" in capsys.readouterr().out
    assert len(ImageSet(tmp_path / "set.zip")) == 1


def test_labels_of_half_of_them_are_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder_of(tmp_path / "photos", {"a.png": (8, 8), "b.png": (8, 8)}, [["a.png", LABEL]])
    assert prepare(place, tmp_path / "set.zip") == 0
    assert "1 of 2 photos have no label: all labels are left out." in capsys.readouterr().out
    assert not ImageSet(tmp_path / "set.zip").has_labels
    assert prepare(place, tmp_path / "first.zip", "--max-images", "1") == 0
    assert ImageSet(tmp_path / "first.zip").label(0).tolist() == np.float32(LABEL).tolist()
    assert prepare(place, tmp_path / "none.zip", "--max-images", "1", "--no-labels") == 0
    assert not ImageSet(tmp_path / "none.zip").has_labels


@pytest.mark.parametrize("wrong", [["a.png", "front"], ["a.png", [1e300]], ["a.png"], ["b.png", [1.0]]])
def test_wrong_labels_are_refused_before_anything_is_written(
    wrong: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right = ["b.png" if wrong[0] == "a.png" else "a.png", LABEL]
    place = folder_of(tmp_path / "photos", {"a.png": (8, 8), "b.png": (8, 8)}, [wrong, right])
    with pytest.raises(InputError, match=r"dataset\.json"):
        prepare(place, tmp_path / "set.zip")
    assert not (tmp_path / "set.zip").exists()
    assert prepare(place, tmp_path / "set.zip", "--no-labels") == 0


def test_a_field_of_view_becomes_the_label_of_what_has_none(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "photos", {"a.png": (8, 8)})
    assert prepare(place, tmp_path / "set.zip", "--fov", "18.837") == 0
    np.testing.assert_array_equal(ImageSet(tmp_path / "set.zip").label(0), fov_label(18.837))


def test_a_corrupt_photo_is_left_out_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = corrupt(folder_of(tmp_path / "photos", {"a.png": (8, 8), "b.png": (8, 8)}))
    assert prepare(place, tmp_path / "set.zip") == 2
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("a.png is left out: ") and "damaged or truncated" in said[0] and len(said) == 2
    assert len(ImageSet(tmp_path / "set.zip")) == 1


BAD = {
    "not square": ({"a.png": (8, 4)}, (), "a.png .* is not square .*--transform center-crop"),
    "not square with a resolution": ({"a.png": (8, 4)}, ("--resolution", "8"), "is not square"),
    "mixed sizes": ({"a.png": (8, 8), "b.png": (16, 16)}, (), "b.png .* has 16 x 16 pixels, photos before it 8 x 8"),
    "an odd size": ({"a.png": (12, 12)}, (), "power of two from 4 up: add --resolution N, such as 8"),
    "nothing": ({}, (), "holds no photo"),
    "an odd resolution": ({"a.png": (8, 8)}, ("--resolution", "12"), "The resolution is 12"),
    "a resolution of words": ({"a.png": (8, 8)}, ("--resolution", "big"), "--resolution is big"),
    "a resolution of two": ({"a.png": (8, 8)}, ("--resolution", "8x4"), "is not square"),
    "a band of one number": (
        {"a.png": (8, 8)},
        ("--transform", "center-crop-wide"),
        "center-crop-wide needs --resolution WxH",
    ),
    "no photo": ({"a.png": (8, 8)}, ("--max-images", "0"), "--max-images"),
    "no angle": ({"a.png": (8, 8)}, ("--fov", "200"), "The field of view is 200 degrees"),
    "all too small": (
        {"a.png": (8, 8)},
        ("--transform", "center-crop-wide", "--resolution", "16x8"),
        "gives no picture that can be used: all of them are too small",
    ),
}


@pytest.mark.parametrize("out", ["set", "set.zip"])
@pytest.mark.parametrize("fault", BAD)
def test_bad_sets_get_one_sentence_and_leave_nothing(tmp_path: Path, fault: str, out: str) -> None:
    sizes, words, sentence = BAD[fault]
    (tmp_path / "photos").mkdir()
    place = folder_of(tmp_path / "photos", sizes)
    with pytest.raises(InputError, match=sentence) as error:
        prepare(place, tmp_path / out, *words)
    assert "\n" not in str(error.value) and [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_nothing_of_the_users_is_replaced(tmp_path: Path) -> None:
    place = folder_of(tmp_path / "photos", {"a.png": (8, 8)})
    archive = zipped(place)
    before = archive.read_bytes()
    for out in (archive, place):
        with pytest.raises(InputError):
            prepare(place, out)
    with pytest.raises(InputError, match="is read here"):
        prepare(archive, archive, "--overwrite")
    assert archive.read_bytes() == before and [path.name for path in place.iterdir()] == ["a.png"]


def cifar(place: Path, rows: int = 2) -> Path:
    """CIFAR-10's archive for Python, smaller."""
    with tarfile.open(place, "w:gz") as archive:
        for name in ["batches.meta", *(f"data_batch_{number}" for number in range(1, 6))]:
            draw = np.random.default_rng(len(archive.getmembers()))
            content = {
                b"data": draw.integers(0, 256, (rows, 3072), dtype=np.uint8),
                b"labels": draw.integers(0, 10, rows).tolist(),
                b"batch_label": b"x",
            }
            data = pickle.dumps(content, 2)
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return place


@pytest.mark.parametrize("unpacked", [False, True])
def test_cifar_is_read_as_it_is_published(tmp_path: Path, unpacked: bool) -> None:
    place = cifar(tmp_path / "cifar-10-python.tar.gz")
    if unpacked:
        with tarfile.open(place) as archive:
            archive.extractall(tmp_path, filter="data")
        place = tmp_path / "cifar-10-batches-py"
    assert prepare(place, tmp_path / "set.zip") == 0
    images = ImageSet(tmp_path / "set.zip")
    assert len(images) == 10 and images.resolution == 32
    draw = np.random.default_rng(2)
    rows, labels = draw.integers(0, 256, (2, 3072), dtype=np.uint8), draw.integers(0, 10, 2)
    np.testing.assert_array_equal(images.image(3), rows[1].reshape(3, 32, 32).transpose(1, 2, 0))
    assert images.label(3).argmax() == labels[1]
    np.testing.assert_array_equal(pixels_of(place), pixels_of(tmp_path / "set.zip"))


def idx(shape: tuple[int, ...], values: np.ndarray) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values.tobytes()


def mnist(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    folder.mkdir()
    images = draw.integers(0, 256, (3, 28, 28), dtype=np.uint8)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx((3, 28, 28), images)))
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx((3,), np.uint8([7, 0, 2]))))
    return folder


def test_mnist_is_read_as_it_is_published(tmp_path: Path) -> None:
    folder = mnist(tmp_path / "mnist")
    for place in (folder, folder / "train-images-idx3-ubyte.gz"):
        images = ImageSet(place)
        assert images.resolution == 32 and [images.label(number).argmax() for number in range(3)] == [7, 0, 2]
        wanted = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
        np.testing.assert_array_equal(images.image(1)[2:30, 2:30], wanted[1, :, :, None].repeat(3, 2))
        assert not images.image(1)[:2].any() and not images.image(1)[:, 30:].any()


def lsun(folder: Path) -> Path:
    folder.mkdir()
    (folder / "data.mdb").write_bytes(zlib.decompress(LSUN.read_bytes()))
    return folder


def test_lsun_is_read_as_it_is_published(tmp_path: Path) -> None:
    place = lsun(tmp_path / "lsun")
    images = pickle.loads(pickle.dumps(ImageSet(place, resolution=8, fit="crop")))
    names = images.source.names
    assert len(names) == 39 and names == sorted(names) and all(len(name) == 40 for name in names)
    number = names.index("1b6453892473a467d07372d45eb05abc2031647a")  # made of 4
    rows, columns = np.mgrid[:8, :8]
    wanted = np.stack([columns * 4 % 256, (rows * 3 + 4) % 256, (columns + rows) % 256], -1)
    np.testing.assert_array_equal(images.image(number), wanted)
    large = np.asarray(images.source.open(names.index("b1d5781111d84f7b3fe45a0852e59758cd7a87e5")))  # made of 10
    rows, columns = np.mgrid[:40, :40]
    np.testing.assert_array_equal(large[..., 0], columns * 10 % 256)
    assert prepare(place, tmp_path / "set.zip", "--resolution", "8", "--max-images", "5") == 0
    assert len(ImageSet(tmp_path / "set.zip")) == 5


@pytest.mark.parametrize("make", [lsun, mnist, lambda place: cifar(place.with_suffix(".tar.gz"))])
def test_damaged_containers_are_read_or_refused_with_a_sentence(tmp_path: Path, make) -> None:
    place = make(tmp_path / "set")
    file = next(place.glob("*images*"), place / "data.mdb") if place.is_dir() else place
    whole, draw, refused = file.read_bytes(), random.Random(0), 0
    for turn in range(60):
        damaged = bytearray(whole)
        if turn % 2:
            damaged = damaged[: draw.randrange(len(whole))]
        else:
            damaged[draw.randrange(min(len(whole), 9000)) if turn % 4 else draw.randrange(len(whole))] ^= 0xFF
        file.write_bytes(damaged)
        try:
            ImageSet(place, fit="crop").check()
        except InputError as error:
            assert "\n" not in str(error)
            refused += 1
    assert refused >= 25


def test_checked_sets_say_what_they_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder_of(tmp_path / "photos", {"a.png": (8, 8), "b.png": (8, 8)}, [["a.png", LABEL], ["b.png", LABEL]])
    for data in (place, zipped(place)):
        assert run(["check", "--data", str(data)]) == 0
        assert capsys.readouterr().out == "2 pictures of 8 x 8 pixels, labels of 25 numbers.\n"
    corrupt(place)
    with pytest.raises(InputError, match=r"a\.png is damaged"):
        run(["check", "--data", str(place)])
