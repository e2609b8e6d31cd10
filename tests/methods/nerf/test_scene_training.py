"""Training of scenes: exact resume, photos without alpha, gains that are learned, other backgrounds."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.capture_cases import orbit_cameras, write_transforms

from monoform.errors import InputError
from monoform.methods.nerf import HashScene, load_scene
from monoform.methods.nerf.afterwards import Afterwards
from monoform.methods.nerf.config import SceneTraining
from monoform.methods.nerf.train import train_scene
from monoform.render.occupancy import OccupancyGrid
from monoform.training import TrainOptions

TINY = {
    "rays": 256,
    "samples": 3000,
    "warmup": 8,
    "update_every": 4,
    "levels": 2,
    "log2_hashmap_size": 10,
    "finest": 16.0,
    "n_samples": 32,
    "hidden": 16,
    "color_hidden": 16,
    "mesh": 0,
    "film": 0,
    "validation_rays": 64,
    "rate": 0.03,
    "network_rate": 0.01,
}


def options(steps: int) -> TrainOptions:
    return TrainOptions(steps, checkpoint_every=10, progress=False, device="cpu", keep=9, log_every=5)


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("capture")
    write_transforms(root, orbit_cameras(10, width=24, height=20), alpha=False)
    return root


def test_a_training_that_goes_on_ends_with_the_same_bits(capture, tmp_path):
    """Past the first looks for empty space, whose outcome is part of what goes on."""
    train_scene(capture, tmp_path, options(30), SceneTraining(**TINY))
    file = tmp_path / "weights" / "model.safetensors"
    once = file.read_bytes()
    for step in (20, 30):
        (tmp_path / "checkpoints" / f"step-{step:09d}.pt").unlink()
    file.unlink()
    result = train_scene(capture, tmp_path, options(30), SceneTraining(**TINY))
    assert result.step == 30 and file.read_bytes() == once
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert {line["step"] for line in lines if line["kind"] == "train"} == {5, 10, 15, 20, 25, 30}


def test_a_training_of_other_photos_does_not_go_on(capture, tmp_path):
    settings = SceneTraining(**TINY)
    train_scene(capture, tmp_path / "out", options(1), settings)
    write_transforms(tmp_path, orbit_cameras(8, width=24, height=20), alpha=False)
    with pytest.raises(InputError, match="out holds a training of other photos: give the same, or another folder"):
        train_scene(tmp_path, tmp_path / "out", options(2), settings)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_empty_cells_are_sought_once_a_step(capture, tmp_path, monkeypatch, accumulate):
    shares: list[float] = []
    update = OccupancyGrid.update
    monkeypatch.setattr(
        OccupancyGrid,
        "update",
        lambda self, density, **more: (shares.append(more["share"]), update(self, density, **more)),
    )
    train_scene(capture, tmp_path, replace(options(18), accumulate=accumulate), SceneTraining(**TINY))
    assert shares == [1.0, SceneTraining.update_share, SceneTraining.update_share]  # at the steps 8, 12 and 16


def test_photos_without_alpha_learn_what_is_behind(capture, tmp_path):
    """The photos' background is (0.1, 0.05, 0.1) everywhere."""
    train_scene(capture, tmp_path, options(150), SceneTraining(**TINY))
    scene = load_scene(tmp_path)
    assert isinstance(scene.net, HashScene) and scene.net.config.background == "learned"
    rgb, alpha = scene.render(scene.of_split("test")[0].camera)
    corner = rgb[:3, :3].reshape(-1, 3).mean(dim=0)
    torch.testing.assert_close(corner, torch.tensor([0.1, 0.05, 0.1]), atol=0.08, rtol=0)
    assert float(alpha[10, 12]) > 0.5


def test_gains_find_the_photo_that_is_darker(capture, tmp_path):
    root = tmp_path / "capture"
    write_transforms(root, orbit_cameras(7, width=24, height=20), alpha=False)
    file = root / "images" / "02.png"
    Image.fromarray((np.asarray(Image.open(file)) * 0.6).astype(np.uint8)).save(file)
    train_scene(root, tmp_path / "out", options(150), SceneTraining(**TINY, exposure=True))
    net = load_scene(tmp_path / "out").net
    assert isinstance(net, HashScene)
    gain = net.gain(torch.arange(7)).mean(dim=1).detach()
    assert int(gain.argmin()) == 2 and float(gain[2] / gain[[0, 1, 3, 4, 5, 6]].mean()) < 0.92


@pytest.mark.parametrize(("background", "value"), [("white", 1.0), ("black", 0.0)])
def test_plain_backgrounds_are_plain(capture, tmp_path, background, value):
    train_scene(capture, tmp_path, options(2), SceneTraining(**TINY, background=background))
    directions = torch.nn.functional.normalize(torch.randn(4, 3), dim=-1)
    net = load_scene(tmp_path).net
    assert isinstance(net, HashScene) and bool((net.background(directions) == value).all())


def test_what_is_asked_for_reaches_the_scene(capture, tmp_path):
    asked = {"center": (0.1, 0.0, -0.1), "radius": 0.4, "margin": 1.3, "features": 2, "downscale_factor": 2.0}
    train_scene(capture, tmp_path, options(2), SceneTraining(**{**TINY, **asked}))
    scene = load_scene(tmp_path)
    config = scene.net.config
    assert scene.center == (0.1, 0.0, -0.1) and scene.radius == 0.4
    assert (config.margin, config.network.features, config.network.levels, config.steps) == (1.3, 2, 2, 32)
    assert config.network.hidden == 16 and config.network.finest == 16.0 and config.network.log2_hashmap_size == 10


@pytest.fixture(scope="module")
def looked_at(capture, tmp_path_factory):
    """A scene after a few steps, with its held-out photos."""
    out = tmp_path_factory.mktemp("scene")
    train_scene(capture, out, options(30), SceneTraining(**TINY))
    scene = load_scene(out)
    return scene, [replace(view, image=capture / view.image) for view in scene.of_split("test")]


def test_what_follows_the_training_is_left_out_where_no_time_is_left(looked_at, tmp_path, capsys):
    scene, held = looked_at
    settings = SceneTraining(**{**TINY, "mesh": 32, "film": 32})
    late = Afterwards(scene, settings, held, deadline=time.perf_counter() - 5.0)
    assert late.seconds() > 0
    assert late.scores(tmp_path / "held_out") is None
    late.make(tmp_path)
    assert list(tmp_path.iterdir()) == []
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and all("0 s of --minutes are left" in line for line in said)
    assert said[0].startswith(f"0 of {len(held)} held-out photos") and said[1].startswith("There is no mesh")


def test_what_follows_the_training_is_shortened_to_its_share(looked_at, tmp_path, capsys, monkeypatch):
    scene, held = looked_at
    settings = SceneTraining(**{**TINY, "mesh": 0, "film": 64})
    monkeypatch.setattr(Afterwards, "_needs", lambda *_: (20.0, 0.0, 80.0))
    monkeypatch.setattr(Afterwards, "_left", lambda _: 50.0)
    half = Afterwards(scene, settings, held, deadline=0.0)
    scores = half.scores(tmp_path / "held_out")
    assert (0 if scores is None else len(scores.each)) == len(held) // 2
    half.make(tmp_path)
    assert (tmp_path / "turntable.mp4").stat().st_size > 500
    assert "The film is 50 pixels wide instead of 64" in capsys.readouterr().out  # 64 times the root of 50 / 80


def test_without_a_limit_all_is_made(looked_at, tmp_path, capsys):
    scene, held = looked_at
    whole = Afterwards(scene, SceneTraining(**{**TINY, "film": 32}), held)
    scores = whole.scores(tmp_path / "held_out")
    assert scores is not None and len(scores.each) == len(held)
    whole.make(tmp_path)
    assert (tmp_path / "turntable.mp4").is_file() and capsys.readouterr().out == ""
