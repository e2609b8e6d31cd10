"""What a result can be asked for beside its own files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from ...errors import InputError
from .names import Format


@dataclass(frozen=True)
class ExportOptions:
    """What a result can be asked for beside its own files.

    Attributes:
        formats: of the mesh, "glb", "obj", "ply", "stl", "3mf" and "usdz": mesh.obj and so on.
    """

    formats: tuple[Format, ...] = ()

    def __post_init__(self) -> None:
        _require_known("--format", self.formats, get_args(Format))

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != ExportOptions()


def _require_known(flag: str, words: tuple[str, ...], known: tuple[str, ...]) -> None:
    for word in words:
        if word not in known:
            raise InputError(f"{flag} is {word!r}; choose from {', '.join(known)}.")
