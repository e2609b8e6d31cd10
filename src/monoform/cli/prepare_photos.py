"""monoform prepare photos"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..computing import Computing

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from ..scene import Photo


@dataclass(frozen=True)
class Photos(Computing):
    """Frame photos of objects as pixelNeRF's training pictures are: the object over white, in a small square.

    The object is told by the photo's transparency, by MASK, or by the same segmentation as in reconstruct. Writes
    NAME_normalize.png for each photo. The default sizes are for cars. With --layout rgba it writes NAME/image.png,
    NAME/mask.png and NAME/rgba.png instead, as RealFusion's examples are laid out.
    """

    photos: tyro.conf.Positional[tuple[str, ...]]
    """Paths or URLs, or folders, of which every photo is taken."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """The folder of the framed photos."""
    mask: Path | None = None
    """White where the object is; for one photo."""
    layout: Literal["framed", "rgba"] = "framed"
    """framed: the object over white; rgba: a square of the whole photo, its mask, and the object alone."""
    size: int | None = None
    """Width and height of the result in pixels. Default: 128 for framed, 512 for rgba."""
    minor_scale: float = 4.37
    """Side of the square in lengths of the shorter axis of an ellipse around the object."""
    major_scale: float = 0.8
    """The same for the longer axis; the larger square counts."""
    published: bool = False
    """For rgba: resample as the release, without averaging, and leave rgba.png in the photo's shape."""
    overwrite: bool = False
    """Replace files of these names that it did not write."""


def run(asked: Photos) -> int:
    """Frame each photo; one that cannot be used does not stop the others."""
    from ..errors import InputError, WriteError
    from ..inputs.photo_folders import named_photos
    from ..matting import segment
    from ..outputs import distinct, is_marked, require_free_file, save_picture
    from ..progress import work
    from ..scene import Photo
    from ..text import printable
    from .main import begin

    device = begin(asked)
    named = named_photos(asked.photos, leave=asked.out)
    if not named or (asked.mask is not None and len(named) > 1):
        raise InputError(f"{len(named)} photos are given; give at least one, and only one with --mask.")
    layout = _layout(asked)
    failed = 0
    # Photos from several folders may share a name.
    photos, names = [photo for photo, _ in named], distinct((name for _, name in named), joint="_")
    with work("framing photos", len(photos), unit="photo") as show:
        for number, (source, name) in enumerate(zip(photos, names, strict=True), start=1):
            try:
                for file in layout.files:
                    path = asked.out / file.format(name)
                    inputs = (*photos, asked.mask)
                    require_free_file(path, overwrite=asked.overwrite, inputs=inputs, is_ours=is_marked)
                photo = Photo.open(source, mask=asked.mask)
                made, said = layout.make(photo if photo.mask is not None else segment(photo, device=device))
                for file, picture in zip(layout.files, made, strict=True):
                    save_picture(picture, asked.out / file.format(name), marked=True)
                print(f"{name}: {said}")
            except WriteError:
                raise
            except InputError as error:
                failed += 1
                print(printable(f"{source} is left out: {error}"))
            show(number)
    return 2 if failed else 0


@dataclass(frozen=True)
class Layout:
    """Which files are made of a photo, with {} for its name; and what makes their pictures, and a sentence."""

    files: tuple[str, ...]
    make: Callable[[Photo], tuple[list[Image.Image], str]]


def _layout(asked: Photos) -> Layout:
    return _framed(asked) if asked.layout == "framed" else _rgba(asked)


def _framed(asked: Photos) -> Layout:
    from ..methods.pixelnerf.photos import PhotoFrame, normalize_photo

    frame = PhotoFrame(128 if asked.size is None else asked.size, asked.minor_scale, asked.major_scale)

    def make(photo: Photo) -> tuple[list[Image.Image], str]:
        framed = normalize_photo(photo, frame)
        left, top, side, _ = framed.crop
        return [_picture(framed.rgb)], f"{side:.0f} pixels from column {left:.0f}, row {top:.0f}."

    return Layout(("{}_normalize.png",), make)


def _rgba(asked: Photos) -> Layout:
    from ..data.images.cutout import SIZES, cut_out
    from ..ranges import require_range

    size = 512 if asked.size is None else asked.size
    require_range("--size", size, *SIZES)

    def make(photo: Photo) -> tuple[list[Image.Image], str]:
        cut = cut_out(photo, size, published=asked.published)
        said = f"a square of {size} pixels, of which the object covers {100 * float(cut.mask.mean()):.0f} %."
        return [_picture(cut.image), _picture(cut.mask), _picture(cut.rgba)], said

    return Layout(("{}/image.png", "{}/mask.png", "{}/rgba.png"), make)


def _picture(values: np.ndarray) -> Image.Image:
    from PIL import Image

    return Image.fromarray((255 * values).round().astype("uint8"))
