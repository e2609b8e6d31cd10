"""The training of bootstrapped inversion's generator: going on, what it leaves, what it says and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.data import category_cases
from tests.methods.bootstrap.training_cases import OPTIONS, changed, loop

from monoform.methods.bootstrap import BootstrapConfig, BootstrapGenerator
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, DiscriminatorConfig
from monoform.methods.bootstrap.train import train_generator
from monoform.training import list_checkpoints, load_checkpoint, load_pretrained


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    return category_cases.write_detections(tmp_path / "data", count=6)


def test_a_training_that_was_interrupted_ends_with_the_same_bits(cars: Path, tmp_path: Path) -> None:
    """Within the pretraining, after it, and while the augmentation adapts."""
    options = changed(training={"iterations": 10, "warmup": 0}, evaluate_every=3, accumulate=2)
    ends = []
    for name, stops in {"whole": (12,), "parts": (1, 5, 11, 12)}.items():
        for steps in stops:
            train_generator(cars, tmp_path / name, loop(options, steps, seed=1), options)
        ends.append(load_checkpoint(list_checkpoints(tmp_path / name)[-1]))
    for part in ("model", "ema"):
        first, second = (getattr(end, part) for end in ends)
        assert set(first) == set(second)
        assert all(torch.equal(values, second[name]) for name, values in first.items())
    for phase in ("sphere", "generator", "discriminator"):
        moments = [end.optimizers[phase]["state"] for end in ends]
        assert all(torch.equal(moments[0][key]["exp_avg_sq"], moments[1][key]["exp_avg_sq"]) for key in moments[0])
    assert float(ends[0].model["path"]) > 0 and float(ends[0].model["certainty"]) != 0


def test_what_a_training_leaves(cars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = changed(snapshots=True, evaluate_every=4)
    result = train_generator(cars, tmp_path / "run", loop(options), options)
    assert result.finished and result.step == 8
    told = " ".join(capsys.readouterr().out.split())
    assert "configuration p3d_car" in told and "training.r1 5.0" in told and "network.palette 3" in told
    shown = ("reals", "fakes", "fakes_alpha", "fakes_depth", "fakes_coordinates", "fakes_normals")
    names = {path.name for path in (tmp_path / "run" / "pictures").iterdir()}
    assert names == {f"{name}_{step:07}.png" for name in shown for step in (4, 8)}
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    known = {name for line in lines for name in line}
    wanted = {"sphere/loss_sphere", "generator/loss_path_length", "discriminator/augment", "discriminator/loss_penalty"}
    assert wanted <= known and result.metrics["evaluate/frechet_pyramid_n-1"] >= 0
    for folder in ("weights", "best", "snapshots/0000004"):
        _, config = load_pretrained(BootstrapGenerator, BootstrapConfig, tmp_path / "run" / folder)
        assert config.network == OPTIONS.network and config.training == options.training
        assert "5 photos of p3d_car" in (tmp_path / "run" / folder / "README.md").read_text()
    scene = config.scene
    assert (scene.half_side, scene.projection, scene.flipped, scene.white) == (1.4, "perspective", True, False)
    assert len(scene.poses) == len(scene.pose_focals) == 10 and 1 <= len(scene.focals) <= 11
    judge, _ = load_pretrained(BootstrapDiscriminator, DiscriminatorConfig, tmp_path / "run" / "discriminator")
    assert judge.config.alpha
    again = changed(weights=str(tmp_path / "run/weights"), discriminator=str(tmp_path / "run/discriminator"))
    tuned = train_generator(cars, tmp_path / "tuned", loop(again), again)
    assert tuned.finished and tuned.step == 6 and not any(name.startswith("sphere") for name in tuned.metrics)
