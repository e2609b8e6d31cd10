"""The code on the conventions page runs as it is printed, and its figures are those that the script draws."""

from __future__ import annotations

import contextlib
import io
import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monoform.camera import Camera, look_at
from monoform.mesh import isosurface
from monoform.nn import Box
from monoform.render import ray_box

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "conventions.md").read_text()
BLOCKS = re.findall(r"```(python|json)\n(.*?)```", PAGE, re.DOTALL)


def block(word: str) -> str:
    [found] = [code for _, code in BLOCKS if word in code]
    return found


@pytest.mark.parametrize("model", ["pinhole", "orthographic"])
def test_the_independent_check_finds_the_silhouette(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A box whose silhouette is known in closed form, seen by a tilted camera with an off-centre window."""
    box, pose = Box((0.3, 0.2, 0.25)), look_at(torch.tensor([[0.9, 0.7, 1.6]]))
    whole = Camera.from_fov(pose, 0.6, 150, 120) if model == "pinhole" else Camera.orthographic(pose, 1.3, 150, 120)
    camera = whole.cropped(10, -5, 128, 112)
    origins, directions = (rays[0] for rays in camera.rays())
    half = torch.tensor(box.half_sizes)
    truth = ray_box(origins, directions, torch.stack((-half, half)))[2].reshape(112, 128).numpy()
    isosurface.extract(box, resolution=96).export(tmp_path / "mesh.glb", camera)
    (tmp_path / "camera.json").write_text(json.dumps(camera.to_dict()))
    Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(block("silhouette"), names)
    assert names["iou"] > 0.98
    assert "IoU of" in said.getvalue()
    shifted = camera.cropped(4, 0, 128, 112)
    (tmp_path / "camera.json").write_text(json.dumps(shifted.to_dict()))
    with contextlib.redirect_stdout(io.StringIO()):
        exec(block("silhouette"), names)
    assert names["iou"] < 0.95


def test_the_printed_camera_json_can_be_read() -> None:
    camera = Camera.from_dict(json.loads(block('"axes"')))
    assert torch.equal(camera.position, torch.tensor([[0.0, 0.0, 2.5]]))


def test_the_example_cameras_are_what_the_text_says() -> None:
    names: dict = {}
    exec(block("look_at("), names)
    pixels, depth = names["camera"].project(torch.zeros(1, 1, 3))
    assert torch.allclose(pixels, torch.tensor([320.0, 240.0]), atol=1e-3) and float(depth) > 2.0
    assert len(names["circle"]) == 60


def test_every_converter_of_the_table_exists() -> None:
    import monoform.camera

    table = PAGE.split("## Other people's conventions")[1]
    names = set(re.findall(r"`((?:from|to|cameras|colmap|transforms|rigid)_\w+)", table))
    assert len(names) >= 10
    assert not [name for name in names if not hasattr(monoform.camera, name)]


def test_figures_are_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = DOCS / "figures" / "draw_axes.py"
    drawing = runpy.run_path(str(script))
    drawing["save"].__globals__["HERE"] = tmp_path
    drawing["draw_frames"]()
    drawing["draw_pixels"]()
    for name in ("frames.svg", "pixels.svg"):
        assert f"figures/{name}" in PAGE
        fresh, kept = (re.findall(r"-?\d+\.?\d*", (folder / name).read_text()) for folder in (tmp_path, script.parent))
        assert np.allclose([float(x) for x in fresh], [float(x) for x in kept], atol=0.15)
