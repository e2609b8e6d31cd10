"""The folder of an evaluation: of one set of options, so that scores of others do not mix with them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..inputs import read_text
from ..outputs import Kind, claimed

REQUEST = "evaluation.json"
EVALUATION = Kind("evaluation of monoform", REQUEST, lambda record: () if "seed" in record else None)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `monoform evaluate METHOD` does.

    Attributes:
        summary: what is measured, in a line.
        options: dataclass of all its options, `out` among them, documented for the command line.
        run: options -> the table, Markdown; writes its files to `out`.
    """

    summary: str
    options: type
    run: Callable[[Any], str]


@contextmanager
def evaluation(out: str | Path, options: Any) -> Iterator[Path]:
    """Claim the folder of an evaluation; where nothing comes of it, nothing is left there.

    Args:
        options: a dataclass of plain values; one of them is `seed`.

    Raises:
        InputError: the folder is the user's, holds an evaluation with other options, or another process writes there.
        WriteError: it cannot be written.
    """
    asked = json.loads(json.dumps(dataclasses.asdict(options)))
    other = f"{out} holds an evaluation with other options; give another folder."
    with claimed(out, EVALUATION, same=lambda record: record == asked, other=other) as place:
        if place.stored is None:
            place.record(asked)
        yield place.folder


def read_scores(folder: Path, name: str) -> dict[str, Any]:
    """The scores of a finished object; numbers may be infinite.

    Raises:
        InputError: the file is damaged.
    """
    try:
        content = json.loads(read_text(folder / name))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder / name} is damaged ({error}): remove {folder}, and it is made again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{folder / name} is damaged: remove {folder}, and it is made again.")
    return content
