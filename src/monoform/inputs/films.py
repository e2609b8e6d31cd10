"""Pictures of a film file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from jaxtyping import UInt8

from ..errors import InputError
from ..text import printable

FILM_ENDINGS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".gif")
LARGEST = 8192  # pixels of a side


def film_pictures(file: str | Path, *, every: int = 1) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The pictures of a film (sRGB bytes, upright as it is to be shown), one after another.

    Args:
        every: which ones: the first of so many each.

    Raises:
        InputError: there is no such file, or it is no film that can be read.
    """
    file = Path(file)
    if not file.is_file():
        raise InputError(f"There is no file {printable(file)}; check the path.")
    try:
        with closing(imageio_ffmpeg.read_frames(str(file))) as pictures:
            width, height = next(pictures)["size"]
            if not 0 < max(width, height) <= LARGEST:
                raise InputError(f"{printable(file)} has pictures of {width} x {height} pixels; make them smaller.")
            for number, picture in enumerate(pictures):
                if number % every == 0:
                    yield np.frombuffer(picture, np.uint8).reshape(height, width, 3)
    except (OSError, RuntimeError, StopIteration, KeyError, ValueError, IndexError) as error:
        raise InputError(f"{printable(file)} is no film that can be read; give it as .mp4, or its pictures.") from error
