"""HDF5 files of samples that claim more than they hold, or hold it elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from monoform.data.sdf.files import CLOUD_KEY, read_cloud
from monoform.errors import InputError

WRONG: dict[str, Callable[[h5py.File], object]] = {
    "huge": lambda file: file.create_dataset(CLOUD_KEY, (1 << 40, 3), "f4", chunks=(1 << 16, 3)),
    "a group": lambda file: file.create_group(CLOUD_KEY),
    "words": lambda file: file.create_dataset(CLOUD_KEY, data=np.array([[b"a", b"b", b"c"]])),
    "records": lambda file: file.create_dataset(CLOUD_KEY, data=np.zeros((2, 3), [("x", "f4")])),
    "a link": lambda file: file.__setitem__(CLOUD_KEY, h5py.SoftLink("/other")),
    "a link elsewhere": lambda file: file.__setitem__(CLOUD_KEY, h5py.ExternalLink("other.h5", "/a")),
    "numbers elsewhere": lambda file: file.create_dataset(CLOUD_KEY, (2, 3), "f4", external="/etc/passwd"),
    "nothing": lambda file: None,
    "no rows": lambda file: file.create_dataset(CLOUD_KEY, (0, 3), "f4"),
    "another shape": lambda file: file.create_dataset(CLOUD_KEY, (3, 2), "f4"),
    "no number": lambda file: file.create_dataset(CLOUD_KEY, data=np.full((2, 3), np.nan)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_samples_are_refused_by_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "cloud.h5"
    with h5py.File(path, "w") as file:
        WRONG[name](file)
    with pytest.raises(InputError, match=r"cloud\.h5 "):
        read_cloud(path)


def test_every_damaged_byte_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "cloud.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(CLOUD_KEY, data=np.arange(12, dtype=np.float32).reshape(4, 3))
    whole, refused = path.read_bytes(), 0
    assert read_cloud(path).shape == (4, 3)
    for place in range(0, len(whole), 31):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            read_cloud(path)
        except InputError:
            refused += 1
    assert refused > 3
