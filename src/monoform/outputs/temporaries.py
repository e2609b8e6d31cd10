"""Names of what is not finished yet; what processes that were killed have left under such names is cleared.

A name tells the process: its number, when it started (numbers are used again), and its machine.
"""

from __future__ import annotations

import functools
import os
import re
import secrets
import shutil
import socket
import time
import zlib
from contextlib import suppress
from pathlib import Path

from ..text import cut

PARTIAL, OLD = ".partial", ".old"
_SHOWN = 150  # bytes of the final name that a temporary one repeats
_NAME = re.compile(
    r"\.(?P<name>.*)\.mf(?P<pid>\d+)-(?P<start>\d+)-(?P<host>[0-9a-f]{8})-[0-9a-f]{8}(?P<suffix>\.[^.]*)?"
)
_ELSEWHERE = 24 * 3600.0  # seconds after which what another machine has left counts as left
_swept: set[tuple[int, Path]] = set()


def temporary_path(path: Path, suffix: str) -> Path:
    """A new hidden name beside `path` that tells this process; its length fits whatever `path` is called."""
    mark = f"mf{os.getpid()}-{_start_of(os.getpid())}-{_host()}-{secrets.token_hex(4)}"
    return path.parent / f".{cut(path.name, _SHOWN)}.{mark}{suffix[:20]}"


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is one that is not finished."""
    return _NAME.fullmatch(name) is not None


def sweep(folder: Path, *, again: bool = False) -> None:
    """Clear what killed processes left in `folder`, and put back what they had moved aside.

    Args:
        again: also where this process has done so before; by default once is enough.
    """
    key = (os.getpid(), folder)
    if key in _swept and not again:
        return
    _swept.add(key)
    with suppress(OSError):
        left = [(_NAME.fullmatch(entry.name), Path(entry.path)) for entry in os.scandir(folder) if entry.name[0] == "."]
        for match, path in left:
            if match is not None and not _is_living(match, path):
                _clear(match, path)


def _clear(match: re.Match[str], path: Path) -> None:
    place = path.with_name(match["name"])
    if match["suffix"] == OLD and not os.path.lexists(place) and len(match["name"].encode()) < _SHOWN - 4:
        with suppress(OSError):
            os.rename(path, place)  # the process was killed between the two renames of a replacement
    elif path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _is_living(match: re.Match[str], path: Path) -> bool:
    """Whether the process that made it may still work on it."""
    if match["host"] != _host():
        with suppress(OSError):
            return time.time() - path.lstat().st_mtime < _ELSEWHERE
        return True
    number, start = int(match["pid"]), int(match["start"])
    if number == os.getpid():
        return start == _start_of(number)
    if os.name == "nt":  # a signal 0 would end the process there
        return True
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return _start_of(number) in (0, start)


def _start_of(number: int) -> int:
    """When a process started, in ticks since the machine did; 0 where the system does not tell."""
    try:
        content = Path(f"/proc/{number}/stat").read_text()
        state, *fields = content.rpartition(")")[2].split()
        return -1 if state == "Z" else int(fields[18])
    except (OSError, ValueError, IndexError):
        return 0


@functools.cache
def _host() -> str:
    """The machine, and on Linux the room of its process numbers: containers have their own."""
    try:
        room = os.readlink("/proc/self/ns/pid")
    except OSError:
        room = ""
    return f"{zlib.crc32((socket.gethostname() + room).encode()):08x}"
