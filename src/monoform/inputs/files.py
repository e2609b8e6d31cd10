"""The bytes of a file that the user names: a regular file, of a size that can be held."""

from __future__ import annotations

import io
import os
import stat

from ..errors import InputError
from .remote import AnyPath as AnyPath
from .remote import RemotePath

MAX_BYTES = 256 * 1024 * 1024


def require_regular_file(path: str | AnyPath, *, advice: str = "check the name") -> int:
    """The size in bytes of a regular file; devices, pipes, sockets and folders are none.

    Args:
        path: of the file; a link is followed.
        advice: the end of the sentence where nothing is there.

    Raises:
        InputError: nothing is there, it cannot be reached, or it is no regular file.
    """
    if isinstance(path, RemotePath):
        size = path.size()
        if size is None:
            raise InputError(
                f"{path} is a folder: give a file." if path.exists() else f"There is no file {path}: {advice}."
            )
        return size
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}: {advice}.") from error
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a zero byte in the name
        raise unreadable(path, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path} is a folder: give a file.")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is a device or a pipe: give a file.")
    return found.st_size


def require_folder(path: str | AnyPath, what: str, *, advice: str = "check the path") -> None:
    """Refuse what is no folder.

    Args:
        path: of the folder; a link is followed.
        what: it is, as in "data folder".
        advice: the end of the sentence where nothing is there.

    Raises:
        InputError: nothing is there, it cannot be reached, or it is a file.
    """
    if isinstance(path, RemotePath):
        if not path.is_dir():
            raise InputError(f"There is no {what} {path}: {advice}.")
        return
    try:
        found = os.stat(path)
    except FileNotFoundError as error:
        raise InputError(f"There is no {what} {path}: {advice}.") from error
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path} is a file: give the {what}.")


def is_folder(path: str | AnyPath) -> bool:
    """Whether there is a folder; a name that no file system takes is none."""
    if isinstance(path, RemotePath):
        return path.is_dir()
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def open_binary(path: str | AnyPath) -> io.BufferedIOBase:
    """A file's bytes.

    Raises:
        OSError, ValueError: it cannot be opened.
        InputError: its address cannot be reached.
    """
    return path.open() if isinstance(path, RemotePath) else open(path, "rb")


def read_bytes(path: str | AnyPath, *, limit: int = MAX_BYTES, advice: str = "check the name") -> bytes:
    """All bytes of a regular file.

    Args:
        path: of the file.
        limit: bytes; a larger file is refused, and no more than that is read of one that grows.
        advice: the end of the sentence where nothing is there.

    Raises:
        InputError: the file is missing, no regular file, too large, or cannot be read.
    """
    size = require_regular_file(path, advice=advice)
    if size <= limit:
        try:
            with open_binary(path) as file:
                data = file.read(limit + 1)
        except OSError as error:
            raise unreadable(path, error) from error
        size = len(data)
        if size <= limit:
            return data
    unit, name = (1e3, "kB") if 1e3 <= limit < 1e6 else (1e6, "MB")
    raise InputError(f"{path} has {size / unit:.0f} {name}; up to {limit / unit:.0f} {name} are read.")


def read_text(path: str | AnyPath, *, limit: int = MAX_BYTES, advice: str = "check the name") -> str:
    """The text of a UTF-8 file, without the byte order mark that some editors put before it.

    Raises:
        InputError: as `read_bytes`, or it is no UTF-8.
    """
    try:
        return read_bytes(path, limit=limit, advice=advice).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text in UTF-8: write it again.") from error


def unreadable(path: str | AnyPath, error: Exception) -> InputError:
    """The sentence for a file that the system does not let us read."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return InputError(f"{path} cannot be read: {reason}.")
