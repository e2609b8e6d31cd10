"""`python -m tests.parity.pack SOURCE TARGET`: golden cases for keeping, as small as they may be.

SOURCE is a case or a folder of cases. Results whose entries are compared one by one are thinned by odd strides, so that
no phase of a grid is left out; of files, the tensors that the manifest's fill rule makes again are left out.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
from tests.parity.conftest import golden_folder  # noqa: F401  enters the checks into the table
from tests.parity.fill import fill_state
from tests.parity.parity_case import Case
from tests.parity.parity_checks import CHECKS, case_folders, kind_of
from tests.parity.stored import read_arrays, thin, write_arrays, write_holes

ENTRYWISE = {"abs", "rel", "rel_max", "levels", "exact", "note"}
"""Tolerances under which every entry is judged by itself."""
LARGE_FILE = 100_000
IN_COMPARE = 2
"""How often `Case.compare` looks at an array: what a check looks at more often, it computes with."""


class Watched(dict[str, np.ndarray]):
    """Arrays that count how often each was looked at."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        super().__init__(arrays)
        self.read: Counter[str] = Counter()

    def __getitem__(self, name: str) -> np.ndarray:
        self.read[name] += 1
        return super().__getitem__(name)


def strides_of(shape: tuple[int, ...], entries: int) -> list[int]:
    """Odd strides of the longest axes that leave about so many entries."""
    strides, left = [1] * len(shape), list(shape)
    while np.prod(left) > entries and max(left) > 7:
        axis = int(np.argmax(left))
        strides[axis] += 2
        left[axis] = len(range(0, shape[axis], strides[axis]))
    return strides


def thinned(case: Case, entries: int) -> dict[str, list[int]]:
    """Strides of the results that a check compares whole and takes nothing else from."""
    done = Case.load(case.folder)
    done.arrays = watched = Watched(done.arrays)
    CHECKS[kind_of(case.folder)](done)
    found = {}
    for name in set(done.compared) - done.taken - set(case.manifest["inputs"]):
        values = case.arrays[name]
        if watched.read[name] == IN_COMPARE and values.size > 1.5 * entries and set(case.tolerance(name)) <= ENTRYWISE:
            found[name] = strides_of(values.shape, entries)
    return found


def pack(source: Path, target: Path, entries: int, whole: list[str]) -> None:
    """Write one case."""
    case, manifest = Case.load(source), json.loads((source / "manifest.json").read_text())
    strides = {name: steps for name, steps in sorted(thinned(case, entries).items()) if name not in whole}
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(set(source.iterdir()) - {source / "io.npz", source / "manifest.json"}):
        if path.stat().st_size > LARGE_FILE and "tensors" in manifest:
            write_holes(target / path.name, path.read_bytes(), fill_state(manifest))
        else:
            shutil.copy2(path, target)
    arrays = {name: thin(values, strides.get(name, ())) for name, values in read_arrays(source / "io.npz").items()}
    if strides:
        text = json.dumps({**manifest, "thinned": strides}, separators=(",", ":"))
        (target / "manifest.json").write_text(text + "\n")
    else:
        shutil.copy2(source / "manifest.json", target)
    write_arrays(target / "io.npz", arrays)


def main() -> None:
    """Pack each case that has a check, and run it on what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--entries", type=int, default=4096, help="about how many of a result to keep")
    parser.add_argument("--whole", nargs="*", default=[], help="arrays to keep whole")
    args = parser.parse_args()
    above = args.source.parent.parent if (args.source / "io.npz").exists() else args.source
    folders = [folder for folder in case_folders(args.source) if kind_of(folder) in CHECKS]
    targets = [args.target / folder.relative_to(above) for folder in folders]
    for folder, target in zip(folders, targets, strict=True):
        pack(folder, target, args.entries, args.whole)
    for target in targets:  # only now: some take a file of another
        packed = Case.load(target)
        CHECKS[kind_of(target)](packed)
        packed.finish()
        print(target, sum(path.stat().st_size for path in target.iterdir()), "bytes")


if __name__ == "__main__":
    main()
