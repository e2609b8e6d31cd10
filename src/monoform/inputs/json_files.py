"""JSON that the user brings: an object of named fields whose numbers are finite."""

from __future__ import annotations

import json
import math
from typing import Any

from ..errors import InputError
from .files import AnyPath, read_text

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
