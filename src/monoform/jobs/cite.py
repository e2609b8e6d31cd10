"""What there is, and what to cite."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..inputs.files import is_folder
from ..methods import MethodCard, method_class, method_names
from ..scene.result_files import read_summary, result_in


def list_methods() -> list[MethodCard]:
    """The cards of all installed methods, by name."""
    return [method_class(name).card for name in method_names()]


def cite(what: str | Path | None = None) -> str:
    """BibTeX of what a method or a result is built on.

    Args:
        what: name of a method, path of a result folder, or None for every method.

    Raises:
        InputError: there is no such method or result.
    """
    if what is not None and is_folder(what):
        entries = read_summary(result_in(what)).get("citation") or ()
        if not isinstance(entries, (list, tuple)) or not all(isinstance(entry, str) for entry in entries):
            raise InputError(f"{what} names no citation that can be read: reconstruct the photo again.")
    elif what is not None and what not in method_names() and (Path(what).name != str(what) or os.path.lexists(what)):
        raise InputError(f"There is no result folder {what}: check the path, or give the name of a method.")
    else:
        names = method_names() if what is None else [str(what)]
        entries = [entry for name in names for entry in method_class(name).card.citation]
    return "\n\n".join(dict.fromkeys(entries))
