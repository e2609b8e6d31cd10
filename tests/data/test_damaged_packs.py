"""Packs whose arrays or index are not what they tell of each other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monoform.data import PackedObjects, pack_meshes
from monoform.data.objects.sources import Source
from monoform.data.packs.arrays import array_path, array_specs
from monoform.data.packs.labels import LabelOptions
from monoform.data.packs.pack import PackOptions
from monoform.data.packs.small import SmallOptions, shrink
from monoform.data.packs.views import ViewOptions
from monoform.errors import InputError

NAMES = [spec.name for spec in array_specs(ViewOptions(), LabelOptions())]
Change = Callable[[np.ndarray], np.ndarray]
CHANGES: dict[str, Change] = {
    "another shape": lambda array: array[:, :1] if array.shape[1] > 1 else array[:, :0],
    "another dimension": lambda array: array.reshape(len(array), -1, 1, 1, 1, 1),
    "another type": lambda array: array.astype(np.float64),
    "too few rows": lambda array: array[:1],
    "no rows": lambda array: array[:0],
    "a number": lambda array: np.array(1.0),
}

PLACES = [("objects",), ("objects", 0), ("objects", 0, "row"), ("objects", 0, "name"), ("objects", 0, "licence")]
PLACES += [("options",), ("options", "views"), ("options", "views", "size"), ("options", "views", "count")]
PLACES += [("options", "labels", "points")]


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "pack"
    options = PackOptions(ViewOptions(2, 16, 1), LabelOptions(points=64, surface=32, voxels=32))
    pack_meshes([Source("mug1"), Source("mug2")], folder, options, workers=1)
    shrink(folder, folder.with_name("small"), SmallOptions(2, 16, 75, 32, 16, maps=True))
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", CHANGES)
def test_arrays_are_compared_with_the_index(name: str, change: str, pack: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pack, tmp_path / "pack"))
    assert len(PackedObjects(folder)) == 2
    array = np.load(array_path(folder, name))
    np.save(array_path(folder, name), CHANGES[change](array))
    with pytest.raises(InputError, match=rf"{name}\.npy.*prepare the data again"):
        PackedObjects(folder)


@pytest.mark.parametrize(
    "name", ["images_bytes", "images_ends", "world_from_camera", "intrinsics", "points", "sdf", "depth_ends"]
)
def test_arrays_of_small_packs_too(name: str, pack: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pack.with_name("small"), tmp_path / "small"))
    assert PackedObjects(folder).batch([1], points=8, surface=4)["images"].shape == (1, 1, 16, 16, 4)
    with np.load(folder / "small.npz") as file:
        arrays = dict(file)
    for changed in (arrays[name][:1], arrays[name][..., None], *([] if name == "depth_ends" else [None])):
        other = {key: value for key, value in (arrays | {name: changed}).items() if value is not None}
        np.savez(folder / "small.npz", **other)
        with pytest.raises(InputError, match=r"small"):
            PackedObjects(folder)


@pytest.mark.parametrize("value", [None, 5, "x", [], {}, -1, 0.5, 2**70, [{"row": 0}], True])
@pytest.mark.parametrize("place", PLACES)
def test_entries_of_another_kind_are_told(place: tuple, value: Any, pack: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pack, tmp_path / "pack"))
    index = json.loads((folder / "pack.json").read_text())
    holder = index
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    (folder / "pack.json").write_text(json.dumps(index))
    try:
        found = PackedObjects(folder)
    except InputError:
        return
    # A name or a licence may be any word.
    assert value == "x" and place[-1] in ("name", "licence") and len(found) == 2


def test_pictures_of_small_packs_are_of_one_format(pack: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pack.with_name("small"), tmp_path / "small"))
    with np.load(folder / "small.npz") as file:
        arrays = dict(file)
    script = np.frombuffer(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 16 16\n%%EndComments\n", np.uint8)
    count = len(arrays["images_ends"])
    arrays |= {"images_bytes": np.tile(script, count), "images_ends": len(script) * np.arange(1, count + 1)}
    np.savez(folder / "small.npz", **arrays)
    with pytest.raises(InputError, match="cannot identify image"):
        PackedObjects(folder)
