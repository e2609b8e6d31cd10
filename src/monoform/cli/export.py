"""monoform export RESULT -o DIR"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from ..errors import InputError
from .export_options import Exporting
from .options import parse


@dataclass(frozen=True)
class Export(Exporting):
    """Write files for other programs of a RESULT that is there already: formats, solids for printing, maps and more.

    What is asked for is what reconstruct writes beside a result by the same options; here it goes into a folder of its
    own, with mesh.glb and photo.jpg. An earlier export there is replaced.
    """

    result: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="RESULT")]
    """A result folder, or one that holds no other."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where the files go."""
    frames: int = 60
    """Frames of --turntable."""


def read(words: list[str]) -> Export:
    """The options."""
    return parse(Export, "export", words)


def run(words: list[str]) -> int:
    """Write, and say what came out."""
    asked = read(words)
    from ..jobs.export_result import export_result
    from ..ranges import require_range
    from .main import begin

    begin(asked)
    require_range("--frames", asked.frames, 1, 10_000)
    exports = asked.exports()
    if not exports:
        raise InputError("export writes what is asked for: give --format, --maps or another of its options.")
    told = export_result(asked.result, asked.out, exports, frames=asked.frames)
    for name, about in told["exports"].items():
        print(f"{asked.out / name}: {about}")
    for name in ("print", "simulation"):
        if name in told:
            numbers = (f"{key} {_short(value)}" for key, value in told[name].items())
            print(f"{name}: {', '.join(numbers)}")
    for notice in told["notices"]:
        print(notice)
    return 0


def _short(value: object) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(_short, value))}]"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
