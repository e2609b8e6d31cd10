"""Samples as a data set: pictures in a folder, and dataset.json with the camera of each in 25 numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..camera import Camera
from ..methods import Generator
from ..outputs import Kind, atomic_folder
from ..scene.result_files import CAMERA, read_json
from .sample_pictures import IMAGE

LABELS, WRITER = "dataset.json", "monoform generate"


def _owned(record: Mapping[str, Any]) -> list[str] | None:
    return [name for name, _ in record["labels"]] if record.get("writer") == WRITER else None


LABELED = Kind("data set of samples by monoform", LABELS, _owned)


def write_data_set(method: Generator, samples: Sequence[Path], out: Path) -> Path:
    """Write the pictures of samples, named after their folders, and dataset.json in the layout of EG3D.

    A label is world_from_camera (16 numbers, row by row, axes x right, y down, z forward) and the intrinsics (9) of a
    picture whose side is 1, in the world that the method's networks know.

    Args:
        samples: result folders of `generate`.
        out: a folder that is not there, or such a data set of before, which is replaced.

    Raises:
        InputError: something else lies at `out`.
    """
    with atomic_folder(out, LABELED) as place:
        labels = []
        for sample in samples:
            for picture, camera in pictures_of(sample):
                ending = picture.name.removeprefix("image")
                name = f"{sample.name}{ending}"
                shutil.copyfile(picture, place / name)
                labels.append([name, method.label(Camera.from_dict(read_json(camera)))])
        text = json.dumps({"labels": labels, "writer": WRITER})
        (place / LABELS).write_text(text + "\n", encoding="utf-8")
    return out


def pictures_of(folder: Path) -> list[tuple[Path, Path]]:
    """The pictures of a sample from its cameras, each with its camera.json."""
    if (folder / IMAGE).is_file():
        return [(folder / IMAGE, folder / CAMERA)]
    found = sorted(folder.glob("image_[0-9]*.png"))
    return [(picture, folder / f"camera_{picture.stem.removeprefix('image_')}.json") for picture in found]
