"""Zip files that the user brings, opened so that neither their lists nor their records can outgrow the memory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import InputError
from .files import AnyPath, open_binary, require_regular_file

MAX_LIST_BYTES = 8 * 1024 * 1024  # of the list of members, each of which becomes an object of some 500 bytes
STEP = 1 << 20


class _ShortReads(io.BufferedReader):
    """A file that hands out no more at once than the longest list of members."""

    longest = MAX_LIST_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self.longest:
            raise zipfile.BadZipFile("its list of members is too long")
        return super().read(size)


@contextmanager
def open_archive(
    path: str | AnyPath,
    *,
    limit: int,
    advice: str,
    missing: str = "check the name",
    list_limit: int = MAX_LIST_BYTES,
) -> Iterator[zipfile.ZipFile]:
    """A zip file whose members unfold to at most `limit` bytes, by what its list says of them.

    Whatever its readers raise while it is open becomes one sentence.

    Args:
        advice: what to do about a damaged file, the end of its sentence.
        missing: what to do where there is none.
        list_limit: bytes of the list of members.

    Raises:
        InputError: the file is missing, no regular file, no zip file, damaged, or unfolds to more.
    """
    require_regular_file(path, advice=missing)
    try:
        with _ShortReads(open_binary(path)) as file:
            file.longest = list_limit
            with zipfile.ZipFile(file) as archive:
                total = sum(member.file_size for member in archive.infolist())
                if total > limit:
                    raise InputError(f"{path} unfolds to {total / 1e6:.0f} MB; up to {limit / 1e6:.0f} MB are read.")
                yield archive
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib, struct and the readers of members raise whatever they stumble over
        raise damaged(path, error, advice) from error


STUMBLES = (TypeError, AttributeError, LookupError, ArithmeticError, AssertionError, MemoryError, RecursionError)
TELLING = ("monoform", "zipfile", "tarfile", "gzip")
"""Modules whose errors say what is wrong with a file."""


def read_exactly(file: io.BufferedIOBase, size: int) -> bytearray:
    """So many bytes of a file or of a member, whose memory grows only as they come.

    Raises:
        EOFError: it ends before.
    """
    data = bytearray()
    while len(data) < size:
        part = file.read(min(STEP, size - len(data)))
        if not part:
            raise EOFError(f"{size} bytes should follow and {len(data)} do")
        data += part
    return data


def damaged(path: str | AnyPath, error: Exception, advice: str) -> InputError:
    """The sentence for a file whose bytes are not what they should be."""
    return InputError(f"{path} cannot be read, it is damaged or truncated ({_reason(error)}): {advice}.")


def _reason(error: Exception) -> str:
    """What a reader says of the bytes; what Python says of the code that stumbled over them tells a user nothing."""
    if isinstance(error, UnicodeError):
        return "a word in it is not UTF-8"
    told, trace = " ".join(str(error).split())[:120], error.__traceback__
    if isinstance(error, EOFError):
        return told or "it ends too early"
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] if trace else ""
    return told if told and place in TELLING and not isinstance(error, STUMBLES) else "its bytes make no sense"
