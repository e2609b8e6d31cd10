"""The files of a result folder, each step with its time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from ..camera import Camera
from ..errors import InputError
from ..memory import peak_mb
from ..mesh import Mesh
from ..mesh.texture import to_bytes
from ..outputs import save_picture
from ..progress import work
from ..scene import Reconstruction, versions
from ..scene.result_files import write_files, write_summary
from .exports import write_exports
from .figures import figures_of, front_of
from .hypotheses import write_hypotheses
from .pictures import four_views, overlay
from .reconstruct_options import ReconstructOptions
from .turntables import write_turntables

log = logging.getLogger(__name__)
OVERLAY, SHEET = "overlay.png", "views.jpg"
DOING = {  # what is said while a step is taken
    "open": "opening the photo",
    "mask": "finding the object in the photo",
    "shape": "finding the shape",
    "pictures": "drawing the pictures",
    "mesh": "making the mesh",
    "overlay": "drawing the mesh over the photo",
    "turntable": "making the turntable",
    "write": "writing the files",
    "export": "writing further files",
}


class Timings(dict[str, float]):
    """Seconds by step, in the order in which the steps were taken."""

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        with work(DOING[step]):
            yield
        spent = time.perf_counter() - start
        log.info("%s took %.2f s", DOING[step], spent)
        self[step] = round(self.get(step, 0.0) + spent, 3)


def write_result(
    reconstruction: Reconstruction,
    place: Path,
    options: ReconstructOptions,
    timings: Timings,
    asked: Mapping[str, Any],
    finish: Callable[[Path], object] | None = None,
    *,
    meshed: bool = True,
    around: Camera | None = None,
    seen_by: Camera | None = None,
    notices: Sequence[str] = (),
) -> dict[str, Any]:
    """Write all files of a result folder.

    Args:
        asked: what was asked for, see `request`.
        finish: called with the folder when all other files are written; there is no page where there is no mesh.
        meshed: whether there is a mesh.
        around: cameras of a film of the field; None: the house's.
        seen_by: the camera of a sample's picture.
        notices: what the user should know, besides what the photo says.

    Returns:
        What result.json holds.

    Raises:
        InputError: it has no surface, or a film of its field is asked for and it has none.
    """
    if options.film == "field" and not reconstruction.draws_itself:
        raise InputError(f"{options.method} gives no radiance field to film: choose --film mesh.")
    mesh = None
    if meshed:
        with timings("mesh"):
            mesh = reconstruction.mesh(faces=options.faces, texture=options.texture, resolution=options.resolution)
    summary = _write(reconstruction, mesh, options, place, timings, around, seen_by) | {"request": dict(asked)}
    summary["notices"] = [*summary["notices"], *notices]
    write_summary(place, summary)
    if finish is not None and meshed:
        with work("writing the page"):
            finish(place)
        write_summary(place, summary)
    return summary


def _write(
    reconstruction: Reconstruction,
    mesh: Mesh | None,
    options: ReconstructOptions,
    place: Path,
    timings: Timings,
    around: Camera | None,
    seen_by: Camera | None,
) -> dict[str, Any]:
    overlaid = None
    if mesh is not None and reconstruction.can_be_overlaid:
        with timings("overlay"):
            picture, iou = overlay(reconstruction, mesh)
            save_picture(Image.fromarray(to_bytes(picture)), place / OVERLAY, compress_level=1)
            overlaid = {"iou": round(iou, 4)} | front_of(reconstruction, mesh)
    films: dict[str, str] = {}
    with timings("turntable"):
        if options.frames and (options.film == "field" or mesh is not None):
            filmed = None if options.film == "field" else mesh
            films = write_turntables(
                reconstruction, filmed, options.exports, place, frames=options.frames, around=around
            )
        if mesh is not None:
            save_picture(Image.fromarray(to_bytes(four_views(mesh))), place / SHEET, quality=90)
    with timings("write"):
        summary = write_files(reconstruction, mesh, place, seen_by, options.exports.texture_format)
        sizes = {"faces": options.faces, "texture": options.texture, "resolution": options.resolution}
        hypotheses = write_hypotheses(reconstruction, mesh, place, **sizes) if mesh is not None else None
        if hypotheses:
            summary["hypotheses"] = hypotheses
    if options.exports and mesh is not None:
        with timings("export"):
            exported = write_exports(reconstruction, mesh, place, options.exports)
        summary |= {"exports": exported.files | films} | exported.told
        summary["notices"] = [*summary["notices"], *exported.notices]
    elif options.exports:
        summary["notices"] = [*summary["notices"], "There are no further files: they are made of a mesh."]
    if options.measured and mesh is not None:
        summary["figures"] = figures_of(reconstruction, mesh)
    return summary | {
        "monoform": versions()["monoform"],
        "seed": options.seed,
        "device": options.device,
        "overlay": overlaid,
        "timings": dict(timings),
        "memory_mb": None if (held := peak_mb(options.device)) is None else round(held),
    }
