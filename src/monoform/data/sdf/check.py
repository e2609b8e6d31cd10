"""Are LIST's layouts in order? How much of what they list is there, or the first thing that is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from ...errors import InputError
from ...inputs import listed as entries
from ...inputs import picture_size, read_pixels
from ...mesh import load
from .disn import IMAGES, LISTS, listed, pictures_of
from .files import CLOUD, SAMPLES, read_cloud, read_near, read_surface
from .pix3d import RECORDS, Pix3dObjects, model_of, read_records
from .pix3d_crops import below, box_of, cropped
from .renderings import METADATA, VARIATIONS, read_cameras
from .samples import SIGMAS
from .truths import SCALED, TRUTHS

Layout = Literal["shapenet", "pix3d"]
Progress = Callable[[int, int, str], None]
SHAPES = "DISN"
SPLITS: tuple[Literal["train", "test"], ...] = ("train", "test")
SHOWN = 3  # names of what is missing
OFF = 0.02  # of the unit box by which a scaled surface may be off
FARTHER = (
    4.0  # offsets from the surface, where half of the points lie as far: the distances are not those of the points
)


def detect_layout(root: Path) -> Layout | None:
    """Which of LIST's layouts a folder has, by the names of its files; None where it has neither."""
    if (root / RECORDS).is_file() or (root / "data" / RECORDS).is_file():
        return "pix3d"
    lists = root / LISTS
    if lists.is_dir() and any(file.name.endswith(f"_{split}.lst") for file in entries(lists) for split in SPLITS):
        return "shapenet"
    for images in IMAGES:
        for category in entries(root / images)[:SHOWN] if (root / images).is_dir() else ():
            if category.is_dir() and any((each / VARIATIONS[0]).is_dir() for each in entries(category)[:SHOWN]):
                return "shapenet"
    return None


def check_shapes(root: Path, layout: Layout, *, quick: bool = False, progress: Progress | None = None) -> list[str]:
    """Sentences about what there is; what is listed and not there is counted.

    Args:
        quick: decode one picture of each object and read no samples.

    Raises:
        InputError: the first thing that is there and wrong, or nothing is there.
    """
    show = progress or (lambda done, total, name: None)
    if layout == "shapenet":
        return _check_shapenet(root, quick, show)
    if (root / "data" / RECORDS).is_file():
        return _check_pix3d(root, quick, show)
    return _check_published_pix3d(root, quick, show)


class _Missing:
    """What is listed and not there, by what it lacks."""

    def __init__(self) -> None:
        self.names: dict[str, list[str]] = {}

    def add(self, what: str, name: str) -> None:
        self.names.setdefault(what, []).append(name)

    def told(self) -> str:
        parts = []
        for what, names in self.names.items():
            more = ", ..." if len(names) > SHOWN else ""
            parts.append(f" {len(names)} without {what} ({', '.join(names[:SHOWN])}{more}).")
        return "".join(parts)


def _check_shapenet(root: Path, quick: bool, show: Progress) -> list[str]:
    lists = {split: _lists(root, split) for split in SPLITS}
    if not any(lists.values()):
        listed(root, "train", None)  # says what is missing
    total = sum(len(names) for categories in lists.values() for names in categories.values())
    told, done = [], 0
    for split, categories in lists.items():
        missing, there, views = _Missing(), 0, Counter[str]()
        sizes: set[tuple[int, int]] = set()
        for category, names in categories.items():
            for name in names:
                lacks = _object_lacks(root, category, name, quick, views, sizes)
                for what in lacks:
                    missing.add(what, f"{category}/{name}")
                there += not lacks
                done += 1
                show(done, total, name)
        if categories:
            count = sum(map(len, categories.values()))
            sets = ", ".join(f"{number} {variation} views" for variation, number in views.items()) or "no views"
            sides = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
            told.append(
                f"{split}: {there} of {count} objects of {len(categories)} categories are whole; {sets}"
                f"{f' of {sides} pixels' if sides else ''}.{missing.told()}"
            )
    if not any((root / "sampled_points").rglob(SAMPLES)):
        told.append(_unsampled(root, lists))
    return told


def _lists(root: Path, split: Literal["train", "test"]) -> dict[str, list[str]]:
    try:
        return listed(root, split, None)
    except InputError:
        if (root / LISTS).is_dir() and any(file.name.endswith(f"_{split}.lst") for file in entries(root / LISTS)):
            raise
        return {}


def _unsampled(root: Path, lists: dict) -> str:
    """What to do where no shape has been sampled yet."""
    wanted = {(category, name) for own in lists.values() for category, names in own.items() for name in names}
    there = sum((root / SHAPES / category / name / "isosurf.obj").is_file() for category, name in wanted)
    if not there:
        return (
            f"No shape is sampled, and there is no {SHAPES}/CATEGORY/OBJECT/isosurf.obj: `monoform prepare sdf --data "
            f"MESHES -o {root}` samples the meshes that were rendered."
        )
    return (
        f"No shape is sampled: {there} of {len(wanted)} have {SHAPES}/CATEGORY/OBJECT/isosurf.obj; `monoform prepare "
        f"sdf --data {root / SHAPES} --glob '*/*/isosurf.obj' -o {root}` samples them."
    )


def _object_lacks(
    root: Path, category: str, name: str, quick: bool, views: Counter[str], sizes: set[tuple[int, int]]
) -> list[str]:
    """What an object lacks; what it has is read."""
    lacks = []
    folder = pictures_of(root, category, name)
    for variation in VARIATIONS:
        files = entries(folder / variation, (".png",)) if (folder / variation).is_dir() else []
        for file in files[:1] if quick else files:
            read_pixels(file, "RGBA")
            sizes.add(picture_size(file))
        if files and (folder / variation / METADATA).is_file():
            cameras = read_cameras(folder / variation / METADATA)
            if len(cameras) < len(files):
                file = folder / variation / METADATA
                raise InputError(f"{file} tells of {len(cameras)} views, and {len(files)} are there; unpack it again.")
        numbers = {int(file.stem) for file in files if file.stem.isascii() and file.stem.isdigit()}
        if numbers and len(numbers) <= max(numbers):
            lacks.append(f"all {variation} views")
        views[variation] += len(files)
        if variation == VARIATIONS[0] and not files:
            lacks.append("pictures")
    views += Counter()  # drops sets without any
    return lacks + _shape_lacks(root, Path(category) / name, quick, cloud=True)


def _shape_lacks(root: Path, place: Path, quick: bool, *, cloud: bool) -> list[str]:
    """What a shape lacks of its samples and its surface; what it has is read."""
    samples, lacks = root / "sampled_points" / place, []
    if not (samples / SAMPLES).is_file():
        lacks.append("samples")
    elif not quick:
        _require_samples(samples / SAMPLES)
    if cloud and not (samples / CLOUD).is_file():
        lacks.append("farthest points")
    elif cloud and not quick:
        read_cloud(samples / CLOUD)
    surface = next((f for f in (root / folder / place / SCALED for folder in TRUTHS) if f.is_file()), None)
    if surface is None:
        lacks.append("a surface")
    elif not quick:
        low, high = load(surface, appearance=False).bounds
        _require_unit_box(surface, low, high)
    return lacks


def _require_samples(file: Path) -> None:
    surface = read_surface(file)
    side, far = float(np.ptp(surface, axis=0).max()), float(np.abs(surface).max())
    if far > 0.5 + OFF or side < 0.5:  # thin ends may have no points
        raise InputError(
            f"{file} has surface points up to {far:.3g} from the middle along an axis, a longest side of {side:.3g}; "
            "the shape should fill the box of side 1 around the origin: `monoform prepare sdf` scales shapes so."
        )
    for sigma, near in zip(SIGMAS, read_near(file, SIGMAS), strict=True):
        points, distance = near[:, :3], near[:, 3]
        if float(np.median(np.abs(distance))) > FARTHER * sigma + OFF:
            raise InputError(
                f"{file}: half of the points at the offset {sigma:g} lie {np.median(np.abs(distance)):.3g} or farther "
                "from the surface, so the distances are of another one or scale; sample it again with `monoform "
                "prepare sdf`."
            )
        if float(np.abs(points).max()) > 0.5 + OFF + 8 * sigma:
            raise InputError(
                f"{file}: a point at the offset {sigma:g} lies {np.abs(points).max():.3g} from the middle, far out of "
                "the box; sample it again with `monoform prepare sdf`."
            )
        if sigma == SIGMAS[-1] and not (distance < 0).any():
            raise InputError(
                f"{file}: no point at the offset {sigma:g} is inside (negative); the signs are lost or turned round."
            )
        if sigma == SIGMAS[-1] and not (distance > 0).any():
            raise InputError(f"{file}: no point at the offset {sigma:g} is outside (positive); the signs are lost.")


def _require_unit_box(file: Path, low: np.ndarray, high: np.ndarray) -> None:
    """A scaled shape stands around the origin, its longest side 1."""
    side, center = float((high - low).max()), float(np.abs(0.5 * (low + high)).max())
    if not (abs(side - 1) < OFF and center < OFF):
        raise InputError(
            f"{file} has a longest side of {side:.3g} and its middle {center:.3g} from the origin; it should be 1 "
            "and 0: `monoform prepare sdf` scales shapes so."
        )


def _check_pix3d(root: Path, quick: bool, show: Progress) -> list[str]:
    records, told = read_records(root / "data" / RECORDS, "the official records"), []
    for split in SPLITS:
        file = root / "splits" / f"{split}.json"
        if not file.is_file():
            continue
        names = [str(name) for name in read_records(file, "a list of names") if "flipped" not in str(name)]
        missing, there, models = _Missing(), 0, dict[Path, list[str]]()
        sides: list[int] = []
        for done, name in enumerate(names, start=1):
            lacks = _photo_lacks(root, records, name, quick, models, sides)
            for what in lacks:
                missing.add(what, name)
            there += not lacks
            show(done, len(names), name)
        shown = f"; crops of {min(sides)} to {max(sides)} pixels" if sides else ""
        told.append(
            f"{split}: {there} of {len(names)} photos of {len(models)} models are whole{shown}.{missing.told()}"
        )
    if not told:
        Pix3dObjects(root, "train")  # says what is missing
    return told


def _photo_lacks(
    root: Path, records: Sequence, name: str, quick: bool, models: dict[Path, list[str]], sides: list[int]
) -> list[str]:
    number = Path(name).name.removesuffix(".pkl")
    if not number.isdigit() or int(number) >= len(records):
        raise InputError(f"{root / LISTS} names {name!r}; {RECORDS} has the records 0 to {len(records) - 1}.")
    category, model, image = model_of(records[int(number)])
    place, lacks = Path(category) / model, []
    crop = root / "data" / "img" / place / f"{image}.npy"
    if not crop.is_file():
        lacks.append("a crop")
    elif not quick:
        sides.extend(Pix3dObjects.crop(crop).shape[:2])
    if place not in models:
        models[place] = _shape_lacks(root / "data", place, quick, cloud=False)
    return lacks + models[place]


def _check_published_pix3d(root: Path, quick: bool, show: Progress) -> list[str]:
    """The data set as it is published, before anything is made of it."""
    records, missing, whole = read_records(root / RECORDS, "the official records"), _Missing(), 0
    models: set[tuple[str, str]] = set()
    for done, record in enumerate(records, start=1):
        category, model, _ = model_of(record)
        lacks = [key for key in ("img", "mask", "model") if not below(root, record, key).is_file()]
        for key in lacks:
            missing.add({"img": "a photo", "mask": "a mask", "model": "a mesh"}[key], str(record[key]))
        if "img" not in lacks:
            box_of(record, *picture_size(below(root, record, "img")))
            if not quick:
                cropped(root, record, masked="mask" not in lacks)
        models.add((category, model))
        whole += not lacks
        show(done, len(records), str(record["img"]))
    return [
        f"Pix3D as published: {whole} of {len(records)} photos of {len(models)} models are whole.{missing.told()}",
        f"`monoform prepare pix3d --data {root} -o OUT` and `monoform prepare sdf --data {root} -o OUT/data` make of "
        "it what LIST reads.",
    ]
