"""Many meshes into LIST's sample files: in parallel, continued where it was left, the published folders."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ...errors import InputError, WriteError
from ...inputs import is_clutter
from ...interrupts import uninterrupted
from ...mesh import load
from ...outputs import Kind, claimed, require_ours
from ...workers import map_unordered
from ..objects.sources import Source, require_names
from .files import CLOUD, SAMPLES, hdf5, write_samples
from .samples import SdfOptions, SdfSamples, sample_sdf

INDEX = "samples.json"
MESHES, SAMPLED, SCALED = "isosurface", "sampled_points", "isosurf_scaled.obj"
Progress = Callable[[int, int, str], None]
SAMPLED_FOLDER = Kind(
    "folder of samples of monoform",
    INDEX,
    lambda record: (MESHES, SAMPLED) if "sigmas" in record else None,
    # ShapeNet's and Pix3D's layouts: samples are put beside pictures.
    tolerated=frozenset({MESHES, SAMPLED, "images", "splits", "renders.json", "img", "mask", "model", "pix3d.json"}),
    finished=lambda folder: any((folder / SAMPLED).rglob(CLOUD)),  # written last
)


@dataclass(frozen=True)
class Sampled:
    """What has been sampled.

    Attributes:
        made: objects sampled now.
        kept: objects found already done.
        failed: name and reason of those left out.
    """

    made: int
    kept: int
    failed: dict[str, str]


def globbed_sources(folder: str | Path, pattern: str) -> list[Source]:
    """Meshes CATEGORY/OBJECT/FILE below a folder, by a pattern such as "*/*/isosurf.obj": named by their folders.

    Raises:
        InputError: nothing fits, or two objects of a category have one name.
    """
    files = sorted(path for path in Path(folder).glob(pattern) if path.is_file() and not is_clutter(path.name))
    if not files:
        raise InputError(f"No file below {folder} fits the pattern {pattern!r}.")
    sources = [Source(path.parent.name, str(path), category=path.parent.parent.name) for path in files]
    if len({(source.category, source.name) for source in sources}) < len(sources):
        raise InputError(f"The pattern {pattern!r} gives several meshes for an object; let it name one file of each.")
    return sources


def sample_meshes(
    sources: Sequence[Source],
    out: str | Path,
    options: SdfOptions | None = None,
    *,
    workers: int = 2,
    progress: Progress | None = None,
) -> Sampled:
    """Write `out`/isosurface/CATEGORY/OBJECT/isosurf_scaled.obj and `out`/sampled_points/CATEGORY/OBJECT/*.h5.

    What is there already from the same options is kept; a rerun after an interrupt goes on. The draws of an object
    depend on its name and the seed alone.

    Args:
        progress: called with how many are finished, of how many, and the name of the last.

    Raises:
        InputError: there is no source, `out` holds samples of other options, or cannot be written.
    """
    options, out = options or SdfOptions(), Path(out)
    hdf5()
    if not sources:
        raise InputError("There is no mesh to sample; give at least one.")
    require_names(sources)
    asked = json.loads(json.dumps(asdict(options)))
    other = f"{out} holds samples of other options, see {out / INDEX}; choose another folder."
    with claimed(
        out, SAMPLED_FOLDER, same=lambda record: record == asked, other=other, tolerated=_leading(sources, out)
    ) as place:
        if place.stored is None:
            _require_no_others(sources, out)
            place.record(asked)
        return _sample(sources, out, options, workers, progress)


def _leading(sources: Sequence[Source], out: Path) -> set[str]:
    """Names in `out` that lead to the meshes: a data set may get its samples beside them."""
    root = Path(os.path.abspath(out))
    paths = [Path(os.path.abspath(source.path)) for source in sources if source.path is not None]
    return {path.relative_to(root).parts[0] for path in paths if path.is_relative_to(root)}


def _require_no_others(sources: Sequence[Source], out: Path) -> None:
    """Where no record tells that we made it, what lies in the place of a result is the user's."""
    for source in sources:
        mesh, samples = _folders(source, out)
        for file in (mesh / SCALED, samples / SAMPLES, samples / CLOUD):
            require_ours(file, lambda _: False)


def _sample(
    sources: Sequence[Source], out: Path, options: SdfOptions, workers: int, progress: Progress | None
) -> Sampled:
    waiting = [source for source in sources if not _is_done(source, out)]
    finished, failed = len(sources) - len(waiting), {}
    kept = finished
    make = functools.partial(_make, out=out, options=options)
    for source, reason in map_unordered(make, waiting, workers=workers):
        finished += 1
        if reason:
            failed[source.name] = reason
        if progress:
            progress(finished, len(sources), source.name)
    return Sampled(len(waiting) - len(failed), kept, failed)


def _folders(source: Source, out: Path) -> tuple[Path, Path]:
    place = Path(source.category or "objects") / source.name
    return out / MESHES / place, out / SAMPLED / place


def _is_done(source: Source, out: Path) -> bool:
    """Whether all files are there and none is older than the mesh, which may have been changed since."""
    mesh, samples = _folders(source, out)
    files = (mesh / SCALED, samples / SAMPLES, samples / CLOUD)
    if not all(file.is_file() for file in files) or source.path is None:
        return False
    made = min(file.stat().st_mtime_ns for file in files)
    return not os.path.exists(source.path) or os.stat(source.path).st_mtime_ns <= made


def _make(source: Source, out: Path, options: SdfOptions) -> str:
    """Sample one object; the reason if that cannot be done, else empty."""
    try:
        assert source.path is not None
        samples = sample_sdf(load(source.path, appearance=False), options, generator=source.generator(options.seed))
        _write(samples, *_folders(source, out))
    except WriteError:
        raise
    except InputError as error:
        return str(error)
    return ""


def _write(samples: SdfSamples, mesh: Path, folder: Path) -> None:
    """All files of an object, or none."""
    try:
        samples.mesh.export(mesh / SCALED)
        write_samples(samples, folder)
    except BaseException:
        with uninterrupted():
            for file in (mesh / SCALED, folder / SAMPLES, folder / CLOUD):
                file.unlink(missing_ok=True)
        raise
