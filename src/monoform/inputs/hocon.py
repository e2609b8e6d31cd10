"""HOCON configurations, in which published programs keep their options, with the files that they include."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import InputError
from .files import read_text

LARGEST = 1 << 16  # bytes of a configuration; published ones have a few thousand
DEEPEST = 32  # files that include each other
SUBSTITUTIONS = 16  # ${...} in a file: each may double what it stands in
_COMMENT = re.compile(r"(?m)(?:^|(?<=[\s,}\]]))(?:#|//).*$")
_INCLUDE = re.compile(r'\binclude\s+(?P<required>required\s*\(\s*)?(?:(?P<kind>\w+)\s*\(\s*)?"(?P<name>[^"\n]*)"', re.I)
_ADVICE = "give the configuration as the authors' program reads it"


def read_hocon(file: str | Path) -> dict[str, Any]:
    """The tree of a configuration as plain dictionaries, lists, numbers, truth values and words.

    `include "other.conf"` and `include required("other.conf")` are followed to files beside it, nowhere else: neither
    to the network nor to packages.

    Raises:
        InputError: a file is missing or cannot be parsed, files include each other in a circle, or pyhocon is missing.
    """
    try:
        from pyhocon import ConfigFactory, ConfigTree
        from pyhocon.exceptions import ConfigException
        from pyparsing import ParseBaseException
    except ImportError as error:
        raise InputError("HOCON configurations need the package: pip install 'monoform[hocon]'.") from error
    _require_local(Path(file), ())
    try:
        tree = ConfigFactory.parse_file(str(file))
    except (ConfigException, ParseBaseException, ValueError, TypeError, KeyError, RecursionError, OSError) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{file} is no HOCON that can be read ({reason}): {_ADVICE}.") from error
    if not isinstance(tree, ConfigTree):
        raise InputError(f"{file} holds a list and no options by name: {_ADVICE}.")
    return dict(tree.as_plain_ordered_dict())


def _require_local(file: Path, above: tuple[Path, ...]) -> None:
    """Go through the files that a configuration includes, before the parser opens them."""
    if file.resolve() in above or len(above) >= DEEPEST:
        raise InputError(f"{file} includes itself, through {above[-1]}: {_ADVICE}.")
    text = _COMMENT.sub("", read_text(file, limit=LARGEST))
    if text.count("${") > SUBSTITUTIONS:
        raise InputError(f"{file} has more than {SUBSTITUTIONS} substitutions ${{...}}: write the values out.")
    for found in _INCLUDE.finditer(text):
        name, kind = found["name"], (found["kind"] or "file").lower()
        if kind != "file" or re.match(r"[a-z]+://", name, re.I) or set(name) & set("*?["):
            raise InputError(f"{file} includes {name!r}, which is no file by its name: {_ADVICE}.")
        other = file.parent / name
        if found["required"] or other.exists():
            _require_local(other, (*above, file.resolve()))
