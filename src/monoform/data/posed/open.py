"""Opens a posed data set of any of the published layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ...errors import InputError
from .captures import CaptureScenes
from .check import FORMATS, Format, detect_format
from .dtu import DtuObjects
from .dvr import SEEN, UNSEEN, DvrObjects
from .objects import PosedObjects
from .srn import SPLITS, Split, SrnObjects
from .two_object import TwoObjectScenes


def open_posed(
    data: str | Path,
    split: Split,
    *,
    format: Format | Literal["auto"] = "auto",
    unseen: bool = False,
    size: tuple[int, int] = (128, 128),
    radius: float = 0.5,
) -> PosedObjects:
    """The reader of one split.

    Args:
        split: "train", "val" or "test".
        format: "srn", "dvr", "dtu", "two_object" or "captures"; "auto" tells them by their files.
        unseen: for "dvr", the lists of the unseen categories.
        size: (height, width) in pixels that pictures of "srn" are brought to, and the longer side of "captures"; the
            others have sizes of their own.
        radius: of the sphere around the origin that the content of "captures" is brought into.

    Raises:
        InputError: no such format or split, or the data is not there.
    """
    if split not in SPLITS:
        raise InputError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
    match detect_format(data) if format == "auto" else format:
        case "srn":
            return SrnObjects(data, split, size=size)
        case "dvr":
            return DvrObjects(data, split, lists=UNSEEN if unseen else SEEN)
        case "dtu":
            return DtuObjects(data, split)
        case "two_object":
            return TwoObjectScenes(data, split)
        case "captures":
            return CaptureScenes(data, split, size=size, radius=radius)
    raise InputError(f"There is no format {format!r}; choose one of {', '.join(FORMATS)}.")
