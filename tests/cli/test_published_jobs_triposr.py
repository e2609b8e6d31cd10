"""The table of TripoSR in docs/published_jobs.md: every command line runs, with a small network and few pixels."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.command_line import monoform
from tests.methods.triposr.tiny_triposr import ellipsoid_net
from tests.pictures import disc, png

import monoform as library
from monoform.training.weights import save_pretrained

PAGE = Path(__file__).parents[2] / "docs" / "published_jobs.md"
SMALLER = {
    "--resolution 256": "--resolution 40",
    "renders=30": "renders=2",
    "--texture 2048": "--texture 128",
    "--frames 30": "--frames 1",
}
LITTLE = {"--faces": "500", "--frames": "1", "--texture": "64", "--resolution": "40"}


def commands() -> list[str]:
    [section] = re.findall(r"^## TripoSR\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return re.findall(r"`(monoform [^`]+)`", section)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, net = tmp_path_factory.mktemp("triposr"), ellipsoid_net()
    save_pretrained(net, net.config, folder / "weights" / "triposr", card="x")
    rgb, mask = disc(64, 48, 17.0)
    for name in ("chair", "robot"):
        (folder / f"{name}.png").write_bytes(png(np.concatenate((rgb, mask[..., None]), axis=2)))
    return folder


@pytest.mark.parametrize("number", range(len(commands())))
def test_a_job_of_triposr(place: Path, number: int) -> None:
    command = commands()[number]
    for long, short in SMALLER.items():
        command = command.replace(long, short)
    words = shlex.split(command)[1:]
    for name, value in LITTLE.items():
        words += [] if name in words else [name, value]
    done = monoform(*words, cwd=place)
    assert done.returncode == 0, done.stderr
    out = place / command.split(" -o ")[1].split()[0]
    if "renders" in command:
        assert np.asarray(Image.open(out / "chair" / "render_001.png")).shape == (256, 256, 3)
        assert library.load(out / "chair").mesh().vertex_colors is not None
    elif "paint=field" in command:
        library.load(out / "chair").mesh().export(place / "chair.obj")
        assert "map_Kd" in next(place.glob("*.mtl")).read_text()
    else:
        assert (out / "chair" / "mesh.glb").is_file()
