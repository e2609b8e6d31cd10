"""Files beside a result, from the command line: each option changes what is there, and result.json tells it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pictures import disc, png

from monoform import InputError, load
from monoform.cli.reconstruct import run
from monoform.mesh import Mesh

SMALL = ["--method", "inflate", "--faces", "600", "--texture", "128", "--resolution", "48", "--frames", "0"]


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    rgb, mask = disc()
    path = tmp_path_factory.mktemp("photo") / "ball.png"
    path.write_bytes(png(np.dstack([rgb, mask])))
    return path


def made(photo: Path, out: Path, *words: str) -> tuple[Path, dict[str, Any]]:
    """The result's folder and the content of its result.json."""
    assert run([str(photo), "-o", str(out), *SMALL, *words]) == 0
    folder = out / "ball"
    summary = json.loads((folder / "result.json").read_text())
    assert set(summary["files"]) == {path.name for path in folder.iterdir()}
    return folder, summary


def test_formats_lie_beside_the_mesh(photo, tmp_path, capsys):
    plain = made(photo, tmp_path / "plain")[1]
    folder, summary = made(photo, tmp_path, "--format", "glb", "obj", "ply", "stl", "3mf", "usdz")
    assert "exports" not in plain["request"] and "exports" not in plain
    names = {f"mesh.{name}" for name in ("obj", "ply", "stl", "3mf", "usdz")}
    assert names < set(summary["exports"]) and "mesh.mtl" in summary["exports"]
    assert set(summary["exports"]) == set(summary["files"]) - set(plain["files"])
    mesh = load(folder).mesh()
    for name in ("mesh.obj", "mesh.ply", "mesh.stl"):
        np.testing.assert_allclose(Mesh.load(folder / name).bounds, mesh.bounds, atol=1e-5)
    assert "mesh.3mf" in (folder / "report.html").read_text()
    capsys.readouterr()
    made(photo, tmp_path, "--format", "glb", "obj", "ply", "stl", "3mf", "usdz")
    assert "already there" in capsys.readouterr().out


def test_a_format_that_is_none_is_told(photo, tmp_path):
    with pytest.raises(InputError, match="--format is 'fbx'"):
        run([str(photo), "-o", str(tmp_path), "--format", "fbx"])
