"""Opens captures of any layout, and says which photos are held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ...camera.sphere import FARTHEST
from ...errors import InputError
from .capture import Capture, CaptureLayout, CaptureView
from .colmap import colmap_folder, open_colmap
from .llff import open_llff
from .transforms import open_blender, open_transforms

HELD_OUT = 8  # every eighth view, where a layout knows no split


def detect_capture(path: str | Path) -> CaptureLayout | None:
    """The layout of a folder or of a transforms file, by the names of its files; None where it is none of them."""
    path = Path(path)
    if path.suffix.lower() == ".json" or (path / "transforms.json").is_file():
        return "transforms"
    if (path / "transforms_train.json").is_file():
        return "blender"
    if (path / "poses_bounds.npy").is_file():
        return "llff"
    return "colmap" if colmap_folder(path) is not None else None


def open_capture(
    path: str | Path,
    layout: CaptureLayout | Literal["auto"] = "auto",
    *,
    up: Literal["auto", "y", "z"] = "auto",
) -> Capture:
    """Read the cameras of a capture; its photos are looked for, not read.

    Where a layout knows no split, every eighth view is for testing.

    Args:
        path: folder, or a transforms.json.
        up: the axis that points up in the files' world; auto takes the one that the photos' upper edges point along.
            Of colmap, whose world has no upright, auto turns it so that these point along y.

    Raises:
        InputError: no such layout, a file is missing or damaged, or a photo is not where it should be.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no folder {path}; check the path.")
    found = detect_capture(path) if layout == "auto" else layout
    if found is None:
        raise InputError(
            f"{path} is no capture that can be read: it has neither transforms.json, nor transforms_train.json "
            "(blender), nor poses_bounds.npy (llff), nor a folder sparse/0 with cameras and images (colmap)."
        )
    if found == "llff":
        capture = open_llff(path)
    elif found == "colmap":
        capture = open_colmap(path, upright=up == "auto")
    else:
        capture = open_blender(path, up) if found == "blender" else open_transforms(path, up)
    return _with_split(capture)


def _require_usable(view: CaptureView, root: Path) -> None:
    """What single precision leaves of a camera's numbers is still a camera."""
    x, y, z = view.camera.position[0].tolist()
    focal = [float(view.camera.intrinsics[0, axis, axis]) for axis in (0, 1)]
    if not all(1e-3 < value < 1e7 for value in focal):
        raise InputError(
            f"{root}: {view.name} has the focal lengths {focal[0]:g}, {focal[1]:g} pixels; write it again."
        )
    if not max(abs(x), abs(y), abs(z)) < FARTHEST:
        raise InputError(f"{root}: the camera of {view.name} is at {x:g}, {y:g}, {z:g}; scale the positions.")


def _with_split(capture: Capture) -> Capture:
    if not capture.views:
        raise InputError(f"{capture.root} names no photo.")
    for view in capture.views:
        _require_usable(view, capture.root)
    if not capture.of_split("train"):
        raise InputError(f"{capture.root} has no photo to train on; its split names none.")
    split_known = capture.split_told or len({view.split for view in capture.views}) > 1
    if split_known or len(capture.views) < HELD_OUT:
        return capture
    views: Sequence[CaptureView] = [
        replace(view, split="test") if number % HELD_OUT == HELD_OUT - 1 else view
        for number, view in enumerate(capture.views)
    ]
    return replace(capture, views=tuple(views))
