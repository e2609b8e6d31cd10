"""Every command line of the table of iNeRF's README is run, in its order, on data made here."""

from __future__ import annotations

import json
import math
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.test_documented_lines import ROOT
from tests.command_line import monoform
from tests.jobs.test_estimate_pose import painted_mesh
from tests.methods.pixelnerf.tiny import net_of

from monoform.camera import Camera, look_at
from monoform.data import procedural_sources
from monoform.data.packs.layouts import LayoutOptions, render_layout
from monoform.methods.nerf import FrequencyNetwork, NerfConfig, NerfNet, TwoPass
from monoform.methods.nerf.published import write_published
from monoform.render import render_mesh
from monoform.render.video import write_video
from monoform.training import save_pretrained

PAGE, SECTION = ROOT / "docs" / "published_jobs.md", "iNeRF"
SMALLER = {"4500": "8", "64": "0", "104": "1", "2": "1"}  # steps; source views
FEW = ("--steps", "2", "--rays", "32")
ADDED = {
    "pose": (
        "--frames",
        "0",
        "--longest",
        "32",
        "--starts",
        "1",
        *FEW,
        "--set",
        "elsewhere=false",
        "search=2",
        "keep=1",
    ),
    "evaluate inerf": ("--photos", "1", "--starts", "1", "--around", "1", *FEW),
    "prepare renders": ("--views", "3", "--test-views", "1", "--size", "24", "--samples", "1", "--workers", "1"),
    "train scene": ("--set", "mesh=0", "film=0", "samples=512", "rays=64", "log2_hashmap_size=10", "warmup=2"),
    "film": ("--frames", "2", "--scale", "0.5"),
}


def commands() -> list[str]:
    """The whole commands of the section's table, in their order."""
    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"\n## {SECTION}\n")[1].split("\n## ")[0]
    spans = [span for line in section.splitlines() if line.startswith("|") for span in re.findall(r"`([^`]+)`", line)]
    return [span for span in spans if re.match(r"monoform \w+ \w", span)]


def smaller(command: str) -> list[str]:
    """The command's words, with less to do."""
    words = [SMALLER.get(word, word) for word in shlex.split(command)[1:]]
    return [*words, *next((own for name, own in ADDED.items() if " ".join(words).startswith(name)), ())]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos of a ball, tiny networks in the formats that are asked for, and small data sets."""
    monkeypatch.chdir(tmp_path)
    cameras = [
        Camera.from_fov(look_at(torch.tensor([[4 * math.sin(a), 1.0, 4 * math.cos(a)]])), 0.69, 32, 32)
        for a in (0.0, 0.1)
    ]
    Path("meshes").mkdir()
    mesh = painted_mesh()
    mesh.export("meshes/ball.glb")
    large = replace(mesh, vertices=2.4 * mesh.vertices)
    frames = []
    for name, camera in zip(("source", "target"), cameras, strict=True):
        drawn = render_mesh(large, camera)
        frames.append(np.rint(255 * drawn.rgb).astype(np.uint8))
        alpha = (255 * drawn.mask[..., None]).astype(np.uint8)
        Image.fromarray(np.concatenate((frames[-1], alpha), -1)).save(f"{name}.png")
    Path("near.json").write_text(json.dumps(cameras[0].to_dict()))
    Path("more").mkdir()
    for copy in ("photo.png", "car.png", "more/new.png"):
        Path(copy).write_bytes(Path("target.png").read_bytes())
    write_video(frames, "film.mp4")
    net = net_of()
    for name in ("srn_car", "sn64"):
        save_pretrained(net, net.config, f"weights/{name}", card="# Weights")
    torch.manual_seed(0)
    small = NerfConfig(FrequencyNetwork(2, 1, depth=2, width=8), TwoPass(coarse=4, fine=4))
    write_published(NerfNet(small).eval(), "200000.tar")
    options = LayoutOptions(views=3, size=32, samples=1, split="test")
    sources = [replace(source, category="cars") for source in procedural_sources(2)]
    render_layout(sources, "srn", options, workers=1)
    Path("srn/cars_test").rename("cars_test")
    render_layout(sources, "NMR_Dataset", replace(options, layout="nmr"), workers=1)
    return tmp_path


def test_every_command_of_the_table(place: Path) -> None:
    found = commands()
    assert len(found) >= 18
    for command in found:
        done = monoform(*smaller(command))
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert json.loads(Path("out_notebook/target/result.json").read_text())["optimizer"] == "adam"
    assert "optimizer,step," in Path("success/success.csv").read_text()
    assert Path("labelled/transforms.json").is_file() and Path("way/frames/00001.png").is_file()
