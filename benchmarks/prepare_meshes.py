"""Choose the validation list from a pack of all meshes, or check that the frozen lists keep their promise.

python benchmarks/prepare_meshes.py PACK            check: every training mesh is further than 0.02 from every
                                                    validation mesh, after similarity alignment
python benchmarks/prepare_meshes.py PACK --write    choose again and write both lists (this changes the protocol)
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

import monoform.data
from monoform.data import PackedObjects, excluded_names, training_names, validation_names
from monoform.data.objects.splits import NEAR, Candidate, Likeness, choose_validation

FOLDER = Path(monoform.data.__file__).parent
HEAD = "# Frozen: results are compared over this list. The rule that chose it is monoform.data.choose_validation.\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    objects = PackedObjects(arguments.pack)
    originals = [i for i, entry in enumerate(objects.entries) if entry["variant"] == 0]
    surfaces = {objects.names[i]: objects.labels(i)["surface_points"].numpy().astype(np.float64) for i in originals}
    likeness = Likeness(surfaces)
    start = time.perf_counter()

    def near(name: str) -> list[str]:
        found = likeness.near(name)
        print(f"{time.perf_counter() - start:5.0f} s  {name}: {len(found)} alike", flush=True)
        return found

    if arguments.write:
        candidates = [Candidate(objects.names[i], objects.categories[i]) for i in originals]
        chosen, left_out = choose_validation(candidates, near)
        for name, names in (("validation.txt", chosen), ("excluded.txt", left_out)):
            (FOLDER / name).write_text(HEAD + "".join(f"{line}\n" for line in names))
        print(f"{len(chosen)} for validation, {len(left_out)} left out.")
    else:
        allowed = set(training_names(list(surfaces)))
        broken = [(v, n) for v in validation_names() for n in near(v) if n in allowed]
        print(f"{len(allowed)} meshes may be trained on, {len(excluded_names())} are left out.")
        print(f"{len(broken)} pairs of validation and training meshes are within {NEAR}. {broken[:10]}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
