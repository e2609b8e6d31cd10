"""Photos of any size into a set of one square size: transformed, numbered, with their labels."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from PIL import Image

from ...errors import InputError, WriteError
from ...outputs import MARK, atomic_folder, atomic_stream, require_free_file, require_replaceable
from .fitting import center_cropped, cropped_wide, padded, plain_rgb, resized
from .labels import FILE, fov_label, label_rows
from .open import open_source
from .sources import PhotoSource

Transform = Literal["none", "center-crop", "center-crop-wide", "pad", "stretch"]
Progress = Callable[[int, int, str], None]
Write = Callable[[str, bytes], None]


@dataclass(frozen=True)
class SetOptions:
    """How photos become a set.

    Attributes:
        transform: "center-crop" keeps the square in the middle; "center-crop-wide" the band in the middle, on a black
            square; "pad" puts the photo on a white square; "stretch" changes its shape; "none": it is square.
        width: pixels of the result; None for those that photos have after the transform.
        height: of the band for "center-crop-wide", else as wide as high.
        max_images: the first so many; None for all.
        fov: degrees; photos without labels get the intrinsics of this field of view.
        labels: whether labels are kept.
    """

    transform: Transform = "none"
    width: int | None = None
    height: int | None = None
    max_images: int | None = None
    fov: float | None = None
    labels: bool = True

    def __post_init__(self) -> None:
        if self.transform not in get_args(Transform):
            raise InputError(f"There is no transform {self.transform!r}: {', '.join(get_args(Transform))}.")
        if self.transform == "center-crop-wide" and (self.width is None or self.height is None):
            raise InputError("center-crop-wide needs --resolution WxH: the width of the square and the band's height.")
        if self.transform == "center-crop-wide" and (self.height or 0) > (self.width or 0):
            raise InputError(f"--resolution {self.width}x{self.height} is no band: it is higher than wide.")
        if self.transform != "center-crop-wide" and self.width != self.height:
            raise InputError(
                f"--resolution {self.width}x{self.height} is not square, and generators learn from squares: give one "
                "number."
            )
        if self.width is not None and not _is_power_of_two(self.width):
            raise InputError(f"The resolution is {self.width}; generators need a power of two from 4 up, such as 64.")
        if self.max_images is not None and self.max_images < 1:
            raise InputError(f"--max-images is {self.max_images}; it must be at least 1.")
        if self.fov is not None:
            fov_label(self.fov)


@dataclass
class PreparedSet:
    """What came out.

    Attributes:
        side: pixels along a side of every picture.
        names: of the pictures written, by those of the photos.
        labelled: whether they have labels.
        without_label: photos written that had none, where others had.
        small: photos that are smaller than what should be cut from them, left out.
        failed: photos that cannot be read, and why.
    """

    side: int = 0
    names: dict[str, str] = field(default_factory=dict)
    labelled: bool = False
    without_label: int = 0
    small: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


def prepare_images(
    place: str | Path,
    out: str | Path,
    options: SetOptions | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> PreparedSet:
    """Write a set of pictures, a zip file where `out` ends so, else a folder: 00000/img00000000.png and dataset.json.

    Photos that cannot be read are left out. Labels are written where each picture has one.

    Raises:
        InputError: there is no photo that can be used, they do not come out in one square size, labels are damaged, or
            something else lies at `out`.
        WriteError: it cannot be written.
    """
    options = options or SetOptions()
    _require_free(Path(out), place, overwrite)
    source = open_source(place)
    labels = source.labels() if options.labels else None
    named = [name for name in source.names if (labels or {}).get(name) is not None]
    if named and labels:
        label_rows(named, labels, f"{place}/{FILE}")  # before anything is written
    prepared = PreparedSet()
    with _opened(Path(out), place) as write:
        kept = _write_pictures(source, options, prepared, write, progress)
        if not prepared.names:
            reason = next(iter(prepared.failed.values()), f"all of them are too small for {options.transform}")
            raise InputError(f"{place} gives no picture that can be used: {reason}")
        found = {name: (labels or {}).get(name) for name in kept}
        prepared.without_label = sum(label is None for label in found.values()) if labels else 0
        rows: list[Any] | None = None
        if labels and not prepared.without_label:
            rows = [[prepared.names[name], label] for name, label in found.items()]
        elif options.fov is not None:
            rows = [[name, fov_label(options.fov).tolist()] for name in prepared.names.values()]
        prepared.labelled = rows is not None
        write(FILE, json.dumps({"labels": rows}).encode())
    return prepared


def is_prepared(path: Path) -> bool:
    """Whether a zip file says that monoform wrote it."""
    with zipfile.ZipFile(path) as archive:
        return archive.comment == MARK


def _write_pictures(
    source: PhotoSource, options: SetOptions, prepared: PreparedSet, write: Write, progress: Progress | None
) -> list[str]:
    """The names of the photos that were written."""
    total = len(source.names) if options.max_images is None else min(options.max_images, len(source.names))
    for number, name in enumerate(source.names[:total]):
        try:
            image = plain_rgb(source.open(number, orientation="upright", profile=True))
            square = _transformed(image, options)
        except WriteError:
            raise
        except InputError as error:
            prepared.failed[name] = str(error)
            square = image = None
        if square is not None:
            _require_one_size(square, name, prepared, source.place)
            count = f"{len(prepared.names):08d}"
            prepared.names[name] = f"{count[:5]}/img{count}.png"
            write(prepared.names[name], _png(square))
        elif image is not None:
            prepared.small.append(name)
        if progress:
            progress(number + 1, total, name)
    return list(prepared.names)


def _transformed(image: Image.Image, options: SetOptions) -> Image.Image | None:
    """The picture of a photo; None where it is too small."""
    if options.transform == "center-crop-wide":
        assert options.width is not None and options.height is not None
        return cropped_wide(image, options.width, options.height)
    if options.transform == "center-crop":
        image = center_cropped(image)
    elif options.transform == "pad":
        image = padded(image)
    if options.width is None or (options.transform == "none" and image.width != image.height):
        return image
    return resized(image, options.width, options.width)


def _require_one_size(image: Image.Image, name: str, prepared: PreparedSet, place: Path) -> None:
    """Every picture is square, as large as the first, and of a size that generators have."""
    size = f"{image.width} x {image.height} pixels"
    if image.width != image.height:
        raise InputError(f"{name} in {place} is not square ({size}): add --transform center-crop, or pad, or stretch.")
    if prepared.side and image.width != prepared.side:
        raise InputError(
            f"{name} in {place} has {size}, photos before it {prepared.side} x {prepared.side}: add --resolution N to "
            "bring all to one size."
        )
    if not _is_power_of_two(image.width):
        raise InputError(
            f"{name} in {place} has {size}, and generators need a power of two from 4 up: add --resolution N, such as "
            f"{1 << (image.width.bit_length() - 1)}."
        )
    prepared.side = image.width


def _is_power_of_two(number: int) -> bool:
    return number >= 4 and number & (number - 1) == 0


def _png(image: Image.Image) -> bytes:
    """Without compression, so that a training does not wait for it."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=0, optimize=False)
    return buffer.getvalue()


def _require_free(out: Path, place: str | Path, overwrite: bool) -> None:
    if out.suffix.lower() == ".zip":
        require_free_file(out, overwrite=overwrite, inputs=(place,), is_ours=is_prepared)
    else:
        require_replaceable(out, None)


@contextmanager
def _opened(out: Path, place: str | Path) -> Iterator[Write]:
    """What writes a file of the set; the set appears when it is whole."""
    if out.suffix.lower() != ".zip":
        with atomic_folder(out, inputs=(place,)) as folder:

            def write_file(name: str, data: bytes) -> None:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_bytes(data)

            yield write_file
        return
    with atomic_stream(out) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.comment = MARK

        def write_member(name: str, data: bytes) -> None:
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o644 << 16
            archive.writestr(member, data)

        yield write_member
