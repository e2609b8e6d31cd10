"""The notebooks run from the first cell to the last, in the kernel of this Python, and none of their commands fails."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.tiny_diffusion import save_tiny

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))


def printed(cell: nbformat.NotebookNode) -> Iterator[str]:
    """The lines that a cell wrote."""
    for output in cell.get("outputs", []):
        yield from output.get("text", "").splitlines()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "examples" / "notebooks"
    place.mkdir(parents=True)
    for name in ("coffee.jpg", "coffee_mask.png"):
        shutil.copy(ROOT / "examples" / name, place.parent)
    if notebook.stem == "realfusion":
        save_tiny(tmp_path / "model")
        monkeypatch.setenv("MONOFORM_DIFFUSION", str(tmp_path / "model"))
        monkeypatch.setenv("MONOFORM_STEPS", "4")
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = nbformat.read(notebook, as_version=4)
    assert not any(cell.get("outputs") for cell in book.cells), "is kept without its outputs"
    done = NotebookClient(book, timeout=300, resources={"metadata": {"path": str(place)}}).execute()
    failed = [line for cell in done.cells for line in printed(cell) if line.startswith("monoform: ")]
    assert not failed


def test_every_method_has_one() -> None:
    from monoform import list_methods

    code = "".join(path.read_text(encoding="utf-8") for path in NOTEBOOKS)
    jobs = {"nerf": "train scene", "inerf": "monoform pose"}
    for each in list_methods():
        assert jobs.get(each.name, each.name) in code, each.name
