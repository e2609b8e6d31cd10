"""The parts that every page shares: package files, the policy that forbids the network, JSON inside HTML."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from string import Template
from typing import Any


def package_text(name: str) -> str:
    """A text file that ships beside this module."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def policy(*, style: str, script: str | None = None) -> str:
    """A Content-Security-Policy: only this style and script run, pictures and films only from inside the page."""
    scripts = f"'{_digest(script)}'" if script is not None else "'none'"
    return (
        f"default-src 'none'; img-src data:; media-src data:; style-src '{_digest(style)}'; "
        f"script-src {scripts}; base-uri 'none'; form-action 'none'"
    )


def json_for_html(value: Any) -> str:
    """JSON that can stand inside a script element whatever its strings hold."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def fill(template: str, **parts: str) -> str:
    """The package's template with its placeholders replaced once; what the parts hold is not looked at again."""
    return Template(package_text(template)).substitute(parts)


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
