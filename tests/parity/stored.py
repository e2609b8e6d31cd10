"""How golden cases are kept small: arrays by byte planes, results thinned, files without what is filled.

Cases with plain `np.savez` arrays and whole files are read as they are; `python -m tests.parity.pack` packs them.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from tests.parity.fill import fill_state

PLANES = "|"
HOLES = ".holes"
RESTORED = tempfile.TemporaryDirectory(prefix="monoform-golden-")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; one named "NAME|TYPE" holds the bytes of NAME, all first bytes before all second."""
    arrays = {}
    with np.load(path, allow_pickle=False) as archive:
        for stored in archive.files:
            values = archive[stored]
            name, planes, kind = stored.partition(PLANES)
            arrays[name] = np.moveaxis(values, 0, -1).copy().view(kind)[..., 0] if planes else values
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write what `read_arrays` reads: numbers of several bytes compress better by planes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, values in arrays.items():
            stored = name
            if values.dtype.kind in "fiu" and values.dtype.itemsize > 1 and values.size > 64:
                stored = f"{name}{PLANES}{values.dtype.str}"
                bytes_last = np.ascontiguousarray(values)[..., None].view(np.uint8)
                values = np.ascontiguousarray(np.moveaxis(bytes_last, -1, 0))
            entry = zipfile.ZipInfo(f"{stored}.npy")  # of no date: the same arrays make the same file
            entry.compress_type = zipfile.ZIP_LZMA
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, values, allow_pickle=False)


def thin(values: np.ndarray, strides: Sequence[int]) -> np.ndarray:
    """Every so many entries along each axis; all of them without strides."""
    assert not strides or len(strides) == values.ndim, f"strides {strides} of an array of {values.ndim} dimensions"
    return values[tuple(slice(None, None, stride) for stride in strides)]


def write_holes(path: Path, content: bytes, state: Mapping[str, np.ndarray]) -> None:
    """Write `path` + ".holes": a file without those tensors of `state` that it holds byte by byte."""
    rest, places = bytearray(content), {}
    for key, values in state.items():
        start = rest.find(values.tobytes()) if values.nbytes >= 64 else -1
        if start >= 0:
            places[key] = start
            rest[start : start + values.nbytes] = bytes(values.nbytes)
    fields = {
        "rest": np.frombuffer(bytes(rest), np.uint8),
        "keys": np.array(list(places)),
        "starts": np.array(list(places.values())),
        "sha256": np.array(hashlib.sha256(content).hexdigest()),
    }
    write_arrays(path.with_name(path.name + HOLES), fields)


@cache
def restored(folder: Path, name: str) -> Path:
    """The file of a case that `write_holes` was given, to the bit, in a folder that lasts as long as the process."""
    fields = read_arrays(folder / (name + HOLES))
    state = fill_state(json.loads((folder / "manifest.json").read_text()))
    content = bytearray(fields["rest"].tobytes())
    for key, start in zip(fields["keys"], fields["starts"], strict=True):
        content[start : start + state[key].nbytes] = state[key].tobytes()
    assert hashlib.sha256(content).hexdigest() == str(fields["sha256"]), f"{folder / name} is not what it was"
    made = Path(RESTORED.name) / folder.parent.name / folder.name / name
    made.parent.mkdir(parents=True)
    made.write_bytes(content)
    return made
