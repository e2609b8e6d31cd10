"""LIST's sample files: `sampled_points.h5` and `farthest_pointclouds.h5` of one object (HDF5)."""

from __future__ import annotations

import io
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Float

from ...errors import InputError
from ...inputs import require_regular_file
from ...outputs import atomic_file
from .samples import SdfSamples

MAX_NUMBERS = 1 << 28
SAMPLES, CLOUD = "sampled_points.h5", "farthest_pointclouds.h5"
SURFACE_KEY, CLOUD_KEY, NEAR_KEY = "grid_points", "points_5000", "query_points_sigma_"


def hdf5() -> ModuleType:
    """The h5py package.

    Raises:
        InputError: it is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise InputError("LIST's sample files are HDF5: pip install 'monoform[hdf5]' brings the reader.") from error
    return h5py


def write_samples(samples: SdfSamples, folder: Path) -> None:
    """Write both files as the release's programs read them."""
    near = {f"{NEAR_KEY}{sigma:g}": rows for sigma, rows in samples.near.items()}
    _write(folder / SAMPLES, {SURFACE_KEY: samples.surface, **near})
    # The key says 5000 whatever the number: the release's reader asks for this name.
    _write(folder / CLOUD, {CLOUD_KEY: samples.surface[samples.farthest].astype(np.float32)})


def _write(path: Path, content: dict[str, np.ndarray]) -> None:
    """Built in memory: the library may end the whole process where the disk cannot take what it writes."""
    memory = io.BytesIO()
    with hdf5().File(memory, "w") as file:
        for name, rows in content.items():
            file.create_dataset(name, data=rows, compression="gzip", compression_opts=4)
    with atomic_file(path) as draft:
        draft.write_bytes(memory.getbuffer())


def read_near(file: Path, sigmas: tuple[float, ...]) -> list[Float[np.ndarray, "n 4"]]:
    """x, y, z and signed distance of the points at each offset, float32.

    Raises:
        InputError: the file is missing, damaged, or lacks an offset.
    """
    return [_read(file, f"{NEAR_KEY}{sigma:g}", 4) for sigma in sigmas]


def read_cloud(file: Path) -> Float[np.ndarray, "k 3"]:
    """The farthest points, float32.

    Raises:
        InputError: the file is missing or damaged.
    """
    return _read(file, CLOUD_KEY, 3)


def read_surface(file: Path) -> Float[np.ndarray, "n 3"]:
    """The surface points of `sampled_points.h5`, float32.

    Raises:
        InputError: the file is missing or damaged.
    """
    return _read(file, SURFACE_KEY, 3)


def _read(file: Path, key: str, columns: int) -> np.ndarray:
    h5py = hdf5()
    advice = "make it again with `monoform prepare sdf`"
    require_regular_file(file, advice=advice)
    try:
        with h5py.File(file, "r") as content:
            if content.get(key, getlink=True).__class__ is not h5py.HardLink:  # others may lead to files elsewhere
                raise ValueError("it is a link")
            dataset = content[key]
            if dataset.external or dataset.is_virtual or dataset.dtype.kind not in "fiu":
                raise ValueError("its numbers are elsewhere, or are none")
            if dataset.size > MAX_NUMBERS:
                raise InputError(f"{file} has {dataset.size} numbers in {key!r}; up to {MAX_NUMBERS} are read.")
            found = np.asarray(dataset, np.float32)
    except InputError:
        raise
    except Exception as error:  # HDF5 has many ways to be damaged, and h5py many to say so
        raise InputError(f"{file} cannot be read, it is damaged or has no data set {key!r}: {advice}.") from error
    if found.ndim != 2 or found.shape[1] != columns or len(found) == 0:
        raise InputError(f"{file} has {key!r} of shape {found.shape} and not (n, {columns}): {advice}.")
    if not np.isfinite(found).all():
        raise InputError(f"{file} has values in {key!r} that are not finite: {advice}.")
    return found
