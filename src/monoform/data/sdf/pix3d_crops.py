"""Pix3D as it is published (Sun et al. 2018), made into what LIST reads: photos cut to their objects' boxes.

`ROOT/pix3d.json` holds a record for each photo: img, mask and model (paths below ROOT), category, bbox (left, top,
right, bottom, in pixels), rot_mat and trans_mat.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ...errors import InputError, WriteError
from ...inputs import read_pixels
from ...outputs import Kind, atomic_file, atomic_stream, claimed
from ...workers import map_unordered
from ..objects.sources import Source
from .pix3d import RECORDS, model_of, read_records

INDEX = "crops.json"
CROPS = Kind(
    "folder of Pix3D's crops of monoform", INDEX, lambda record: ("data", "splits") if "masked" in record else None
)
SPLITS = ("train", "test")
LEAST = 2  # pixels of a box along either side
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class CropOptions:
    """What is made.

    Attributes:
        masked: black out what lies outside the object's mask.
        test_share: of the models of each category, and so of their photos, for the test split.
        seed: deals them.
    """

    masked: bool = False
    test_share: float = 0.25
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.test_share < 1:
            raise InputError(f"The test split's share is {self.test_share}; it must be at least 0 and below 1.")


@dataclass(frozen=True)
class Cropped:
    """What has been made.

    Attributes:
        made: photos cut now.
        kept: photos cut before.
        splits: photos of each split.
        failed: photos left out, and why.
    """

    made: int
    kept: int
    splits: dict[str, int]
    failed: dict[str, str]


def crop_photos(
    data: str | Path,
    out: str | Path,
    options: CropOptions | None = None,
    *,
    splits: str | Path | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Cropped:
    """Write `out`/data/img/CATEGORY/MODEL/IMAGE.npy, `out`/data/pix3d.json and `out`/splits/{train,test}.json.

    What is there is kept; a rerun after an interrupt goes on. Photos whose files or boxes are wrong are left out.

    Args:
        splits: folder with train.json and test.json of others, lists of names that end in NUMBER.pkl; None deals the
            models, so that none has photos in both.

    Raises:
        InputError: the records or splits cannot be read, no photo can be used, or `out` holds other crops.
    """
    options, data, out = options or CropOptions(), Path(data), Path(out)
    records = read_records(data / RECORDS)
    dealt = _dealt(records, options) if splits is None else _given(Path(splits))
    asked = json.loads(
        json.dumps(asdict(options) | {"records": hashlib.sha256(json.dumps(records).encode()).hexdigest()})
    )
    other = f"{out} holds crops of other photos or options, see {out / INDEX}; choose another folder."
    with claimed(out, CROPS, same=lambda record: record == asked, other=other) as place:
        if place.stored is None:
            place.record(asked)
        targets: dict[Path, int] = {}
        failed: dict[str, str] = {}
        for number, record in enumerate(records):
            try:
                targets.setdefault(out / "data" / crop_file(record), number)
            except InputError as error:
                failed[str(number)] = str(error)
        waiting = [(number, file) for file, number in targets.items() if not file.is_file()]
        kept, make = len(targets) - len(waiting), functools.partial(_make, data, records, options.masked)
        for done, ((number, file), reason) in enumerate(map_unordered(make, waiting, workers=workers), kept + 1):
            if reason:
                failed[str(records[number].get("img", number))] = reason
            if progress:
                progress(done, len(targets), file.stem)
        if not any(file.is_file() for file in targets):
            raise InputError(f"None of the {len(records)} photos can be used: {next(iter(failed.values()), 'none')}")
        for file, content in (
            (out / "data" / RECORDS, records),
            *((out / "splits" / f"{s}.json", dealt[s]) for s in SPLITS),
        ):
            with atomic_file(file) as draft:
                draft.write_text(json.dumps(content), encoding="utf-8")
    return Cropped(len(targets) - kept - len(failed), kept, {name: len(own) for name, own in dealt.items()}, failed)


def cropped(data: Path, record: Mapping[str, Any], *, masked: bool = False) -> UInt8[np.ndarray, "h w 3"]:
    """A record's photo cut to the box of its object, whose edges are rounded outwards and end with the photo.

    Raises:
        InputError: the photo, its mask or the box cannot be used.
    """
    file = below(data, record, "img")
    pixels = read_pixels(file, "RGB")
    left, top, right, bottom = box_of(record, pixels.shape[1], pixels.shape[0])
    if masked:
        mask = read_pixels(below(data, record, "mask"), "L")
        if mask.shape[:2] != pixels.shape[:2]:
            raise InputError(f"The mask of {file} is {mask.shape[1]} x {mask.shape[0]} pixels, the photo is not.")
        pixels = np.where(mask.reshape(*pixels.shape[:2], 1) > 127, pixels, 0).astype(np.uint8)
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def box_of(record: Mapping[str, Any], width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a record's box within a photo.

    Raises:
        InputError: the record has no box, or nearly nothing of it is in the photo.
    """
    name = record.get("img", "a photo")
    try:
        left, top, right, bottom = (float(each) for each in record["bbox"])
        box = math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{name} has no bbox of four numbers in {RECORDS}.") from error
    box = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    if box[2] - box[0] < LEAST or box[3] - box[1] < LEAST:
        raise InputError(f"{name} has the bbox {record['bbox']}, of which nothing is in its {width} x {height} pixels.")
    return box


def below(data: Path, record: Mapping[str, Any], key: str) -> Path:
    """The file that a record names, which lies below the data's folder.

    Raises:
        InputError: it names none, or one elsewhere.
    """
    name = record.get(key)
    path = PurePosixPath(name) if isinstance(name, str) else None
    if path is None or not path.parts or path.is_absolute() or ".." in path.parts:
        raise InputError(f"A record of {RECORDS} has {key} {name!r}, which is no path below its folder.")
    return data / path


def crop_file(record: Any) -> Path:
    """Where a record's crop lies, below data/.

    Raises:
        InputError: the record does not tell.
    """
    category, model, image = model_of(record)
    return Path("img") / category / model / f"{image}.npy"


def model_sources(data: str | Path) -> list[Source]:
    """The meshes that Pix3D's records name, named as LIST names them: FOLDER.FILE.

    Raises:
        InputError: the records cannot be read, or none names a mesh.
    """
    data, found = Path(data), dict[tuple[str, str], Source]()
    for record in read_records(data / RECORDS):
        try:
            category, model, _ = model_of(record)
            file = below(data, record, "model")
        except InputError:
            continue
        found.setdefault((category, model), Source(model, str(file), category=category))
    if not found:
        raise InputError(f"{data / RECORDS} names no mesh; give Pix3D's own file.")
    return list(found.values())


def _make(data: Path, records: Sequence[Any], masked: bool, job: tuple[int, Path]) -> str:
    """Cut one photo; the reason if that cannot be done, else empty."""
    number, file = job
    try:
        pixels = cropped(data, records[number], masked=masked)
        with atomic_stream(file) as stream:
            np.save(stream, pixels)
    except WriteError:
        raise
    except InputError as error:
        return str(error)
    return ""


def _dealt(records: Sequence[Any], options: CropOptions) -> dict[str, list[str]]:
    """Names of photos for each split: models in the order of the SHA-256 of "SEED CATEGORY/MODEL"."""
    photos: dict[str, dict[str, list[int]]] = {}
    for number, record in enumerate(records):
        try:
            category, model, _ = model_of(record)
        except InputError:
            continue
        photos.setdefault(category, {}).setdefault(model, []).append(number)
    dealt: dict[str, list[int]] = {split: [] for split in SPLITS}
    for category, models in photos.items():
        order = sorted(models, key=functools.partial(_digest, options.seed, category))
        count = round(options.test_share * len(order))
        for place, model in enumerate(order):
            dealt["test" if place < count else "train"] += models[model]
    return {split: [f"{number}.pkl" for number in sorted(own)] for split, own in dealt.items()}


def _digest(seed: int, category: str, model: str) -> str:
    return hashlib.sha256(f"{seed} {category}/{model}".encode()).hexdigest()


def _given(folder: Path) -> dict[str, list[str]]:
    lists = {split: read_records(folder / f"{split}.json") for split in SPLITS}
    return {split: [str(name) for name in names] for split, names in lists.items()}
