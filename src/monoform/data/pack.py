"""Many meshes into one folder of memory-mapped arrays: in parallel, continued where it was left."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import atomic_file, uninterrupted, write_error
from ..errors import InputError
from .arrays import FORMAT, INDEX, array_specs, create_arrays, open_array, read_index
from .backs import back_views
from .labels import LabelOptions, label
from .pool import map_unordered
from .sources import Source, load_source
from .views import ViewOptions, render_views

_DONE = "done"  # one byte for each object, set when all its arrays are written
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class PackOptions:
    """How objects are drawn and measured. seed: of all randomness; an object's own data depend on it and its name."""

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
    request = _request(sources, options)
    if out.exists() and not _may_replace(out, request, overwrite):
        return [(name, reason) for name, reason in read_index(out)["failed"]]
    partial = out.parent / f".{out.name}.partial"
    try:
        _begin(partial, request, options, len(sources))
        done = open_array(partial, _DONE, mode="r+")
        waiting = [i for i in range(len(sources)) if not done[i]]
        failed: dict[int, str] = {}
        finished = len(sources) - len(waiting)
        make = functools.partial(_make, folder=partial, options=options)
        for (i, _), reason in map_unordered(make, [(i, sources[i]) for i in waiting], workers=workers):
            finished += 1
            if reason:
                failed[i] = reason
            if progress:
                progress(finished, len(sources), f"{sources[i].name}: {reason}" if reason else sources[i].name)
        if len(failed) == len(sources):
            raise InputError(f"None of the {len(sources)} objects could be packed; the first: {failed[0]}")
        _finish(partial, out, sources, failed, request, options)
    except OSError as error:
        raise write_error(out, error) from error
    return [(sources[i].name, failed[i]) for i in sorted(failed)]


def _request(sources: Sequence[Source], options: PackOptions) -> str:
    """A digest of what was asked for: a pack made for another one is not continued."""
    text = json.dumps([FORMAT, [asdict(source) for source in sources], asdict(options)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _may_replace(out: Path, request: str, overwrite: bool) -> bool:
    """Whether `out` is to be made anew; False when it is complete as asked for."""
    if not (out / INDEX).is_file():
        raise InputError(f"{out} exists and is not a packed data set; choose another folder.")
    if overwrite:
        return True
    if read_index(out).get("request") != request:
        raise InputError(
            f"{out} holds a data set made from other meshes or options; use --overwrite or another folder."
        )
    return False


def _begin(partial: Path, request: str, options: PackOptions, count: int) -> None:
    mark = partial / "request"
    if mark.is_file() and mark.read_text() == request:
        return
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    create_arrays(partial, array_specs(options.views, options.labels), count)
    np.save(partial / f"{_DONE}.npy", np.zeros(count, np.uint8))
    mark.write_text(request)


def _make(item: tuple[int, Source], folder: Path, options: PackOptions) -> str:
    return make_object(*item, folder, options)


def make_object(row: int, source: Source, folder: Path, options: PackOptions) -> str:
    """Draw and measure one object into its rows of the arrays; the reason if that cannot be done, else empty."""
    try:
        arrays = object_arrays(source, options)
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
    labels = label(mesh, options.labels, generator=generator)
    back_depth, back_colors = back_views(mesh, views.cameras, views.images[..., 3] > 0)
    return {
        "images": views.images,
        "depth": views.depth,
        "normals": views.normals,
        "back_depth": back_depth,
        "back_colors": back_colors,
        "world_from_camera": views.cameras.world_from_camera.numpy(),
        "intrinsics": views.cameras.intrinsics.numpy(),
        **vars(labels),
    }


def _finish(
    partial: Path, out: Path, sources: Sequence[Source], failed: dict[int, str], request: str, options: PackOptions
) -> None:
    """Write the index and move the folder into place; rows of failed objects stay unused."""
    objects: list[dict[str, Any]] = []
    for row, source in enumerate(sources):
        if row not in failed:
            entry = asdict(source)
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
    with uninterrupted():
        (partial / f"{_DONE}.npy").unlink()
        (partial / "request").unlink()
        if out.exists():
            shutil.rmtree(out)
        os.rename(partial, out)
