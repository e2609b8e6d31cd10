"""ShapeNet as LIST reads it: renderings with more variation, and shapes of DISN (Xu et al. 2019) sampled by us.

`ROOT/images/CATEGORY/OBJECT/{easy,hard}/NN.png` (also `image/CATEGORY/...`, as the archives unpack), RGBA on black;
`ROOT/sampled_points/CATEGORY/OBJECT/{sampled_points,farthest_pointclouds}.h5`; `ROOT/splits/CATEGORY_{train,test}.lst`,
one object a line.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8

from ...errors import InputError
from ...inputs import listed as entries
from ...inputs import read_pixels, read_text
from .files import CLOUD, SAMPLES, read_cloud, read_near
from .items import Draw, DrawOptions, ShapeItem, drawn_near, resized
from .renderings import METADATA, Variation, read_cameras
from .samples import SIGMAS

IMAGES, SAMPLED, LISTS = ("images", "image"), "sampled_points", "splits"
CATEGORIES = {
    "02691156": "airplane",
    "02828884": "bench",
    "02933112": "cabinet",
    "02958343": "car",
    "03001627": "chair",
    "03211117": "display",
    "03636649": "lamp",
    "03691459": "speaker",
    "04090263": "rifle",
    "04256520": "sofa",
    "04379243": "table",
    "04401088": "phone",
    "04530566": "watercraft",
}
FIRST_STAGE_MOST, SECOND_STAGE_MOST = 2500, 2000  # objects of a category that the published trainings use


@dataclass(frozen=True)
class ListedObject:
    """An object as DISN's lists name it.

    Attributes:
        category: as the lists name it.
        name: as the lists name it.
        pictures: its views, sorted.
        samples: folder of its HDF5 files.
        place: in its category's list, from 0; missing ones count.
    """

    category: str
    name: str
    pictures: tuple[Path, ...]
    samples: Path
    place: int = 0

    @property
    def views(self) -> tuple[int, ...]:
        """The number of each view: that of its file, NN.png; where files are named otherwise, its place among them."""
        stems = [file.stem for file in self.pictures]
        numbered = all(stem.isascii() and stem.isdigit() for stem in stems)
        return tuple(map(int, stems)) if numbered else tuple(range(len(stems)))

    def file(self, view: int) -> Path:
        """The picture of a view.

        Raises:
            InputError: there is no view of this number.
        """
        if view not in self.views:
            raise InputError(f"{self.category}/{self.name} has no view {view}: there are {_spans(self.views)}.")
        return self.pictures[self.views.index(view)]


class DisnObjects:
    """Reader of one split.

    Args:
        data: the folder with images/, sampled_points/ and splits/.
        split: "train" or "test".
        categories: ids; None for all that have a list.
        most: objects of a category, from the start of its list; 0 for all.
        sigmas: offsets whose points are read.
        cloud: whether the farthest points are read (and must be there).
        variation: which set of pictures: easy, or hard, whose objects are moved off the middle.
        side: to which pictures are brought, in pixels; 0 leaves them as they are.

    Attributes:
        missing: what the lists name and the folder lacks, a sentence each.

    Raises:
        InputError: the folder or its lists are missing, or nothing that they name is there.
    """

    def __init__(
        self,
        data: str | Path,
        split: Literal["train", "test"] = "train",
        *,
        categories: Sequence[str] | None = None,
        most: int = 0,
        sigmas: tuple[float, ...] = SIGMAS,
        cloud: bool = True,
        variation: Variation = "easy",
        side: int = 0,
    ) -> None:
        self.root, self.sigmas, self.cloud = Path(data), sigmas, cloud
        self.variation, self.side = variation, side
        self.missing: list[str] = []
        self.objects: list[ListedObject] = []
        for category, names in listed(self.root, split, categories).items():
            for place, name in enumerate(names[: most or None]):
                found = self._found(category, name, place)
                if isinstance(found, str):
                    self.missing.append(found)
                else:
                    self.objects.append(found)
        if not self.missing and not self.objects:
            raise InputError(f"The lists of the {split} split in {self.root} name no object: choose another split.")
        if not self.objects:
            raise InputError(
                f"None of the {len(self.missing)} objects listed in {self.root} is there: {self.missing[0]}"
            )

    def _found(self, category: str, name: str, place: int) -> ListedObject | str:
        pictures = pictures_of(self.root, category, name) / self.variation
        files = tuple(entries(pictures, (".png",))) if pictures.is_dir() else ()
        if not files:
            return f"{category}/{name} has no picture in {pictures}."
        samples = self.root / SAMPLED / category / name
        for wanted in (SAMPLES, CLOUD) if self.cloud else (SAMPLES,):
            if not (samples / wanted).is_file():
                return f"{category}/{name} has no {wanted} in {samples}; `monoform prepare sdf` makes it."
        return ListedObject(category, name, files, samples, place)

    def __len__(self) -> int:
        return len(self.objects)

    @property
    def names(self) -> list[str]:
        """CATEGORY/OBJECT of each."""
        return [f"{each.category}/{each.name}" for each in self.objects]

    def picture(self, index: int, view: int) -> UInt8[np.ndarray, "h w 3"]:
        """A view's colours; what is transparent shows the colour beneath, which is black in the published renderings.

        Raises:
            InputError: there is no such view, or it cannot be read.
        """
        pixels = np.ascontiguousarray(read_pixels(self.objects[index].file(view), "RGBA")[..., :3])
        return resized(pixels, self.side)

    def eye(self, index: int, view: int) -> tuple[float, ...] | None:
        """Where the view's camera was, where the diagonal of the object's box is 1; None where no file tells.

        Raises:
            InputError: the file is damaged, or tells of fewer views.
        """
        file = self.objects[index].file(view)
        metadata = file.parent / METADATA
        if not metadata.is_file() or not file.stem.isdigit():
            return None
        cameras = read_cameras(metadata)
        if int(file.stem) >= len(cameras):
            raise InputError(f"{metadata} tells of {len(cameras)} views, and {file.name} is there; unpack it again.")
        return cameras[int(file.stem)].eye

    def first(self, most: int) -> DisnObjects:
        """The same reader of those that stand among the first `most` of their category's list."""
        part = copy.copy(self)
        part.objects = [each for each in self.objects if each.place < most]
        return part

    def item(self, index: int, options: DrawOptions, draw: Draw) -> ShapeItem:
        """A random view, the cloud, and points drawn at each offset.

        Raises:
            InputError: a file is damaged.
        """
        each = self.objects[index]
        picture = self.picture(index, each.views[int(draw(len(each.views), 1)[0])])
        return self.shape(index, picture, options, draw)

    def shape(self, index: int, picture: UInt8[np.ndarray, "h w 3"], options: DrawOptions, draw: Draw) -> ShapeItem:
        """The object with a given picture."""
        folder = self.objects[index].samples
        points, sdf = drawn_near(read_near(folder / SAMPLES, self.sigmas), options.counts, draw)
        cloud = read_cloud(folder / CLOUD) if self.cloud else points[:0]
        return ShapeItem(picture, cloud, points, sdf)


def _spans(numbers: Sequence[int]) -> str:
    """Numbers as 0 to 3, 5."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in spans)


def pictures_of(root: Path, category: str, name: str) -> Path:
    """The folder of an object's sets of pictures."""
    folders = [root / images / category / name for images in IMAGES]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def listed(root: Path, split: str, categories: Sequence[str] | None) -> dict[str, list[str]]:
    """The objects of each category's list.

    Raises:
        InputError: the folder is missing, or a category has no list, or there is none at all.
    """
    folder = root / LISTS
    if not folder.is_dir():
        raise InputError(f"{root} has no folder {LISTS}; put the lists CATEGORY_{split}.lst there.")
    ending = f"_{split}.lst"
    if categories is None:
        categories = [file.name.removesuffix(ending) for file in entries(folder) if file.name.endswith(ending)]
    if not categories:
        raise InputError(f"{folder} has no list CATEGORY{ending}; put at least one there.")
    result = {}
    for category in categories:
        file = folder / f"{category}{ending}"
        words = read_text(file, advice="put one object a line").split()
        result[category] = list(dict.fromkeys(words))
    return result
