"""Files and folders that appear whole or not at all: written beside their place, then renamed into it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

REMOVALS, PAUSE = 100, 0.05  # seconds


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path with the same suffix in the same folder; rename it to `path` on success.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.stem}.{secrets.token_hex(4)}{path.suffix}"
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            with uninterrupted():
                temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path`, otherwise it is removed.

    Raises:
        InputError: the parent folder cannot be written, or the disk is full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Named before it is made: an interrupt between the two must still clear it.
        temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.partial"
        temporary.mkdir()
        yield temporary
        with uninterrupted():
            _replace_folder(temporary, path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        if temporary is not None:
            with uninterrupted():
                _remove_folder(temporary)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM while something is cleared up or renamed; they arrive afterwards.

    Processes started meanwhile hold them back too, until they let them through. Without effect on Windows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def write_error(path: Path, error: OSError) -> InputError:
    """The sentence for a failed write."""
    reason = error.strerror or str(error)
    return InputError(f"Cannot write {path}: {reason}. Choose a folder that is writable and has free space.")


def _remove_folder(folder: Path) -> None:
    """Remove a folder; one into which a process that is just ending still writes, again until it stays away."""
    for _ in range(REMOVALS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(PAUSE)


def _replace_folder(new: Path, place: Path) -> None:
    """Put `new` where `place` is; when that fails, `place` is as it was."""
    if not place.exists():
        os.rename(new, place)
        return
    old = place.parent / f".{place.name}.{secrets.token_hex(4)}.old"
    os.rename(place, old)
    try:
        os.rename(new, place)
    except BaseException:
        os.rename(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
