"""monoform prepare photos"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..computing import Computing


@dataclass(frozen=True)
class Photos(Computing):
    """Frame photos of objects as pixelNeRF's training pictures are: the object over white, in a small square.

    The object is told by the photo's transparency, by MASK, or by the same segmentation as in reconstruct. Writes
    NAME_normalize.png for each photo. The default sizes are for cars.
    """

    photos: tyro.conf.Positional[tuple[str, ...]]
    """Paths or URLs, or folders, of which every photo is taken."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """The folder of the framed photos."""
    mask: Path | None = None
    """White where the object is; for one photo."""
    size: int = 128
    """Width and height of the result in pixels."""
    minor_scale: float = 4.37
    """Side of the square in lengths of the shorter axis of an ellipse around the object."""
    major_scale: float = 0.8
    """The same for the longer axis; the larger square counts."""
    overwrite: bool = False
    """Replace files of these names that it did not write."""


def run(asked: Photos) -> int:
    """Frame each photo; one that cannot be used does not stop the others."""
    from PIL import Image

    from ..errors import InputError, WriteError
    from ..inputs.photo_folders import named_photos
    from ..matting import segment
    from ..methods.pixelnerf.photos import PhotoFrame, normalize_photo
    from ..outputs import distinct, is_marked, require_free_file, save_picture
    from ..progress import work
    from ..scene import Photo
    from ..text import printable
    from .main import begin

    device = begin(asked)
    named = named_photos(asked.photos, leave=asked.out)
    if not named or (asked.mask is not None and len(named) > 1):
        raise InputError(f"{len(named)} photos are given; give at least one, and only one with --mask.")
    frame = PhotoFrame(asked.size, asked.minor_scale, asked.major_scale)
    failed = 0
    # Photos from several folders may share a name.
    photos, names = [photo for photo, _ in named], distinct((name for _, name in named), joint="_")
    with work("framing photos", len(photos), unit="photo") as show:
        for number, (source, name) in enumerate(zip(photos, names, strict=True), start=1):
            try:
                path = asked.out / f"{name}_normalize.png"
                inputs = (*photos, asked.mask)
                require_free_file(path, overwrite=asked.overwrite, inputs=inputs, is_ours=is_marked)
                photo = Photo.open(source, mask=asked.mask)
                framed = normalize_photo(photo if photo.mask is not None else segment(photo, device=device), frame)
                save_picture(Image.fromarray((255 * framed.rgb).round().astype("uint8")), path, marked=True)
                left, top, side, _ = framed.crop
                print(f"{name}: {side:.0f} pixels from column {left:.0f}, row {top:.0f}.")
            except WriteError:
                raise
            except InputError as error:
                failed += 1
                print(printable(f"{source} is left out: {error}"))
            show(number)
    return 2 if failed else 0
