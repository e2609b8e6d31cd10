"""JSON that the user brings: an object of named fields whose numbers are finite."""

from __future__ import annotations

import gzip
import io
import json
import math
from collections.abc import Iterator
from typing import Any

from ..errors import InputError
from .files import AnyPath, read_bytes, read_text

MAX_LIST_BYTES = 1024**3  # of a list whose entries are read one by one, unpacked
MAX_JSON_BYTES = 48 * 1024 * 1024  # unfolded into objects, some 30 times as much memory
LARGEST = 1e300


def read_json(
    path: str | AnyPath, *, advice: str = "write it again", missing: str = "check the name"
) -> dict[str, Any]:
    """The named fields of a JSON file; otherwise as `read_json_value`.

    Raises:
        InputError: it is no object with named fields.
    """
    content = read_json_value(path, advice=advice, missing=missing)
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no object with named fields; {advice}.")
    return content


def read_json_value(
    path: str | AnyPath,
    *,
    advice: str = "write it again",
    missing: str = "check the name",
    limit: int = MAX_JSON_BYTES,
) -> Any:
    """The value in a JSON file.

    Args:
        path: of the file, UTF-8 with or without a byte order mark.
        advice: what to do about a damaged file, the end of its sentence.
        missing: what to do where there is none.
        limit: bytes.

    Raises:
        InputError: the file is missing, damaged, or holds a number that is not finite; the sentence names the file, and
            the field where there is one.
    """
    return parsed_json(read_text(path, limit=limit, advice=missing), path, advice)


def parsed_json(text: str, path: str | AnyPath, advice: str) -> Any:
    """The value in the text of a JSON file.

    Raises:
        InputError: as `read_json_value`.
    """
    try:
        content = json.loads(text)
    except RecursionError as error:
        raise InputError(f"{path} cannot be read as JSON (nested too deep); {advice}.") from error
    except ValueError as error:
        raise InputError(f"{path} cannot be read as JSON ({_where(error)}); {advice}.") from error
    require_finite(content, path)
    return content


def read_json_entries(path: str | AnyPath, *, advice: str, missing: str) -> Iterator[dict[str, Any]]:
    """The objects of a long list in a gzipped JSON file, one by one, so that not all are in memory.

    Args:
        path: of the file.
        advice: what to do about a damaged file, the end of its sentence.
        missing: what to do where there is none.

    Raises:
        InputError: the file is missing, damaged, too large, or no list of objects.
    """
    text, decoder, place = _unpacked(path, advice, missing), json.JSONDecoder(), 0
    try:
        place = _after(text, place, "[")
        while text[place] != "]":
            entry, place = decoder.raw_decode(text, place)
            if not isinstance(entry, dict):
                raise ValueError("an entry is no object with named fields")
            yield entry
            place = _after(text, place, "," if text[_blank(text, place)] != "]" else "")
    except (ValueError, IndexError, RecursionError) as error:
        reason = _where(error) if isinstance(error, ValueError) else "it is cut short or nested too deep"
        raise InputError(f"{path} cannot be read as a list in JSON ({reason}); {advice}.") from error


def _unpacked(path: str | AnyPath, advice: str, missing: str) -> str:
    data = read_bytes(path, advice=missing)
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(MAX_LIST_BYTES + 1)
        if len(unpacked) > MAX_LIST_BYTES:
            raise ValueError(f"more than {MAX_LIST_BYTES >> 20} MB unpacked")
        return unpacked.decode("utf-8-sig")
    except Exception as error:  # gzip, zlib and struct raise whatever they stumble over
        raise InputError(f"{path} cannot be unpacked ({str(error)[:100]}); {advice}.") from error


def _blank(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place


def _after(text: str, place: int, mark: str) -> int:
    """The place of what follows a mark."""
    place = _blank(text, place)
    if not text.startswith(mark, place):
        raise ValueError(f"no {mark} at character {place}")
    return _blank(text, place + len(mark))


def require_finite(content: Any, source: str | AnyPath) -> None:
    """Look at every number of a parsed JSON file.

    Raises:
        InputError: one is NaN, infinite or beyond what a float holds; the sentence names its field.
    """
    waiting: list[tuple[str, Any]] = [("", content)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()]
        elif isinstance(value, list):
            waiting += [(f"{name}[{number}]", item) for number, item in enumerate(value)]
        elif isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{source}: {name[:100]} is {value}; it must be a finite number.")
        elif isinstance(value, int) and not -LARGEST < value < LARGEST:
            raise InputError(
                f"{source}: {name[:100]} is a whole number of {value.bit_length()} bits; give a smaller one."
            )


def _where(error: ValueError) -> str:
    return f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)[:100]
