"""NumPy's files of Python objects, as lists of detections are kept in: records of words, numbers and arrays.

NumPy itself would unpickle them, which runs what they say; here nothing is run.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from .archives import damaged
from .arrays import array_head
from .checkpoint_names import allowed_names
from .files import MAX_BYTES, AnyPath, read_bytes
from .pickles import MAX_STEPS, Maker, Unpickler

MOST_STEPS = 16 * MAX_STEPS  # some 60 a record


def read_records(
    path: str | AnyPath, *, advice: str, missing: str = "check the name", limit: int = MAX_BYTES
) -> list[dict[str, Any]]:
    """The records of a .npy file that holds an array of dictionaries.

    Args:
        advice: what to do about a damaged file, the end of its sentence.
        missing: what to do where there is none.
        limit: bytes.

    Raises:
        InputError: the file is missing, damaged, too large, or holds something else.
    """
    data = read_bytes(path, limit=limit, advice=missing)
    try:
        stream = io.BytesIO(data)
        dtype, shape, _, offset = array_head(stream, kinds="O")
        if len(shape) != 1:
            raise ValueError(f"it holds an array of {len(shape)} dimensions and no list of records")
        reader = Unpickler({}, steps=min(max(MAX_STEPS, len(data)), MOST_STEPS))
        reader.names = {**allowed_names(reader.spend, len(data)), **_arrays_of_objects(reader, len(data), shape[0])}
        stream.seek(offset)
        found = reader.read(stream)
        records = found.tolist() if isinstance(found, np.ndarray) and found.dtype == dtype else None
        if records is None or len(records) != shape[0] or not all(type(each) is dict for each in records):
            raise ValueError("it holds something else than a list of records")
        return records
    except Exception as error:  # bytes that are no pickle make the reader stumble over anything
        raise damaged(path, error, advice) from error


def _arrays_of_objects(reader: Unpickler, size: int, count: int) -> dict[str, Any]:
    """The names that make arrays, and one array of objects: the list itself; in it there can be no other."""
    plain = allowed_names(reader.spend, size)
    made: list[int] = []

    def fill(array: np.ndarray, state: Any) -> None:
        _, shape, kind, _, items = state
        if kind != np.dtype(object):
            plain["numpy._core.multiarray _reconstruct"].fill(array, state)
            return
        if made or shape != (count,) or type(items) is not list or len(items) != count:
            raise ValueError("it has an array of objects that is not the list of records")
        made.append(count)
        array.__setstate__((1, shape, kind, False, items))  # type: ignore[arg-type]

    def kind_of(name: Any, *rest: Any) -> np.dtype:
        return np.dtype(object) if name in ("O8", "O4", "O") else plain["numpy dtype"].make(name, *rest)

    names: dict[str, Any] = {"numpy dtype": Maker(kind_of, plain["numpy dtype"].fill)}
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray _reconstruct"] = Maker(lambda *_: np.empty(0), fill)
    return names
