"""Many meshes into one folder of memory-mapped arrays: in parallel, continued where it was left."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError, WriteError
from ...interrupts import uninterrupted
from ...mesh.solid.inside import Solid
from ...outputs import (
    Claim,
    Kind,
    atomic_file,
    atomic_stream,
    claimed,
    explained_errors,
    names_in,
    replace_folder,
    require_replaceable,
    write_error,
)
from ...workers import map_unordered
from ..objects.sources import Source, load_source, request_digest
from .arrays import FORMAT, INDEX, array_path, array_specs, create_arrays, open_array, read_index
from .backs import back_views
from .hollows import hollow_views, mirror_errors
from .labels import LabelOptions, label
from .views import ViewOptions, render_views

_DONE = "done"  # one byte for each object, set when all its arrays are written
Progress = Callable[[int, int, str], None]
_ARRAYS = frozenset(f"{spec.name}.npy" for spec in array_specs(ViewOptions(), LabelOptions()))
PACK = Kind(
    "packed data set of monoform",
    INDEX,
    lambda record: _ARRAYS if "request" in record and "codec" not in record else None,
)
UNFINISHED = Kind(
    "unfinished data set of monoform",
    "request.json",
    lambda record: _ARRAYS if isinstance(record["request"], str) else None,
    spare=_ARRAYS | {f"{_DONE}.npy", INDEX},
    finished=lambda folder: bool(open_array(folder, _DONE).any()) if array_path(folder, _DONE).is_file() else False,
)


@dataclass(frozen=True)
class PackOptions:
    """How objects are drawn and measured.

    Attributes:
        views: how they are drawn.
        labels: how they are measured.
        seed: of all randomness; an object's own data depend on it and its name.
    """

    views: ViewOptions = field(default_factory=ViewOptions)
    labels: LabelOptions = field(default_factory=LabelOptions)
    seed: int = 0


def pack_meshes(
    sources: Sequence[Source],
    out: str | Path,
    options: PackOptions | None = None,
    *,
    workers: int = 2,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[tuple[str, str]]:
    """Render and label every source into the folder `out`; read it with `monoform.data.PackedObjects`.

    An interrupted run leaves the folder `.NAME.partial` beside `out`; the same call goes on from it. `out` itself
    appears when all is done. The bytes do not depend on the number of workers.

    Args:
        overwrite: make `out` anew although it is there, complete and made from the same sources and options.
        progress: called with the number of objects that are finished, of all, and the name of the last.

    Returns:
        Name and reason of each source that could not be used; the others are not affected.

    Raises:
        InputError: no source can be used, `out` holds something else, or it cannot be written.
    """
    options, out = options or PackOptions(), Path(out)
    if not sources:
        raise InputError("There is no object to pack; give at least one.")
    if workers < 1:
        raise InputError(f"workers is {workers}; it must be at least 1.")
    request = request_digest(FORMAT, sources, options)
    inputs = tuple(source.path for source in sources)
    if names_in(out) and not _may_replace(out, request, overwrite, inputs):
        return [(name, reason) for name, reason in read_index(out)["failed"]]
    with claimed(out.parent / f".{out.name}.partial", UNFINISHED) as place:
        try:
            failed = _fill(place, request, sources, options, workers, progress)
            _write_index(place.folder, sources, failed, request, options)
        except OSError as error:
            raise write_error(out, error) from error
    with explained_errors(out), uninterrupted():
        require_replaceable(out, PACK)
        (place.folder / f"{_DONE}.npy").unlink()
        (place.folder / UNFINISHED.record).unlink()
        replace_folder(place.folder, out)
    return [(sources[i].name, failed[i]) for i in sorted(failed)]


def _fill(
    place: Claim,
    request: str,
    sources: Sequence[Source],
    options: PackOptions,
    workers: int,
    progress: Progress | None,
) -> dict[int, str]:
    """Make every object that is not done; the reasons of those that could not be, by row."""
    if place.stored is None or place.stored["request"] != request:
        _begin(place, request, options, len(sources))
    done = open_array(place.folder, _DONE, mode="r+")
    waiting = [i for i in range(len(sources)) if not done[i]]
    failed: dict[int, str] = {}
    finished = len(sources) - len(waiting)
    make = functools.partial(_make, folder=place.folder, options=options)
    for (i, _), reason in map_unordered(make, [(i, sources[i]) for i in waiting], workers=workers):
        finished += 1
        if reason:
            failed[i] = reason
        if progress:
            progress(finished, len(sources), f"{sources[i].name}: {reason}" if reason else sources[i].name)
    if len(failed) == len(sources):
        raise InputError(f"None of the {len(sources)} objects could be packed; the first: {failed[0]}")
    return failed


def _may_replace(out: Path, request: str, overwrite: bool, inputs: tuple[str | None, ...]) -> bool:
    """Whether `out` is to be made anew; False when it is complete as asked for."""
    if not (out / INDEX).is_file():
        raise InputError(f"{out} exists and is not a packed data set; choose another folder.")
    if overwrite:
        require_replaceable(out, PACK, inputs=inputs)
        return True
    if read_index(out).get("request") != request:
        raise InputError(
            f"{out} holds a data set made from other meshes or options; use --overwrite or another folder."
        )
    return False


def _begin(place: Claim, request: str, options: PackOptions, count: int) -> None:
    """Make the arrays; those of another request, which was interrupted, make room."""
    for name in UNFINISHED.spare:
        (place.folder / name).unlink(missing_ok=True)
    create_arrays(place.folder, array_specs(options.views, options.labels), count)
    with atomic_stream(array_path(place.folder, _DONE)) as stream:
        np.save(stream, np.zeros(count, np.uint8))
    place.record({"request": request})


def _make(item: tuple[int, Source], folder: Path, options: PackOptions) -> str:
    return make_object(*item, folder, options)


def make_object(row: int, source: Source, folder: Path, options: PackOptions) -> str:
    """Draw and measure one object into its rows of the arrays; the reason if that cannot be done, else empty."""
    try:
        arrays = object_arrays(source, options)
    except WriteError:
        raise
    except InputError as error:
        return str(error)
    for name, values in arrays.items():
        open_array(folder, name, mode="r+")[row] = values
    open_array(folder, _DONE, mode="r+")[row] = 1
    return ""


def object_arrays(source: Source, options: PackOptions) -> dict[str, np.ndarray]:
    """The arrays of one object.

    Raises:
        InputError: its mesh cannot be used.
    """
    mesh = load_source(source, seed=options.seed)
    generator = source.generator(options.seed + 1)
    views = render_views(mesh, options.views, generator=generator)
    solid = Solid(mesh, size=1.0 / options.labels.voxels)
    labels = label(mesh, options.labels, generator=generator, solid=solid)
    back_depth, back_colors = back_views(mesh, views.cameras, views.images[..., 3] > 0)
    return {
        "images": views.images,
        "depth": views.depth,
        "normals": views.normals,
        "back_depth": back_depth,
        "back_colors": back_colors,
        "hollows": hollow_views(solid, views.cameras, views.depth, back_depth),
        "mirrors": mirror_errors(solid, seed=options.seed),
        "world_from_camera": views.cameras.world_from_camera.numpy(),
        "intrinsics": views.cameras.intrinsics.numpy(),
        **vars(labels),
    }


def _write_index(
    partial: Path, sources: Sequence[Source], failed: dict[int, str], request: str, options: PackOptions
) -> None:
    """Write the index; rows of failed objects stay unused."""
    objects: list[dict[str, Any]] = []
    for row, source in enumerate(sources):
        if row not in failed:
            entry = source.stored()
            del entry["path"], entry["root"]
            entry["companion"] = Path(source.companion).stem if source.companion else None
            objects.append({"row": row, **entry})
    index = {
        "format": FORMAT,
        "request": request,
        "options": asdict(options),
        "objects": objects,
        "failed": [[sources[row].name, failed[row]] for row in sorted(failed)],
    }
    with atomic_file(partial / INDEX) as path:
        path.write_text(json.dumps(index, indent=1))
