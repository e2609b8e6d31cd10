"""Pix3D (Sun et al. 2018) as LIST reads it: photos cut to the object's box, and shapes sampled by us.

`ROOT/splits/{train,test}.json`, lists of names that end in "NUMBER.pkl"; `ROOT/data/pix3d.json`, the official records;
`ROOT/data/img/CATEGORY/MODEL/IMAGE.npy` (h, w, 3 bytes); `ROOT/data/sampled_points/CATEGORY/MODEL/sampled_points.h5`,
where MODEL is "FOLDER.FILE" of the record's mesh, such as IKEA_BEDDINGE.model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from jaxtyping import UInt8

from ...errors import InputError
from ...inputs import read_array, read_json_value
from ...outputs import require_name
from .files import SAMPLES, read_near, read_surface
from .items import Draw, DrawOptions, ShapeItem, drawn_near, resized
from .samples import SIGMAS

RECORDS = "pix3d.json"
SIDE = 224
CLOUD_POINTS = 4096


@dataclass(frozen=True)
class Pix3dPhoto:
    """One photo of Pix3D.

    Attributes:
        category: of its record.
        model: name of the model it shows.
        picture: file of the photo.
        samples: folder of the model's samples.
        eye: the camera's place in the mesh's own frame, by the record's rot_mat and trans_mat; None where it has none.
    """

    category: str
    model: str
    picture: Path
    samples: Path
    eye: tuple[float, ...] | None = None


class Pix3dObjects:
    """Reader of one split; flipped entries are left out.

    Args:
        data: the folder with splits/ and data/.
        split: "train" or "test".
        categories: names; None for all.
        sigmas: offsets whose points are read.
        side: to which pictures are brought, in pixels.

    Attributes:
        missing: what the split names and the folder lacks, a sentence each.

    Raises:
        InputError: the split or the records are missing or damaged, or nothing that they name is there.
    """

    def __init__(
        self,
        data: str | Path,
        split: Literal["train", "test"] = "train",
        *,
        categories: Sequence[str] | None = None,
        sigmas: tuple[float, ...] = SIGMAS,
        side: int = SIDE,
    ) -> None:
        self.root, self.sigmas, self.side = Path(data), sigmas, side
        records = read_records(self.root / "data" / RECORDS, "the official records")
        self.missing: list[str] = []
        self.photos: list[Pix3dPhoto] = []
        for name in read_records(self.root / "splits" / f"{split}.json", "a list of names"):
            if "flipped" in str(name):
                continue
            found = self._found(str(name), records)
            if isinstance(found, str):
                self.missing.append(found)
            elif categories is None or found.category in categories:
                self.photos.append(found)
        if not self.photos:
            reason = self.missing[0] if self.missing else "the split is empty, or has none of the categories."
            raise InputError(f"Nothing of the split {split} is in {self.root}: {reason}")

    def _found(self, name: str, records: list[Any]) -> Pix3dPhoto | str:
        number = PurePosixPath(name).name.removesuffix(".pkl")
        try:
            record = records[int(number)]
            category, model, image = model_of(record)
        except (ValueError, IndexError):  # InputError is a ValueError
            return f"{name} names no record of {RECORDS}."
        place = self.root / "data"
        found = Pix3dPhoto(
            category,
            model,
            place / "img" / category / model / f"{image}.npy",
            place / "sampled_points" / category / model,
            _eye(record),
        )
        for file in (found.picture, found.samples / SAMPLES):
            if not file.is_file():
                return f"{category}/{model} has no {file}."
        return found

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def names(self) -> list[str]:
        """CATEGORY/MODEL/IMAGE of each."""
        return [f"{each.category}/{each.model}/{each.picture.stem}" for each in self.photos]

    def picture(self, index: int) -> UInt8[np.ndarray, "s s 3"]:
        """The photo's crop, brought to a square whatever its shape.

        Raises:
            InputError: the file is damaged or holds something else.
        """
        return resized(self.crop(self.photos[index].picture), self.side)

    @staticmethod
    def crop(file: Path) -> UInt8[np.ndarray, "h w 3"]:
        """A photo's crop as it is stored.

        Raises:
            InputError: the file is damaged or holds something else.
        """
        pixels = read_array(file, advice="make it again")
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise InputError(
                f"{file} is {pixels.dtype} of shape {pixels.shape} and not bytes (h, w, 3); make it again."
            )
        return pixels

    def item(self, index: int, options: DrawOptions, draw: Draw) -> ShapeItem:
        """The photo, 4096 surface points drawn at random, and points drawn at each offset.

        Raises:
            InputError: a file is damaged.
        """
        file = self.photos[index].samples / SAMPLES
        surface = read_surface(file)
        points, sdf = drawn_near(read_near(file, self.sigmas), options.counts, draw)
        return ShapeItem(self.picture(index), surface[draw(len(surface), CLOUD_POINTS)], points, sdf)


def _eye(record: Mapping[str, Any]) -> tuple[float, ...] | None:
    try:
        turn, move = np.array(record["rot_mat"], float).reshape(3, 3), np.array(record["trans_mat"], float).reshape(3)
    except (KeyError, TypeError, ValueError):
        return None
    eye = -turn.T @ move
    return tuple(eye.tolist()) if np.isfinite(eye).all() else None


def model_of(record: Any) -> tuple[str, str, str]:
    """A record's category, its model's name FOLDER.FILE, and its photo's name.

    Raises:
        InputError: the record does not tell, or a name is none of a folder.
    """
    try:
        category, mesh, image = (PurePosixPath(str(record[key])) for key in ("category", "model", "img"))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"A record of {RECORDS} has no category, model or img: {str(record)[:80]}.") from error
    names = str(category), f"{mesh.parent.name}.{mesh.stem}", image.stem
    for name in names:
        require_name(name)
    return names


def read_records(file: Path, what: str = "a list") -> list[Any]:
    """The list that a JSON file holds.

    Raises:
        InputError: the file is missing or damaged, or holds something else.
    """
    found = read_json_value(file, advice=f"it should hold {what}", missing=f"it should hold {what}")
    if not isinstance(found, list):
        raise InputError(f"{file} holds a {type(found).__name__}; it should hold {what}.")
    return found
