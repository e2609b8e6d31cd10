"""Files and folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import io
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ..errors import WriteError
from ..interrupts import uninterrupted
from ..text import printable
from .kinds import Kind
from .places import MARK, require_replaceable
from .temporaries import OLD, PARTIAL, sweep, temporary_path

if TYPE_CHECKING:
    from PIL import Image

REMOVALS, PAUSE = 100, 0.05  # seconds


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path with the same suffix in the same folder; rename it to `path` on success.

    Raises:
        WriteError: the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    with explained_errors(path), made_parents(path):
        sweep(path.parent)
        try:
            temporary = temporary_path(path, path.suffix)
            yield temporary
            os.replace(temporary, path)
        finally:
            if temporary is not None:
                with uninterrupted(), suppress(OSError):
                    temporary.unlink(missing_ok=True)


class Stream(io.RawIOBase):
    """A file that is written through Python alone, so that what the system says of a failure is kept.

    Libraries that write themselves hide it: a full disk becomes "encoder error -2" or an internal check.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        """All bytes of `data`."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.failure = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move, from the start, the place or the end."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Position of the next byte."""
        return self._file.tell()

    def writable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def flush(self) -> None:
        """Hand everything to the system."""
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        """Hand everything to the system, and end."""
        if not self._file.closed:
            try:
                self._file.close()
            except OSError as error:
                self.failure = self.failure or error
                raise
        super().close()


@contextmanager
def atomic_stream(path: str | Path) -> Iterator[IO[bytes]]:
    """Yield a stream to write into; the file appears when it is whole.

    For libraries that take an open file: what they make of a failed write is replaced by its reason.

    Raises:
        WriteError: the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    with atomic_file(path) as temporary:
        stream = Stream(temporary)
        try:
            yield cast("IO[bytes]", stream)
            stream.close()
        except Exception as error:
            if stream.failure is not None and error is not stream.failure:
                raise stream.failure from error
            raise
        finally:
            with suppress(OSError):
                stream.close()


def save_picture(image: Image.Image, path: str | Path, *, marked: bool = False, **options: Any) -> None:
    """Write a PIL image in the format of the path's suffix, whole or not at all.

    Args:
        marked: a PNG, GIF or WebP says that monoform wrote it, so that it may be replaced later.

    Raises:
        WriteError: the folder cannot be written, or the disk is full.
    """
    kinds = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".apng": "PNG", ".gif": "GIF", ".webp": "WEBP"}
    if marked:
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        text.add_text("Software", MARK.decode())
        options |= {"pnginfo": text, "comment": MARK, "xmp": MARK}
    with atomic_stream(path) as stream:
        image.save(stream, kinds[Path(path).suffix.lower()], **options)


@contextmanager
def atomic_folder(path: str | Path, kind: Kind | None = None, *, inputs: tuple[object, ...] = ()) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`, otherwise it is removed.

    Args:
        kind: of the folders that may be replaced, see `require_replaceable`; None: there must be none.
        inputs: what is read meanwhile; a folder that holds one of them is not replaced.

    Raises:
        InputError: something lies at `path` that may not be replaced; nothing was begun.
        WriteError: the parent folder cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    with explained_errors(path), made_parents(path):
        sweep(path.parent)
        require_replaceable(path, kind, inputs=inputs)
        try:
            # Named before it is made: an interrupt between the two must still clear it.
            temporary = temporary_path(path, PARTIAL)
            temporary.mkdir()
            yield temporary
            require_replaceable(path, kind)
            with uninterrupted():
                replace_folder(temporary, path)
        finally:
            if temporary is not None:
                with uninterrupted():
                    remove_folder(temporary)


@contextmanager
def made_parents(path: Path) -> Iterator[None]:
    """The folders above `path` are there; those made now are gone again where it fails and they are empty."""
    missing = []
    parent = path.parent
    try:
        with explained_errors(path):
            while not parent.exists() and parent != parent.parent:
                missing.append(parent)
                parent = parent.parent
            path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def write_error(path: Path, error: OSError | WriteError) -> WriteError:
    """The sentence for a failed write; of a failure on the way, for what was to become of it."""
    reason = error.reason if isinstance(error, WriteError) else error.strerror or str(error)
    return WriteError(
        f"Cannot write {printable(path)}: {reason}. Choose a folder that is writable and has free space.", reason
    )


def replace_folder(new: Path, place: Path) -> None:
    """Put `new` where `place` is; when that fails, `place` is as it was."""
    if not os.path.lexists(place):
        os.rename(new, place)
        return
    old = temporary_path(place, OLD)
    os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        os.rename(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder; one into which a process that is just ending still writes, again until it stays away."""
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.lexists(folder):
            return
        time.sleep(PAUSE)


@contextmanager
def explained_errors(path: Path) -> Iterator[None]:
    """Turn an error of the system while writing into a sentence about `path`."""
    try:
        yield
    except (OSError, WriteError) as error:
        raise write_error(path, error) from error
