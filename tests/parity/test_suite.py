"""The parity suite itself: it notices wrong numbers, left out arrays, unreadable cases and kinds without a check."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.parity.conftest import golden_folder
from tests.parity.parity_case import Case
from tests.parity.parity_checks import CHECKS, case_folders, kind_of, with_and_without_check

from monoform.errors import InputError

HERE = Path(__file__).parent
GOLDEN = HERE.parent / "golden"
# Used, and without effect on what the case holds: after its first step the fine network is empty, and the only image of
# the second step is its loss, which these draws change by 6e-8. Those of the first step are seen.
# A negative has the key points of its picture. Of later steps with statistics of one image, what these draws change is
# less than the case's own tolerance.
UNSEEN = {
    ("train_step_srn", "step1/n_depth"),
    ("sampling", "image"),
    *(("pixelnerf_matrix_steps", f"step{step}/n_depth") for step in (2, 3, 4)),
}
# One number of very many, which no query, no drawn row and no node of these cases meets.
UNSEEN |= {("perceptual_pooling", name) for name in ("map0", "map1")}
UNSEEN |= {("dataset_item", f"query_points_sigma_{sigma}") for sigma in ("0.003", "0.01", "0.07")}
UNSEEN |= {("metrics_mesh", f"{name}_vertices") for name in ("blob", "union")} | {("metrics_mesh", "query")}
UNSEEN |= {("metrics_mesh", f"{name}_faces") for name in ("union", "open_box")}
UNSEEN |= {("train_step_list", f"occ_gt_idx{number}") for number in range(4)}
# A density far below the threshold, a bit of a cell that no ray meets, what is asked of a ray without samples.
UNSEEN |= {("03_rays_morton_bits", "grid"), ("05_composite_train", "grad_weights_sum")}
UNSEEN |= {("04_march", f"{name}.bitfield") for name in "ab"}
NAMES = [
    (folder, name)
    for folder in case_folders(GOLDEN)
    for name, values in Case.load(folder).arrays.items()
    if values.size  # there is nothing to change in an empty file
    and (folder.name, name) not in UNSEEN
]

DRAWS = ("u_coarse", "u_cdf", "u_bin", "n_depth")


@dataclass
class Recorder(Case):
    """A case that remembers what each of its arrays was compared with, and how."""

    compared: dict[str, tuple[Any, dict[str, float]]] = field(default_factory=dict)

    def compare(self, name: str, actual: Any, **tolerances: float) -> None:
        super().compare(name, actual, **tolerances)
        self.compared[name] = actual, tolerances


@cache
def recorded(folder: Path) -> Recorder:
    """The case after its check has passed."""
    case = Recorder.load(folder)
    CHECKS[kind_of(folder)](case)
    assert isinstance(case, Recorder)
    return case


@pytest.mark.parametrize(("folder", "name"), NAMES, ids=[f"{folder.name}-{name}" for folder, name in NAMES])
def test_every_array_matters(folder: Path, name: str) -> None:
    """Change one number or word of one array, or empty one file: the check must fail.

    What an input changes is computed anew; what an output is compared with is not.
    """
    case = Case.load(folder)
    case.arrays[name] = changed(name, case.arrays[name])
    before = recorded(folder)
    # Inputs that became useless may be refused; all else is noticed by comparing.
    with pytest.raises((AssertionError, InputError)):
        if name in before.compared and name not in before.taken:
            actual, tolerances = before.compared[name]
            case.compare(name, actual, **tolerances)
        else:
            CHECKS[kind_of(folder)](case)


def changed(name: str, values: np.ndarray) -> np.ndarray:
    if name.startswith("file/"):
        return values[:0]
    if values.dtype.kind == "U":
        return np.char.add(values, "x")
    if values.dtype == np.uint8 and values.ndim > 1:
        return 255 - values  # pictures: some are compared by the share of values that agree
    if name.split("/")[-1] in DRAWS:
        return values + 30  # all of them, and far: a draw may move a sample where there is nothing to see
    values = values.copy()
    smallest = np.unravel_index(np.argmin(np.abs(values.astype(float))), values.shape)
    # Not by a whole: a hue that is a whole turn away is the same. More of a large number: tolerances are relative.
    values[smallest] += 0.5 + 0.1 * abs(values[smallest]) if values.dtype.kind == "f" else 1
    return values


@pytest.mark.parametrize("folder", case_folders(GOLDEN), ids=lambda folder: folder.name)
def test_an_array_that_no_check_knows_is_noticed(folder: Path) -> None:
    case = Case.load(folder)
    case.arrays["surprise/values"] = np.zeros(3)
    CHECKS[kind_of(folder)](case)
    with pytest.raises(AssertionError, match="left uncompared: surprise/values"):
        case.finish()


def test_shape_and_type_must_agree() -> None:
    case = Case(Path("x"), {}, {"a": np.zeros(3, np.float32), "n": np.zeros(2, np.int64)})
    with pytest.raises(AssertionError, match="shape"):
        case.compare("a", np.zeros((1, 3)))
    with pytest.raises(AssertionError, match="golden int64"):
        case.compare("n", np.zeros(2))
    with pytest.raises(AssertionError, match="uncompared: a, n"):
        case.finish()
    with pytest.raises(AssertionError, match="nothing was compared"):
        Case(Path("x"), {}, {}).finish()


def write_case(folder: Path, kind: str) -> None:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"kind": kind}))
    np.savez(folder / "io.npz", values=np.zeros(2))


def test_cases_are_sorted_into_tested_and_unchecked(tmp_path: Path) -> None:
    write_case(tmp_path / "pixelnerf" / "any name", "geometry")
    write_case(tmp_path / "pixelnerf" / "later", "not yet written")
    write_case(tmp_path / "other" / "geometry", "geometry")
    (tmp_path / "list" / "broken").mkdir(parents=True)
    (tmp_path / "list" / "broken" / "manifest.json").write_text("{")
    tested, unchecked = with_and_without_check(tmp_path)
    assert [folder.name for folder in tested] == ["broken", "any name"]
    assert [folder.name for folder in unchecked] == ["geometry", "later"]


def test_the_command_line_lists_what_it_cannot_check_and_fails_on_wrong_numbers(tmp_path: Path) -> None:
    write_case(tmp_path / "pixelnerf" / "later", "not yet written")
    for name in ("right", "wrong"):
        shutil.copytree(GOLDEN / "list" / "metrics_points", tmp_path / "list" / name)
    arrays = Case.load(tmp_path / "list" / "wrong").arrays
    arrays["near/accuracy"] = arrays["near/accuracy"] * 1.0001
    np.savez(tmp_path / "list" / "wrong" / "io.npz", **arrays)
    command = [
        sys.executable,
        "-m",
        "pytest",
        str(HERE / "test_parity.py"),
        "--golden",
        str(tmp_path),
        "-p",
        "no:xdist",
    ]
    run = subprocess.run(command, check=False, capture_output=True, text=True, cwd=HERE.parent.parent, timeout=300)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "1 failed, 1 passed" in run.stdout
    assert "near/accuracy" in run.stdout
    assert "list/right: 28 arrays compared" in run.stdout
    assert "no check for this kind yet, 1 cases NOT compared" in run.stdout
    assert "pixelnerf/later (kind not yet written)" in run.stdout


def test_a_folder_without_cases_is_refused(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    with pytest.raises(pytest.UsageError, match="there is no case in it"):
        golden_folder(pytestconfig, tmp_path)
