"""Can a capture be read? Every photo, and whether its camera looks at what the others look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ...errors import InputError
from .capture import LAYOUTS, CaptureLayout
from .geometry import content_sphere
from .images import read_counted, read_image, require_size
from .open import open_capture

CAPTURES: tuple[str, ...] = LAYOUTS
Progress = Callable[[int, int, str], None]
AVERTED = 0.5  # share of the cameras that may look away: more of them have other axes


def check_capture(
    path: str | Path, layout: CaptureLayout, *, quick: bool = False, progress: Progress | None = None
) -> str:
    """A summary of the capture, one sentence.

    Args:
        quick: decode only the first and the last photo.
        progress: called with the number of photos read, of all, and the name of the last.

    Raises:
        InputError: the first thing that is wrong: which file, what about it, what to do.
    """
    capture = open_capture(path, layout)
    last = len(capture.views) - 1
    for number, view in enumerate(capture.views):
        if not quick or number in (0, last):
            read_image(view)
            read_counted(view)
        else:
            require_size(view)
        if progress:
            progress(number + 1, len(capture.views), view.name)
    center, radius = content_sphere(capture)
    seen = []
    for view in capture.views:
        pixels, depth = view.camera.project(torch.tensor([[center]]))
        inside = (pixels > 0).all() & (pixels < torch.tensor([view.camera.width, view.camera.height])).all()
        seen.append(bool(inside & (depth > 0).all()))
    if sum(seen) < AVERTED * len(seen):
        name = capture.views[seen.index(False)].name
        raise InputError(
            f"{path}: {len(seen) - sum(seen)} of {len(seen)} cameras, {name} first, do not see the middle of the scene "
            f"at {tuple(round(value, 3) for value in center)}; check the axes and the direction of their matrices."
        )
    place = ", ".join(f"{value:.3g}" for value in center)
    return f"{capture.sentence()} The content lies within {radius:.3g} of ({place})."
