"""A photo from the page as a job of the queue, and what the page shows of it."""

from __future__ import annotations

import html
import shutil
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...inputs import safe_name
from ...jobs.reconstruct_options import ReconstructOptions
from ...matting import Hints
from ...methods import method_class
from ...progress import in_words
from ..queue import Full, Job, JobQueue, Stopped, Task
from ..queue.queue import saved
from ..queue.worker import MASK, UPLOAD
from ..words import fit_in_words
from .editing import Edited, write_mask


def submitted(queue: JobQueue, edited: Edited, *, device: str, method: str, refine: int, **options: Any) -> Job:
    """The photo with its mask as a job.

    Raises:
        InputError: an option cannot be used, or there is no room.
    """
    overrides = {"refine": refine} if hasattr(method_class(method).config_class, "refine") else {}
    drawn = edited.added is not None or edited.removed is not None
    asked = ReconstructOptions(
        method=method,
        device=device,
        overrides=overrides,
        hints=Hints() if drawn else edited.hints,
        **options,
    )
    try:
        queue.reserve()
    except Full as full:
        raise InputError(f"There is no room in the queue: try again in {in_words(full.seconds)}.") from full
    except Stopped as stopped:
        raise InputError("The app is being stopped.") from stopped
    folder = None
    try:
        folder = queue.new_folder()
        source = Path(edited.path)
        name = safe_name(source.stem)
        photo = f"{UPLOAD}/{name}{source.suffix}"
        saved(folder, photo, lambda place: shutil.copyfile(source, place))
        mask = f"{MASK}/{name}.png" if drawn else None
        if mask is not None:
            saved(folder, mask, lambda place: write_mask(edited, place))
        return queue.submit(folder, Task(name, photo, asked, mask))
    except BaseException:
        queue.release()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def progress_html(job: Job, queue: JobQueue) -> str:
    """How far a job is, as a bar and words."""
    left = queue.seconds_left(job)
    if job.state == "waiting":
        before = queue.position(job) or 0
        words, share = f"Waiting: {before} before it" if before else "Waiting for a free worker", None
    else:
        words = job.doing or "starting"
        share = None if left is None else job.seconds() / (job.seconds() + left + 1e-9)
    words += f", about {in_words(left)} left" if left else ""
    value = "" if share is None else f' value="{share:.3f}"'
    return f'<label class="doing">{html.escape(words)}<progress max="1"{value}></progress></label>'


def failed_html(sentence: str) -> str:
    """Why there is no result."""
    return f'<p class="failed" role="alert">{html.escape(sentence)}</p>'


def done_html(job: Job) -> str:
    """What came out, in words."""
    found = job.outcome or {}
    fit = fit_in_words(found.get("iou"), found.get("confidence"))
    facts = [f"Done in {in_words(job.seconds())}", f"{found.get('faces') or 0:,} faces", fit]
    return f'<p class="done">{html.escape(". ".join(each for each in facts if each))}. {html.escape(job.message)}</p>'


def result_html(job: Job) -> str:
    """The page of the result, and where it can be taken."""
    place, name = f"result/{job.id}", html.escape(job.task.name)
    links = "".join(
        f'<a href="{place}/{html.escape(file)}" download="{html.escape(shown)}">{html.escape(shown)}</a>'
        for file, shown in (("result.zip", f"{job.task.name}.zip"), ("mesh.glb", "mesh.glb"), ("camera.json",) * 2)
    )
    return (
        f'<nav class="take" aria-label="Download">{links}</nav>'
        f'<iframe class="result" title="The result of {name}" sandbox="allow-scripts allow-downloads" '
        f'src="{place}/report.html"></iframe>'
    )
