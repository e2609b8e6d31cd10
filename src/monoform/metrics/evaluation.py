"""The one loop of every evaluation: items are measured, each kept in a folder of its own, then come the tables.

Interrupted, the same evaluation goes on where it was. Several processes may share the items.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar

import torch
import tyro

from ..computing import Computing
from ..errors import InputError
from ..outputs import Kind, atomic_file, claimed, require_name
from ..progress import work
from ..ranges import LARGEST_SEED, require_range
from ..text import printable
from ..workers import map_unordered
from .measured_items import SCORES, clear_items, holds_items, item_rows, measured_item, require_current
from .measured_items import SECONDS as SECONDS
from .protocol import Protocol as Protocol
from .table import csv_of, markdown_of, summary_of

REQUEST = "evaluation.json"
SUMMARY, TABLE, SHEET = "metrics.json", "metrics.md", "metrics.csv"
EVALUATION = Kind("evaluation of monoform", REQUEST, lambda record: () if "seed" in record else None)
PASSING = (
    "out",
    "workers",
    "overwrite",
    *(option.name for option in dataclasses.fields(Computing)),
)  # change no figure
SHOWN = 20  # sentences about what is left out


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `monoform evaluate METHOD` does.

    Attributes:
        summary: what is measured, in a line.
        options: dataclass of all its options, documented for the command line; built on `EvaluationOptions` where `run`
            is `evaluate`.
        run: options -> what is printed, the table in Markdown; writes its files.
    """

    summary: str
    options: type
    run: Callable[[Any], str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationOptions(Computing):
    """What every evaluation can be asked for."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where results, scores and tables go."""
    workers: int = 1
    """Processes that share the items; each holds the method."""
    overwrite: bool = False
    """Measure again what DIR holds of an evaluation, with these options; what monoform did not write there stays."""
    seed: int = 0
    """Seed of all randomness."""

    def __post_init__(self) -> None:
        require_range("--seed", self.seed, 0, LARGEST_SEED)


Options = TypeVar("Options", bound=EvaluationOptions)


def evaluate(open_protocol: Callable[[Options], Protocol], options: Options) -> str:
    """Run a protocol as the command line asks for it; what is printed.

    Raises:
        InputError: the protocol cannot be opened, no item can be measured, or `options.out` is another's.
        WriteError: it cannot be written.
    """
    protocol = open_protocol(options)
    asked = dataclasses.asdict(options) | {"weights": protocol.weights}
    asked = {name: value for name, value in asked.items() if name not in (*PASSING, *protocol.free)}
    elsewhere = functools.partial(_measured_elsewhere, open_protocol, options)
    summary = run_protocol(
        protocol, options.out, asked, workers=options.workers, elsewhere=elsewhere, again=options.overwrite
    )
    left_out = [printable(f"Left out: {reason}") + "\n" for reason in summary["skipped"][:SHOWN]]
    if len(summary["skipped"]) > SHOWN:
        left_out.append(f"and {len(summary['skipped']) - SHOWN} more, see {printable(options.out / SUMMARY)}\n")
    return "".join((*left_out, summary.pop("told", ""), markdown_of(summary), f"\n{_origin(summary)}\n"))


def run_protocol(
    protocol: Protocol,
    out: str | Path,
    asked: Mapping[str, Any],
    *,
    workers: int = 1,
    elsewhere: Callable[[Path, int], str | None] | None = None,
    again: bool = False,
) -> dict[str, Any]:
    """Measure what is not yet measured, and write the tables: metrics.json, metrics.md and metrics.csv.

    Args:
        asked: plain values that say what is measured; a folder of others is refused.
        elsewhere: measures an item in another process; needed for several workers.
        again: measure everything again, whatever was asked for before.

    Returns:
        What metrics.json holds.

    Raises:
        InputError: no item can be measured, a file of scores is damaged, or `out` is another's.
        WriteError: it cannot be written.
    """
    record = json.loads(json.dumps(dict(asked), default=os.path.abspath))
    folders = _folders(protocol)

    def other(stored: Mapping[str, Any]) -> str:
        name = _differing(stored, record) or "options"
        return (
            f"{printable(out)} holds an evaluation with other options ({name} was {_shown(stored.get(name))}, "
            f"{_shown(record.get(name))} is asked for); give another folder, or --overwrite."
        )

    def fits(stored: Mapping[str, Any]) -> bool:
        return again or _differing(stored, record) is None or not holds_items(Path(out))

    with claimed(out, EVALUATION, same=fits, other=other) as claim:
        place = claim.folder
        if again:
            clear_items(protocol, [place / each for each in folders])
        if again or claim.stored is None or _differing(claim.stored, record) is not None:
            claim.record(record)
        kept = len(require_current(protocol, place, folders))
        waiting = [number for number, each in enumerate(folders) if not (place / each / SCORES).is_file()]
        threads = max(1, torch.get_num_threads() // workers)
        skipped = list(protocol.skipped)
        here = functools.partial(measured_item, protocol, place)
        each = here if workers == 1 or elsewhere is None else functools.partial(elsewhere, place)
        with work(protocol.doing, len(folders), unit=protocol.unit) as show:
            finished = map_unordered(each, waiting, workers=workers, threads=threads)
            for done, (number, reason) in enumerate(finished, kept + 1):
                show(done, len(folders), protocol.names[number])
                if reason is not None:
                    skipped.append(f"{protocol.names[number]}: {reason}")
        rows = item_rows(protocol, place, folders)
        if not rows:
            reason = skipped[0] if skipped else "there is none."
            raise InputError(f"None of the {len(folders)} {protocol.unit}s could be measured: {reason}")
        summary = summary_of([row for row, _ in rows.values()]) | {
            "skipped": sorted(skipped),
            "options": record,
            "monoform": version("monoform"),
            "weights_sha256": protocol.weights,
            **({"apart": True} if protocol.apart else {}),
        }
        contents = {name: content for name, (_, content) in rows.items()}
        summary["total"] |= protocol.together(place, contents)
        told = protocol.finish(place, contents)
        _write_tables(place, summary)
        return summary | ({"told": told} if told else {})


def _write_tables(place: Path, summary: Mapping[str, Any]) -> None:
    origin = {name: summary[name] for name in ("monoform", "weights_sha256")}
    texts = {
        SUMMARY: json.dumps(summary, indent=1),
        TABLE: f"{markdown_of(summary)}\n{_origin(summary)}\n",
        SHEET: csv_of(summary, origin),
    }
    with contextlib.ExitStack() as files:  # all of them, or none
        for name, text in texts.items():
            files.enter_context(atomic_file(place / name)).write_text(text, encoding="utf-8")


def _origin(summary: Mapping[str, Any]) -> str:
    """Which program and which weights have given the scores."""
    weights = f", weights with SHA-256 {summary['weights_sha256']}" if summary["weights_sha256"] else ""
    return f"monoform {summary['monoform']}{weights}"


def _folders(protocol: Protocol) -> list[str]:
    """A folder's name for each item.

    Raises:
        InputError: a name is none, or two items would share a folder.
    """
    folders = [protocol.folder(name) for name in protocol.names]
    for folder, count in Counter(folders).items():
        for part in folder.split("/"):
            require_name(part)
        if count > 1:
            raise InputError(f"{count} {protocol.unit}s would be written to {folder}: rename all but one of them.")
    return folders


def _differing(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """The first option that is stored and another one now."""
    return next((name for name, value in stored.items() if name not in asked or asked[name] != value), None)


def _shown(value: object) -> str:
    text = printable(json.dumps(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _measured_elsewhere(
    open_protocol: Callable[[Options], Protocol], options: Options, place: Path, number: int
) -> str | None:
    """The same in another process, which opens the protocol once."""
    return measured_item(_opened(open_protocol, options), place, number)


@functools.lru_cache(maxsize=1)
def _opened(open_protocol: Callable[[Options], Protocol], options: Options) -> Protocol:
    return open_protocol(options)
