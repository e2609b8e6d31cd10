"""Is a folder a data set that can be read? The first thing that is wrong, or what there is."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch

from ...errors import InputError
from ...inputs import listed, listed_below, require_folder, require_regular_file
from ...inputs.remote import AnyPath
from .captures import CaptureScenes, captures_in, has_captures
from .dtu import LISTS, DtuObjects
from .dvr import SEEN, UNSEEN, DvrObjects
from .objects import PosedObject, PosedObjects
from .srn import SPLITS, SrnObjects, srn_prefix, srn_prefixes
from .two_object import OBJECT, TRANSFORMS, TwoObjectScenes

Format = Literal["srn", "dvr", "dtu", "two_object", "captures"]
FORMATS: tuple[Format, ...] = get_args(Format)
Progress = Callable[[int, int, str], None]
_OUTSIDE = 0.5  # the world's origin may lie this share of the picture beyond its edge


@dataclass(frozen=True)
class SplitFound:
    """One split of a data set.

    Attributes:
        name: of the split.
        objects: number of objects.
        views: number of views.
        sizes: width and height of the pictures, in pixels.
        near: least distance along unit rays, in world units.
        far: largest distance along unit rays, in world units.
        skipped: what is left out, a sentence each.
    """

    name: str
    objects: int
    views: int
    sizes: tuple[tuple[int, int], ...]
    near: float
    far: float
    skipped: tuple[str, ...]

    def sentence(self) -> str:
        """A summary of the split, one sentence."""
        sizes = ", ".join(f"{width} x {height}" for width, height in self.sizes)
        left_out = "".join(f" Left out: {reason}." for reason in self.skipped)
        return (
            f"{self.name}: {self.objects} objects, {self.views} views of {sizes} pixels, near {self.near:g}, "
            f"far {self.far:g}.{left_out}"
        )


def detect_format(data: str | Path) -> Format:
    """Which format a folder has, by the names of its files.

    Raises:
        InputError: the folder is missing, or looks like none or several of the formats.
    """
    root = Path(data)
    srn = any(Path(f"{root}_{split}").is_dir() for split in SPLITS) or bool(srn_prefixes(root))
    if not srn:
        require_folder(root, "data folder")
    signs: dict[Format, bool] = {
        "srn": srn,
        "dvr": _has_list(root, SEEN) or _has_list(root, UNSEEN),
        "dtu": _has_list(root, LISTS),
        "two_object": any(
            file.name.endswith(OBJECT)
            for split in SPLITS
            if (root / split).is_dir()
            for scene in listed_below(root / split, TRANSFORMS)
            for file in listed(scene.parent)
        ),
    }
    found: list[Format] = [name for name, seen in signs.items() if seen]
    if not found and has_captures(root):
        return "captures"
    if len(found) == 1:
        return found[0]
    if found:
        raise InputError(f"{root} has files of the formats {', '.join(found)}; say which one to read with --format.")
    raise InputError(
        f"{root} has none of the known formats: folders NAME_train, NAME_val, NAME_test (srn); lists "
        "CATEGORY/softras_train.lst (dvr) or DTU/new_train.lst (dtu); train/SCENE/transforms.json with "
        "NAME_obj.png (two_object); captures of scenes, transforms.json, LLFF or COLMAP (captures)."
    )


def open_splits(data: str | Path, format: Format) -> dict[str, PosedObjects]:
    """A reader for every split that is there, in the pictures' own size.

    Raises:
        InputError: there is none, or one cannot be opened.
    """
    root = Path(data)
    readers: dict[str, PosedObjects] = {}
    if format == "srn":
        for prefix in srn_prefixes(root) or [srn_prefix(root)]:
            for split in SPLITS:
                if Path(f"{prefix}_{split}").is_dir():
                    readers[f"{prefix.name}_{split}"] = SrnObjects(prefix, split, size=None)
    elif format == "dvr":
        for lists in (SEEN, UNSEEN):
            for split in SPLITS:
                if _has_list(root, f"{lists}{split}.", filled=True):
                    readers[f"{lists}{split}"] = DvrObjects(root, split, lists=lists)
    elif format == "dtu":
        readers = {
            split: DtuObjects(root, split) for split in SPLITS[:2] if _has_list(root, f"{LISTS}{split}.", filled=True)
        }
    elif format == "two_object":
        readers = {split: TwoObjectScenes(root, split) for split in SPLITS if (root / split).is_dir()}
    elif format == "captures":
        readers = captures_in(root)
    else:
        raise InputError(f"There is no format {format!r}; choose one of {', '.join(FORMATS)}.")
    if not readers:
        raise InputError(f"{root} holds no object of the format {format}; check the path, the format and the lists.")
    return readers


def check_data(
    data: str | Path,
    format: Format | Literal["auto"] = "auto",
    *,
    quick: bool = False,
    progress: Progress | None = None,
) -> list[SplitFound]:
    """Read every object of every split, and say what there is.

    Args:
        quick: decode only the first and the last view of each object.
        progress: called with the number of objects read, of all, and the name of the last.

    Raises:
        InputError: the first thing that is wrong: which file, what about it, what to do.
    """
    readers = open_splits(data, detect_format(data) if format == "auto" else format)
    total, finished, found = sum(map(len, readers.values())), 0, []
    for name, objects in readers.items():
        views, sizes = 0, set()
        for number, key in enumerate(objects.keys):
            count = objects.view_count(number)
            item = objects.load(number, sorted({0, count - 1}) if quick else None)
            if not isinstance(objects, (DtuObjects, CaptureScenes)):
                _refuse_averted_cameras(item, objects.folder(number))
            views += count
            sizes.add((item.cameras.width, item.cameras.height))
            finished += 1
            if progress:
                progress(finished, total, key)
        skipped = tuple(objects.skipped.values())
        found.append(SplitFound(name, len(objects), views, tuple(sorted(sizes)), objects.near, objects.far, skipped))
    return found


def _refuse_averted_cameras(item: PosedObject, folder: AnyPath) -> None:
    """The usual mistake is another axis convention: then the object, around the origin, is not where cameras look."""
    pixels, depth = item.cameras.project(torch.zeros(len(item), 1, 3))
    distance = item.cameras.position.norm(dim=-1)
    size = torch.tensor([item.cameras.width, item.cameras.height])
    outside = ((pixels[:, 0] < -_OUTSIDE * size) | (pixels[:, 0] > (1 + _OUTSIDE) * size)).any(dim=-1)
    for number, view in enumerate(item.views):
        if depth[number, 0] <= 0 or outside[number]:
            raise InputError(
                f"{folder}, view {view}: the camera looks away from the world's origin, where the object should be; "
                "check the axes and the direction (camera to world or back) of its matrix."
            )
        if not item.near < distance[number] < item.far:
            raise InputError(
                f"{folder}, view {view}: the camera is {distance[number]:.3g} from the world's origin, but this format "
                f"renders from {item.near:g} to {item.far:g}; scale the poses so that the object lies between."
            )


def _has_list(root: Path, start: str, *, filled: bool = False) -> bool:
    """Whether a category has a list whose name begins so (one that names an object)."""
    return root.is_dir() and any(
        file.name.startswith(start) and (not filled or require_regular_file(file) > 0)
        for folder in listed(root)
        if os.path.isdir(folder)
        for file in listed(folder, (".lst",))
    )
