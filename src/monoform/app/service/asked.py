"""The form of a request, as a task for a worker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from ...errors import InputError
from ...inputs import safe_name
from ...inputs.download import is_url
from ...inputs.names import name_of
from ...inputs.pictures import picture_size
from ...jobs.reconstruct_options import ReconstructOptions
from ...matting import Hints
from ..queue import Limits, Task
from ..queue.queue import saved
from ..queue.worker import MASK, UPLOAD, require_pixels
from .offered import Offer

STEP = 1 << 20


@dataclass(frozen=True)
class Upload:
    """A file that came with a request.

    Attributes:
        name: as the sender calls it.
        file: its bytes.
    """

    name: str
    file: IO[bytes]


def options_of(
    offer: Offer,
    *,
    method: str,
    options: str,
    box: str | None,
    point: Sequence[str],
    not_point: Sequence[str],
    device: str,
    **further: Any,
) -> ReconstructOptions:
    """What is asked for, within what is offered.

    Raises:
        InputError: an option cannot be used; the sentence names it.
    """
    hints = Hints.given(
        None if box is None else _numbers("box", box, 4),
        [_numbers("point", each, 2) for each in point],
        [_numbers("not_point", each, 2) for each in not_point],
    )
    overrides = offer.options(method, options)
    return ReconstructOptions(method=method, hints=hints, overrides=overrides, device=device, **further)


def task_of(
    folder: Path,
    options: ReconstructOptions,
    limits: Limits,
    *,
    photo: Upload | None,
    mask: Upload | None,
    url: str | None,
    urls: bool,
) -> Task:
    """The task, its files in the job's folder.

    Args:
        urls: whether a photo may be named by its address.

    Raises:
        InputError: the photo or the mask cannot be used.
    """
    if (photo is None) == (url is None):
        raise InputError("Send one photo: either the file as photo, or its address as url.")
    if url is not None and not urls:
        raise InputError("This service fetches nothing: send the photo itself.")
    if url is not None and not is_url(url):
        raise InputError("url is no http or https address.")
    name = safe_name(Path(photo.name).stem) if photo is not None else name_of(url)
    place = f"{UPLOAD}/{name}{_suffix(photo.name) if photo is not None else ''}"
    if photo is not None:
        _kept(photo, folder, place, "photo", limits)
    masked = None if mask is None else f"{MASK}/{name}{_suffix(mask.name)}"
    if mask is not None and masked is not None:
        _kept(mask, folder, masked, "mask", limits)
        if photo is not None and _upright(folder / masked) != _upright(folder / place):
            sizes = ["{} x {}".format(*_upright(folder / each)) for each in (masked, place)]
            raise InputError(f"The mask is {sizes[0]} pixels and the photo {sizes[1]}: they have to be alike.")
    return Task(name, place, options, masked, url, limits.megabytes, limits.megapixels)


def _kept(upload: Upload, folder: Path, name: str, what: Literal["photo", "mask"], limits: Limits) -> None:
    """Write an upload, and look at its head; sentences name what was sent, not where it lies."""

    def write(place: Path) -> None:
        with place.open("wb") as file:
            while part := upload.file.read(STEP):
                file.write(part)

    place = saved(folder, name, write)
    try:
        require_pixels(place, limits.megapixels)
    except InputError as error:
        raise InputError(str(error).replace(str(place), f"The {what}")) from error


def _upright(place: Path) -> tuple[int, int]:
    return picture_size(place, orientation="upright")


def _suffix(name: str) -> str:
    """The end of a name, where it is one of a picture's; what is in the file is seen by its bytes."""
    suffix = Path(safe_name(name)).suffix.lower()
    return suffix if suffix[1:].isalnum() and len(suffix) <= 6 else ""


def _numbers(what: str, text: str, count: int) -> list[float]:
    try:
        found = [float(each) for each in text.split(",")]
    except ValueError:
        found = []
    if len(found) != count or not all(abs(each) < 1e6 for each in found):
        raise InputError(f"{what} is {text!r}: give {count} numbers, parted by commas.")
    return found
