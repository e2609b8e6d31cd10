"""The weights that ship: samples and photos of made cars, without a network and without naming any weights."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import monoform

from monoform import Photo, View
from monoform.camera import Camera, look_at, spherical_position
from monoform.data.objects.augment import fitted
from monoform.data.objects.procedural_cars import procedural_car
from monoform.data.packs.layout_views import lit_pictures
from monoform.methods import make
from monoform.methods.bootstrap.pose_parameters import rotation_degrees
from monoform.weights import shipped

CARS = range(90_001, 90_005)
"""Seeds of cars; the weights have seen others."""


def photograph(seed: int, file: Path) -> Camera:
    """A picture with a transparent background of a car, from a camera of its own."""
    mesh = fitted(procedural_car(generator=np.random.default_rng(seed)))
    azimuth, elevation = torch.tensor([0.7 + 1.3 * (seed - CARS[0])]), torch.tensor([0.3])
    motion = look_at(spherical_position(azimuth, elevation, 1.55)).float()
    camera = Camera.from_fov(motion, 2 * math.atan(0.5 / 1.2), 96, 96)
    images, alpha = lit_pictures(mesh, camera)
    share = alpha[0][..., None]
    colors = np.where(share > 0, (images[0] / 255 - 1 + share) / np.maximum(share, 1e-6), 0)
    pixels = np.rint(255 * np.concatenate((colors, share), axis=2).clip(0, 1)).astype(np.uint8)
    Image.fromarray(pixels).save(file)
    return camera


def test_samples_are_longer_than_high_and_wide() -> None:
    """As cars are, whose front is at +z; seeds 0 to 5, none left out."""
    method = make("bootstrap")
    line = torch.linspace(-0.5, 0.5, 41)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)
    for seed in range(6):
        draws = torch.Generator().manual_seed(seed)
        made = method.generate(method.latent(draws), generator=draws)  # type: ignore[attr-defined]
        with torch.no_grad():
            inside = made.field.geometry(grid.reshape(-1, 3)).reshape(41, 41, 41) < 0
        middle = inside[5:-5, 5:-5]  # nothing has been learned of the cube's rim
        extents = [int(middle.flatten(0, 1).any(dim=0).sum()), int(middle.any(dim=2).any(dim=0).sum())]
        assert extents[0] > 1.4 * extents[1] > 0
        assert made.provenance.weights == {"source": "monoform/bootstrap_cars"}


def test_the_camera_of_a_made_car_is_found(tmp_path: Path) -> None:
    """Of four cars, three within 30 degrees: of random rotations 1 in 130 is (the share of angles below a is
    (a - sin a) / pi)."""
    method, off = make("bootstrap", refine=0, maps=False), []
    for seed in CARS:
        true = photograph(seed, tmp_path / "car.png")
        view = View(Photo.open(tmp_path / "car.png"))
        made = method.reconstruct([view], generator=torch.Generator().manual_seed(0))  # type: ignore[attr-defined]
        off.append(float(rotation_degrees(made.camera.world_from_camera, true.world_from_camera)[0]))
    assert sorted(off)[2] < 30, off


def test_a_photo_needs_no_weights_named(tmp_path: Path) -> None:
    photograph(CARS[0], tmp_path / "car.png")
    words = ("--method", "bootstrap", "--set", "refine=5", "maps=false", "-o", tmp_path / "out")
    assert monoform("reconstruct", tmp_path / "car.png", *words).returncode == 0
    record = json.loads((tmp_path / "out" / "car" / "result.json").read_text())
    assert record["weights"]["source"] == "monoform/bootstrap_cars"


def test_samples_from_the_command_line(tmp_path: Path) -> None:
    assert monoform("generate", "bootstrap", "--seeds", 3, "-o", tmp_path / "made").returncode == 0
    record = json.loads((tmp_path / "made" / "seed_0003" / "result.json").read_text())
    assert record["weights"]["source"] == "monoform/bootstrap_cars"


@pytest.mark.parametrize("part", ["generator", "encoder"])
def test_both_networks_are_there(part: str) -> None:
    config = json.loads((shipped()["bootstrap_cars"].folder / "config.json").read_text())
    assert config["config"][part] is not None and config["config"]["perceptual"] is False
