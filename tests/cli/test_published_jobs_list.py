"""Every command line of the table of LIST's README is run, in its order, on data made here."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image
from tests.cli.test_documented_lines import ROOT
from tests.methods.list.tiny_list import tiny_config

from monoform.methods.list import config as list_config

PAGE, SECTION = ROOT / "docs" / "published_jobs.md", "LIST"
SMALLER = {
    "400000": "4",  # steps
    "300000": "2",
    "points=32768": "points=64",
    "first_batch=16": "first_batch=2",
    "batch=8": "batch=2",
}
ADDED = {
    "prepare sdf": ("--points", "300", "--farthest", "40", "--voxels", "32", "--workers", "1"),
    "prepare pix3d": ("--workers", "1", "--test-share", "0.5"),
    "evaluate list": ("--points", "300", "--inside-points", "600", "--emd-points", "0", "--nodes", "10"),
    "reconstruct": ("--mask", "mask.png", "--faces", "400", "--resolution", "32", "--frames", "0"),
    "train list": ("--device", "cpu", "--set", "first_batch=2", "batch=2", "points=64", "test_objects=1"),
}


def commands() -> list[str]:
    """The whole commands of the section's table, in their order."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"\n## {SECTION}\n")[1].split("\n## ")[0]
    spans = [span for line in section.splitlines() if line.startswith("|") for span in re.findall(r"`([^`]+)`", line)]
    return [span for span in spans if span.startswith("monoform ")]


def smaller(command: str) -> list[str]:
    """The command's words, with less to do."""
    words = [SMALLER.get(word, word) for word in shlex.split(command)[1:]]
    added = next((own for name, own in ADDED.items() if " ".join(words).startswith(name)), ())
    if words[0] == "evaluate" and "test" not in words:  # the protocols of others once
        added = (*added, "--protocols", "list")
    own = {word.split("=")[0] for word in words}
    return [*words, *(word for word in added if "=" not in word or word.split("=")[0] not in own)]


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The renderings, surfaces and lists of two objects, Pix3D with two photos, and a photo; a tiny network."""
    for name in ("shapenet", "coarse"):
        monkeypatch.setitem(list_config.PRESETS, name, tiny_config(frame="object", margin=0.0))
    monkeypatch.chdir(tmp_path)
    disc = np.hypot(*np.mgrid[-20:20, -20:20]) < 14
    picture = np.dstack((disc * 200, disc * 90, disc * 40, disc * 255)).astype(np.uint8)
    shapes = {"a": trimesh.creation.icosphere(subdivisions=2), "b": trimesh.creation.box((1.0, 0.7, 0.5))}
    root, records = Path("Datasets/shapenet"), []
    for number, (name, shape) in enumerate(shapes.items()):
        views = root / "images/03001627" / name / "easy"
        views.mkdir(parents=True)
        for view in range(2):
            Image.fromarray(picture).save(views / f"{view:02d}.png")
        (root / "DISN/03001627" / name).mkdir(parents=True)
        shape.export(root / "DISN/03001627" / name / "isosurf.obj")
        published = Path("Datasets/pix3d_published")
        for kind in ("img", "mask", "model"):
            (published / kind / "chair" / name).mkdir(parents=True)
        record = {"category": "chair", "bbox": [2, 3, 38, 39]}
        for kind, file in (("img", f"{number}.png"), ("mask", f"{number}.png"), ("model", f"{name}/model.obj")):
            record[kind] = f"{kind}/chair/{file}"
        Image.fromarray(picture[..., :3]).save(published / str(record["img"]))
        Image.fromarray(picture[..., 3]).save(published / str(record["mask"]))
        shape.export(published / str(record["model"]))
        records.append(record)
    (published / "pix3d.json").write_text(json.dumps(records))
    (root / "splits").mkdir()
    for split in ("train", "test"):
        (root / f"splits/03001627_{split}.lst").write_text("a\nb\n")
    Image.fromarray(picture[..., :3]).save("chair.png")
    Image.fromarray(picture[..., 3]).save("mask.png")
    return tmp_path


def test_every_command_of_the_table_runs(datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = commands()
    assert len(found) > 18
    for command in found:
        verb, *words = smaller(command)
        assert import_module(f"monoform.cli.{verb}").run(words) == 0, (command, capsys.readouterr())
    made = {file.relative_to(datasets).as_posix() for file in datasets.rglob("*") if file.is_file()}
    for name in (
        "results/first_stage/best/model.safetensors",
        "results/best/model.safetensors",
        "results/snapshots/0000003/model.safetensors",
        "authors/best_IME_test.pt.tar",
        "authors/best_PD_test.pt.tar",
        "results_second/weights/model.safetensors",
        "Datasets/pix3d/data/img/chair/a.model/0.npy",
        "test/03001627.csv",
        "test_shipped/protocols.md",
    ):
        assert name in made, sorted(made)
    assert any(name.startswith("out/") and name.endswith("mesh.glb") for name in made), sorted(made)
    assert json.loads((datasets / "test_all/metrics.json").read_text())["images"] == 4
    assert "No shape is sampled: 2 of 2" in capsys.readouterr().out
