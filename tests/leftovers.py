"""Files and folders as processes leave them that were killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from monoform.outputs.temporaries import temporary_path


def left_behind(name: str, suffix: str) -> str:
    """A temporary name for `name` of a process that has ended."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    living = temporary_path(Path(name), suffix).name
    number, _, rest = living.partition(".mf")[2].partition("-")
    return living.replace(f".mf{number}-{rest}", f".mf{dead.pid}-{rest}")
