"""Are sets of photos of a category in a folder, and can they be read? What there is, or the first thing wrong."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...errors import InputError
from ...inputs import listed
from ...inputs.remote import AnyPath, any_path
from .detections import DetectedPhotos, lists_of, validation_file
from .kinds import CATEGORIES, Split
from .open import open_category
from .photos import CategoryPhotos

Progress = Callable[[int, int, str], None]
SIZE = 64


def categories_in(data: str | AnyPath) -> dict[str, list[Split]]:
    """The sets below a folder and their splits, by the names of the files."""
    root = any_path(data)
    found: dict[str, list[Split]] = {}
    for kind in ("p3d", "imagenet"):
        for folder in listed(root / kind) if (root / kind).is_dir() else ():
            if folder.name.startswith(f"{kind}_") and lists_of(root, folder.name)[0].is_file():
                found[folder.name] = ["train", "train-eval"]
    for folder in listed(root / "p3d" / "p3d_sfm_image" / "img_anno") if _has_tests(root) else ():
        name = f"p3d_{folder.name.removesuffix('_val.mat')}"
        if validation_file(root, name).is_file():
            found.setdefault(name, []).append("test")
    if {"p3d_car", "imagenet_car"} <= set(found):
        found["p3d_car"].append("imagenet-test")
    if (root / "cub" / "data").is_dir():
        parts: dict[str, list[Split]] = {"train": ["train", "train-eval"], "test": ["test"]}
        there = [part for part in parts if (root / "cub" / "data" / f"{part}_cub_cleaned.mat").is_file()]
        found["cub"] = [split for part in there for split in parts[part]]
    if (root / "carla" / "carla_poses").is_dir():
        found["carla"] = ["train"]
    for name, category in CATEGORIES.items():
        if category.layout == "srn":
            place = root / "shapenet" / name.removeprefix("shapenet_")
            splits = [split for split in ("train", "test") if place.with_name(f"{place.name}_{split}").is_dir()]
            found |= {name: splits} if splits else {}  # type: ignore[dict-item]
    return {name: splits for name, splits in found.items() if splits}


def check_categories(data: str | AnyPath, *, quick: bool = False, progress: Progress | None = None) -> list[str]:
    """Read every photo of every split, and say in a sentence each what there is.

    Args:
        quick: decode only the first and the last photo of each split.
        progress: called with the number of photos read, of all, and the name of the last.

    Raises:
        InputError: there is no set, or the first thing that is wrong: which file, what about it, what to do.
    """
    sets = [(name, split) for name, splits in categories_in(data).items() for split in splits]
    if not sets:
        raise InputError(
            f"{data} holds no set of photos of a category: p3d/NAME/detections.npy, imagenet/NAME/detections.npy, "
            "cub/data, carla/carla_poses or shapenet/cars_train."
        )
    opened = [(f"{name} {split}", open_category(data, name, split)) for name, split in sets]
    chosen = [_some(photos, quick) for _, photos in opened]
    total, finished, told = sum(map(len, chosen)), 0, []
    for (name, photos), numbers in zip(opened, chosen, strict=True):
        for number in numbers:
            picture = photos.photo(number, SIZE)
            finished += 1
            if progress:
                progress(finished, total, picture.name)
        _require_cameras(photos, name)
        told.append(sentence_of(photos, name))
    return told


def sentence_of(photos: CategoryPhotos, name: str) -> str:
    """A summary of a split."""
    mirrored = ", each with its mirror image" if photos.has_mirrored else ""
    shown = f"cropped to {100 * photos.margin:g} % around the object" if photos.crop else "whole"
    if photos.poses is None:
        cameras = "without cameras"
    elif photos.poses.orthographic:
        cameras = "orthographic cameras"
    else:
        low, high = float(photos.focals.min()), float(photos.focals.max())
        cameras = f"focal lengths {low:.3g} to {high:.3g} of the width"
    classes = f", {photos.classes} classes" if photos.classes else ""
    return f"{name}: {len(photos.names)} photos, {shown}{mirrored}, {cameras}{classes}."


def _has_tests(root: AnyPath) -> bool:
    return (root / "p3d" / "p3d_sfm_image" / "img_anno").is_dir()


def _some(photos: CategoryPhotos, quick: bool) -> list[int]:
    """Numbers of the photos to decode; mirror images are those of the others."""
    last = len(photos.names) - 1
    return sorted({0, last}) if quick else list(range(last + 1))


def _require_cameras(photos: CategoryPhotos, name: str) -> None:
    """Objects lie around the world's origin, before every camera."""
    if photos.poses is None:
        return
    camera = photos.poses.cameras(SIZE)
    behind = camera.project(torch.zeros(len(camera), 1, 3))[1][:, 0] <= 0
    if bool(behind.any()):
        at = int(behind.nonzero()[0]) % len(photos.names)
        what = "scale" if isinstance(photos, DetectedPhotos) else "axes"
        raise InputError(
            f"{name}: the camera of {photos.names[at]} looks away from the world's origin, where the object should be; "
            f"check the {what} of its pose."
        )
