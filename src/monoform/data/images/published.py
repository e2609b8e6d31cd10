"""Sets of photos that are published in containers of their own: LSUN's LMDB, CIFAR-10's pickles, MNIST's arrays."""

from __future__ import annotations

import gzip
import io
import math
import struct
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

from ...errors import InputError
from ...inputs import open_picture
from ...inputs.archives import damaged, read_exactly
from ...inputs.files import is_folder, read_bytes, require_regular_file
from ...inputs.lmdb_files import LmdbFile, is_lmdb
from ...inputs.pickled_modules import read_pickle
from ...inputs.pictures import Orientation
from .sources import PhotoSource

MAX_BYTES = 1 << 30  # of a set that is held whole
CIFAR_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR_SIDE, MNIST_BORDER = 32, 2
MNIST_IMAGES, MNIST_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
ADVICE = "download it again"


class LmdbPhotos:
    """Pictures of an LMDB database by their keys, as LSUN's; without labels."""

    def __init__(self, place: Path) -> None:
        self.place, self.file = place, LmdbFile(place)
        self.names = [key.decode("ascii", "backslashreplace") for key in self.file.keys]

    def open(self, number: int, *, orientation: Orientation = "stored", profile: bool = False) -> Image.Image:
        """As of `PhotoSource`."""
        shown = f"{self.names[number]} in {self.place}"
        data = self.file.value(number)
        return open_picture(data, orientation=orientation, profile=profile, smallest=1, called=shown).image

    def labels(self) -> dict[str, Any] | None:
        """As of `PhotoSource`."""
        return None


class ArrayPhotos:
    """Pictures that lie in one array, with the class of each."""

    def __init__(self, place: Path, pixels: UInt8[np.ndarray, "n h w *c"], classes: Shaped[np.ndarray, " n"]) -> None:
        if len(pixels) != len(classes):
            raise InputError(f"{place} has {len(pixels)} pictures and {len(classes)} labels: {ADVICE}.")
        self.place, self.pixels, self.classes = place, pixels, classes
        self.names = [f"{number:08d}" for number in range(len(pixels))]

    def open(self, number: int, *, orientation: Orientation = "stored", profile: bool = False) -> Image.Image:
        """As of `PhotoSource`."""
        del orientation, profile
        return Image.fromarray(self.pixels[number])

    def labels(self) -> dict[str, Any] | None:
        """As of `PhotoSource`."""
        return dict(zip(self.names, map(int, self.classes), strict=True))


def published_source(place: Path) -> PhotoSource | None:
    """The photos of a published container; None where it is none.

    Raises:
        InputError: it is one and damaged.
    """
    if is_lmdb(place):
        return LmdbPhotos(place)
    if is_folder(place):
        images = [place / name for name in (MNIST_IMAGES, f"{MNIST_IMAGES}.gz") if (place / name).is_file()]
        if images:
            return _mnist(images[0])
        return _cifar(place, _batches_in(place)) if (place / CIFAR_BATCHES[0]).is_file() else None
    if "idx3-ubyte" in place.name:
        return _mnist(place)
    if place.name.endswith((".tar.gz", ".tgz", ".tar")):
        return _cifar(place, _batches_of(place))
    return None


def _batches_in(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name in CIFAR_BATCHES:
        yield str(folder / name), read_bytes(folder / name)


def _batches_of(file: Path) -> Iterator[tuple[str, bytes]]:
    """The batches of an archive, which are read as they come."""
    require_regular_file(file)
    found, room = {}, MAX_BYTES
    try:
        with tarfile.open(file, "r|*") as archive:
            for member in archive:
                name = Path(member.name).name
                room -= 512 + member.size
                if room < 0:
                    raise ValueError(f"it unfolds to more than {MAX_BYTES >> 20} MB")
                part = archive.extractfile(member) if member.isfile() and name in CIFAR_BATCHES else None
                if part is not None:
                    found[name] = bytes(read_exactly(part, member.size))  # type: ignore[arg-type]
    except Exception as error:  # tarfile, zlib and their like raise whatever they stumble over
        raise damaged(file, error, ADVICE) from error
    missing = [name for name in CIFAR_BATCHES if name not in found]
    if missing:
        raise InputError(f"{file} has no {missing[0]}; give CIFAR-10's archive for Python, cifar-10-python.tar.gz.")
    yield from ((f"{name} in {file}", found[name]) for name in CIFAR_BATCHES)


def _cifar(place: Path, batches: Iterator[tuple[str, bytes]]) -> ArrayPhotos:
    """CIFAR-10 as it is published for Python: batches of rows, each one plane of red, of green and of blue."""
    pixels, classes = [], []
    for shown, data in batches:
        content = read_pickle(data, shown, ADVICE)
        content = {_word(name): value for name, value in content.items()} if isinstance(content, dict) else {}
        rows, labels = content.get("data"), content.get("labels")
        if (
            not isinstance(rows, np.ndarray)
            or rows.dtype != np.uint8
            or rows.shape[1:] != (3 * CIFAR_SIDE**2,)
            or not isinstance(labels, list)
            or not all(type(label) is int and 0 <= label < 1 << 16 for label in labels)
        ):
            raise InputError(f"{shown} is no batch of CIFAR-10: {ADVICE}.")
        pixels.append(rows.reshape(-1, 3, CIFAR_SIDE, CIFAR_SIDE).transpose(0, 2, 3, 1))
        classes += labels
    return ArrayPhotos(place, np.ascontiguousarray(np.concatenate(pixels)), np.array(classes))


def _word(name: Any) -> Any:
    return name.decode("ascii", "replace") if isinstance(name, bytes) else name


def _mnist(images: Path) -> ArrayPhotos:
    """MNIST with a black border of 2 pixels, so that its side is a power of two, as generators need it."""
    pixels = _idx(images, 3)
    labels = images.with_name(images.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels == images:
        raise InputError(f"{images} has no name like {MNIST_IMAGES}.gz, by which its labels are found.")
    border = (MNIST_BORDER, MNIST_BORDER)
    return ArrayPhotos(images, np.pad(pixels, ((0, 0), border, border)), _idx(labels, 1))


def _idx(file: Path, dimensions: int) -> UInt8[np.ndarray, "*shape"]:
    """The bytes of one file, gzipped or not, after a head that tells their shape."""
    data = read_bytes(file, advice=f"{MNIST_IMAGES}.gz and {MNIST_LABELS}.gz lie side by side")
    try:
        if data[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as unfolded:
                data = unfolded.read(MAX_BYTES + 1)
        zero, kind, count, *shape = struct.unpack_from(f">HBB{dimensions}I", data)
        start = 4 + 4 * dimensions
        if (zero, kind, count) != (0, 8, dimensions) or len(data) != start + math.prod(shape):
            raise ValueError("its head does not fit its bytes")
        return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
    except Exception as error:  # gzip, zlib and struct raise whatever they stumble over
        raise damaged(file, error, ADVICE) from error
