"""Labels of a set of photos: dataset.json, with the 25 numbers of a camera or the class of each picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32

from ...errors import InputError

FILE = "dataset.json"
LARGEST = float(np.finfo(np.float32).max)
CAMERA = 25
"""Numbers of a camera: its world_from_camera by rows, then its intrinsics by rows, over the picture's size."""


def fov_label(degrees: float) -> Float32[np.ndarray, " 25"]:
    """Intrinsics of a field of view, and nothing about the pose; with the published rounding of pi and of sqrt 2.

    Raises:
        InputError: it is no angle between 0 and 180 degrees.
    """
    if not 0 < degrees < 180:
        raise InputError(f"The field of view is {degrees:g} degrees; it lies between 0 and 180.")
    focal = 1 / (math.tan(degrees * 3.14159 / 360) * 1.414)
    return np.array([0.0] * 16 + [focal, 0, 0.5, 0, focal, 0.5, 0, 0, 1], np.float32)


def labels_by_name(content: Any, source: str) -> dict[str, Any] | None:
    """The labels that a parsed dataset.json holds, as they stand in it; None where it says that there are none.

    Raises:
        InputError: it is no list of [file name, label], or names a file twice with other labels.
    """
    advice = f'{source} is no list of labels; write {{"labels": [["photo.png", [25 numbers]], ...]}}.'
    if not isinstance(content, Mapping):
        raise InputError(advice)
    listed = content.get("labels")
    if listed is None:
        return None
    if isinstance(listed, Mapping):
        listed = list(listed.items())
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise InputError(advice)
    found: dict[str, Any] = {}
    for entry in listed:
        if not isinstance(entry, (list, tuple)) or len(entry) != 2 or not isinstance(entry[0], str):
            raise InputError(advice)
        name = entry[0].replace("\\", "/")
        if found.get(name, entry[1]) != entry[1]:
            raise InputError(f"{source} has two different labels for {name}: leave one of them out.")
        found[name] = entry[1]
    return found


def label_rows(names: Sequence[str], found: Mapping[str, Any], source: str) -> Float32[np.ndarray, "n d"]:
    """A row for each picture: the numbers of its label, or 1 at its class.

    Raises:
        InputError: a picture has none, or labels differ in length, are no numbers, or too large.
    """
    missing = [name for name in names if found.get(name) is None]
    if missing:
        raise InputError(
            f"{source} has no label for {missing[0]} ({len(missing)} of {len(names)} pictures have none): add them, or "
            'write {"labels": null} to use the pictures without.'
        )
    labels = [found[name] for name in names]
    if all(type(label) is int for label in labels):
        if min(labels) < 0 or max(labels) >= 1 << 16:
            raise InputError(f"{source} has the class {min(labels) if min(labels) < 0 else max(labels)}, out of range.")
        return np.eye(max(labels) + 1, dtype=np.float32)[labels]
    for name, label in zip(names, labels, strict=True):
        if not isinstance(label, list) or not all(type(number) in (int, float) for number in label):
            raise InputError(f"{source}: the label of {name} is no list of numbers.")
        if len(label) != len(labels[0]) or not label:
            raise InputError(
                f"{source}: the label of {name} has {len(label)} numbers, that of {names[0]} {len(labels[0])}."
            )
        large = next((number for number in label if abs(number) > LARGEST), None)
        if large is not None:
            raise InputError(f"{source}: the label of {name} has the number {large:.3g}, too large for a camera.")
    return np.array(labels, np.float32)
