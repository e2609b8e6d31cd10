"""Lists of records in NumPy's files: read without running anything of them."""

from __future__ import annotations

import io
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monoform.errors import InputError
from monoform.inputs.object_arrays import read_records

RECORDS = [
    {"image_path": "a.png", "bbox": np.array([1.5, 2, 3, 4], np.float32), "score": np.float64(0.5), "class": 7},
    {"image_path": "ü.png", "mask": {"size": [3, 4], "counts": b"04`\xff"}, "more": (None, True, [1.25, "x"])},
]


def written(content: Any, place: Path) -> Path:
    file = place / "list.npy"
    np.save(file, content, allow_pickle=True)
    return file


def read(file: Path) -> list[dict[str, Any]]:
    return read_records(file, advice="copy it again")


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_records_come_back(protocol: int, tmp_path: Path) -> None:
    file = written(np.array(RECORDS, dtype=object), tmp_path)
    head = file.read_bytes()[: file.read_bytes().index(b"\n") + 1]
    file.write_bytes(head + pickle.dumps(np.array(RECORDS, dtype=object), protocol))
    first, second = read(file)
    assert first["bbox"].tolist() == [1.5, 2, 3, 4] and first["score"] == 0.5 and first["class"] == 7
    assert second == RECORDS[1]
    assert read(written(np.empty(0, dtype=object), tmp_path)) == []


class Runs:
    """What its pickle asks for is a call."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("made",)


@pytest.mark.parametrize(
    "content",
    [
        [{"a": Runs()}],
        [Runs()],
        [{"a": np.array([{"b": 1}], dtype=object)}],  # an array of objects in the other
        [{"a": np.array([np.array([1]), 2], dtype=object)}],
        [1, 2],
        [[{"a": 1}]],
        [{"a": pickle.Pickler}],
    ],
)
def test_other_things_are_one_sentence_and_nothing_is_run(
    content: list, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    array = np.empty(len(content), dtype=object)
    array[:] = content
    with pytest.raises(InputError, match=r"list\.npy cannot be read"):
        read(written(array, tmp_path))
    assert os.listdir(tmp_path) == ["list.npy"]


def test_other_arrays_are_one_sentence(tmp_path: Path) -> None:
    for content in (np.zeros(3), np.array({"a": 1}, dtype=object), np.full((2, 2), None, dtype=object)):
        with pytest.raises(InputError, match=r"list\.npy cannot be read"):
            read(written(content, tmp_path))
    with pytest.raises(InputError, match="There is no file"):
        read(tmp_path / "none.npy")


def test_a_shape_that_the_list_does_not_have_is_refused(tmp_path: Path) -> None:
    file = written(np.array(RECORDS, dtype=object), tmp_path)
    data = file.read_bytes()
    file.write_bytes(data.replace(b"'shape': (2,)", b"'shape': (9,)"))
    with pytest.raises(InputError, match="not the list of records"):
        read(file)
    file.write_bytes(data.replace(b"'shape': (2,), }      ", b"'shape': (99999999,), }"))
    with pytest.raises(InputError, match=r"list\.npy cannot be read"):
        read(file)


def test_damaged_lists_are_one_sentence(tmp_path: Path) -> None:
    buffer, draws = io.BytesIO(), random.Random(1)
    np.save(buffer, np.array(RECORDS * 3, dtype=object), allow_pickle=True)
    data, file = buffer.getvalue(), tmp_path / "bad.npy"
    for _ in range(100):
        bad = bytearray(data[: draws.randrange(len(data))] if draws.random() < 0.3 else data)
        for _ in range(draws.randrange(1, 6)):
            if bad:
                bad[draws.randrange(len(bad))] = draws.randrange(256)
        file.write_bytes(bad)
        try:
            read(file)
        except InputError as error:
            assert "\n" not in str(error)
