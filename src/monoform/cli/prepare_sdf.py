"""monoform prepare sdf"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Sdf:
    """Sample mesh files as LIST's training takes them: points at three distances from the surface with their signed
    distances, and an even cloud, in the published folders and HDF5 files.

    Holes, inner walls and overlaps are no obstacle. A rerun after an interrupt goes on where it was left. Meshes that
    cannot be used are reported and left out.
    """

    data: Path
    """Folder of mesh files; its index.csv is followed if there is one, and of Pix3D its pix3d.json."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where isosurface/ and sampled_points/ go."""
    glob: str = ""
    """Take CATEGORY/OBJECT/FILE by a pattern instead, such as "*/*/isosurf.obj"; objects are named by their folders."""
    category: str | None = None
    """Only the meshes of this category."""
    limit: int = 0
    """At most so many meshes; 0 for all."""
    points: int = 50_000
    """Points on the surface, and at each of the distances."""
    sigmas: str = "0.003 0.01 0.07"
    """Standard deviations of the distances; the longest side of an object is 1."""
    farthest: int = 5_000
    """Points of the even cloud."""
    sign: str = "solid"
    """solid: what cannot be reached from outside is inside; winding: by winding number, exact for closed meshes and
    slow; raw: (1 - 2 winding) times the distance, as a widely used library had it."""
    voxels: int = 128
    """Cells along the longest side that tell inside from outside."""
    seed: int = 0
    """Seed of all randomness."""
    workers: int = 2
    """Processes at once."""


def run(asked: Sdf) -> int:
    """Sample, say what came out, and leave 2 when an object could not be used."""
    from ..data import mesh_sources
    from ..data.sdf.pix3d import RECORDS
    from ..data.sdf.pix3d_crops import model_sources
    from ..data.sdf.prepare import globbed_sources, sample_meshes
    from ..data.sdf.samples import SdfOptions
    from ..errors import InputError
    from ..progress import work
    from ..text import printable
    from .main import interruptible

    try:
        sigmas = tuple(float(word) for word in asked.sigmas.split())
    except ValueError as error:
        raise InputError(f"--sigmas is {asked.sigmas!r}; give numbers, as in '0.003 0.01 0.07'.") from error
    options = SdfOptions(asked.points, sigmas, asked.farthest, asked.sign, asked.voxels, asked.seed)  # type: ignore[arg-type]
    if asked.glob:
        sources = globbed_sources(asked.data, asked.glob)
    else:
        sources = (model_sources if (asked.data / RECORDS).is_file() else mesh_sources)(asked.data)
    if asked.category is not None:
        known = sorted({source.category for source in sources})
        sources = [source for source in sources if source.category == asked.category]
        if not sources:
            raise InputError(f"No mesh has the category {asked.category!r}; there are {', '.join(known) or 'none'}.")
    interruptible()
    with work("sampling meshes", unit="mesh") as show:
        done = sample_meshes(sources[: asked.limit or None], asked.out, options, workers=asked.workers, progress=show)
    for name, reason in done.failed.items():
        print(printable(f"{name} is left out: {reason}"))
    print(f"{done.made + done.kept} objects are in {asked.out}, {done.kept} of them from before.")
    return 2 if done.failed else 0
