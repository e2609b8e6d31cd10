"""The training of bootstrapped inversion's generator: going on, what it leaves, what it says and what it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.data import category_cases
from tests.methods.bootstrap.tiny_bootstrap import NETWORK
from tests.methods.bootstrap.training_cases import OPTIONS, changed, loop, photos_of, task_of

from monoform.camera import to_opengl
from monoform.cli.settings import parse_settings
from monoform.data.categories.kinds import category_named
from monoform.errors import InputError
from monoform.methods.bootstrap.config import Rays
from monoform.methods.bootstrap.feeding import TrainingPhotos
from monoform.methods.bootstrap.networks import open_networks
from monoform.methods.bootstrap.presets import PRESETS
from monoform.methods.bootstrap.train import CONFIGS, TRAINING, train_generator
from monoform.methods.bootstrap.training_config import BootstrapTraining
from monoform.training import list_checkpoints, load_checkpoint


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


@pytest.mark.parametrize(
    ("told", "other"),
    [
        ("resolution 16, and 32", {"resolution": 32}),
        ("half_side 1.4, and 1.2", {"half_side": 1.2}),
        ("network.palette 3, and 4", {"network": replace(NETWORK, palette=4)}),
        ("training.alpha True, and False", {"training": {"alpha": False}}),
    ],
)
def test_a_training_of_other_sizes_is_refused_in_one_sentence(
    cars: Path, tmp_path: Path, told: str, other: dict[str, Any]
) -> None:
    train_generator(cars, tmp_path / "run", loop(OPTIONS, 3), OPTIONS)
    changes = changed(**other)
    with pytest.raises(InputError, match=rf"holds a training with {told} is asked for: give the same, or another"):
        train_generator(cars, tmp_path / "run", loop(changes, 4), changes)


def test_what_a_training_leaves(cars: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = changed(snapshots=True, evaluate_every=4)
    result = train_generator(cars, tmp_path / "run", loop(options), options)
    assert result.finished and result.step == 8
    told = " ".join(capsys.readouterr().out.split())
    assert "configuration p3d_car" in told and "training.r1 5.0" in told and "network.palette 3" in told
    shown = ("reals", "fakes", "fakes_alpha", "fakes_depth", "fakes_coordinates", "fakes_normals")
    names = {path.name for path in (tmp_path / "run" / "pictures").glob("*.png")}
    assert names == {f"{name}_{step:07}.png" for name in shown for step in (4, 8)}
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    known = {name for line in lines for name in line}
    wanted = {"sphere/loss_sphere", "generator/loss_path_length", "discriminator/augment", "discriminator/loss_penalty"}
    assert wanted <= known and result.metrics["evaluate/frechet_pyramid_n-1"] >= 0
    for folder in ("weights", "best", "snapshots/0000004"):
        found = open_networks(str(tmp_path / "run" / folder))
        assert found.generator is not None and found.discriminator is not None and found.encoder is None
        config = found.generator.config
        assert config.network == OPTIONS.network and config.training == options.training
        assert "5 photos of p3d_car" in (tmp_path / "run" / folder / "README.md").read_text()
    scene = config.scene
    assert (scene.half_side, scene.projection, scene.flipped, scene.white) == (1.4, "perspective", True, False)
    assert len(scene.poses) == len(scene.pose_focals) == 10 and 1 <= len(scene.focals) <= 11
    assert found.discriminator is not None and found.discriminator.config.alpha
    again = changed(weights=str(tmp_path / "run/weights"))
    tuned = train_generator(cars, tmp_path / "tuned", loop(again), again)
    assert tuned.finished and tuned.step == 6 and not any(name.startswith("sphere") for name in tuned.metrics)
    with pytest.raises(InputError, match="other options of alpha"):
        wrong = changed(again, training={"alpha": False})
        train_generator(cars, tmp_path / "wrong", loop(wrong), wrong)


CHANGES: dict[str, dict[str, Any]] = {
    "half_side": {"half_side": 1.2},
    "rays": {"rays": Rays(4, 0)},
    "published": {"published": True},
    "pretraining": {"pretraining": 1},
    "beta": {"beta": 0.2},
    "alpha": {"alpha": 0.2},
    "rate": {"rate": 0.001},
    "rate_discriminator": {"rate_discriminator": 0.001},
    "beta2": {"beta2": 0.9},
    "clip": {"clip": 0.01},
    "accumulate": {"accumulate": 2},
    "network": {"network": replace(NETWORK, palette=4)},
    **{
        f"training.{name}": {"training": {name: value}}
        for name, value in {
            "batch": 2,
            "conditional_pose": False,
            "alpha": False,
            "r1": 1.0,
            "tv": 5.0,
            "entropy": 5.0,
            "eikonal": 1.0,
            "path_length": 0.0,
            "augment": 0.0,
            "ada_target": None,
            "perturb_poses": 60.0,
            "warmup": 0,
            "path_warmup": 1000,
            "rate_warmup": 0,
            "blur": 0.5,
            "cells": 5,
        }.items()
    },
}


def trace(cars: Path, options: BootstrapTraining) -> list[Any]:
    """What the phases of a training lose at their second steps, and how they move their networks."""
    task = task_of(options, cars)
    found: list[Any] = [options.clip]
    for phase in task.phases():
        step = phase.begin + phase.offset + (phase.every if phase.begin else 1)
        batch = task.numbered_batch(step * task.shards, torch.Generator().manual_seed(0))
        term = phase.loss(batch, step, torch.Generator().manual_seed(1))
        assert isinstance(term, tuple)
        numbers = {name: float(value.detach()) for name, value in {"loss": term[0], **term[1]}.items()}
        found += [phase.name, numbers, phase.begin, phase.end, phase.optimizer, phase.schedule(step), len(batch.fake)]
    return found


def test_each_option_changes_what_is_learned(cars: Path) -> None:
    base = changed(training={"warmup": 8, "path_warmup": 8, "rate_warmup": 8, "blur": 2.0})
    known = trace(cars, base)
    assert known == trace(cars, base)
    for name, change in CHANGES.items():
        assert trace(cars, changed(base, **change)) != known, name


def test_configurations_hold_what_was_published() -> None:
    assert set(CONFIGS) == set(PRESETS)
    cars, birds, carla, elephant = (CONFIGS[name] for name in ("p3d_car", "cub", "carla", "imagenet_elephant"))
    for each in (cars, birds, carla, elephant):
        training = each.training
        assert (training.batch, each.clip, each.rate, each.rate_discriminator) == (32, 100.0, 0.0025, 0.002)
        assert (each.beta2, each.pretraining, each.evaluate_every, each.resolution) == (0.99, 1000, 5000, 128)
        assert (each.beta, each.alpha) == (0.1, 1.0)
        assert (training.warmup, training.path_warmup, training.rate_warmup, training.blur) == (12_500, 2000, 2000, 10)
        assert (training.augment, training.ada_target, training.path_length) == (0.8, 0.6, 2.0)
        assert TRAINING.steps_of(each) == 1000 + training.iterations and each.category == each.config
    assert [each.training.iterations for each in (cars, birds, carla, elephant)] == [300_000, 200_000, 300_000, 200_000]
    assert [each.training.r1 for each in (cars, birds, carla, elephant)] == [5, 5, 5, 10]
    assert [each.network.noise for each in (cars, birds, carla, elephant)] == [False, True, False, True]
    assert [each.training.alpha for each in (cars, birds, carla, elephant)] == [True, True, False, True]
    chairs = CONFIGS["shapenet_chairs"]
    assert chairs.training.augment == 0 and not chairs.refine_pose and carla.network.view_directions
    for name, each in CONFIGS.items():
        category = category_named(each.category)
        assert each.half_side == category.scene_range and PRESETS[name].scene.white == category.white
        assert each.training.alpha <= category.masked
        assert (each.training.augment > 0) == (category.high_res and name != "small_masked")
        scene = PRESETS[name].scene
        assert (scene.projection == "orthographic") == category.orthographic and scene.flipped == category.flipped
    given = ["config=cub", "training.augment=0.2", "training.iterations=7", "network.noise=false"]
    found = TRAINING.settings(lambda start: parse_settings(BootstrapTraining, given, "bootstrap", start))
    training = replace(birds.training, augment=0.2, iterations=7)
    assert found == replace(birds, training=training, network=replace(birds.network, noise=False))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"config": "boats"}, "no configuration 'boats'"),
        ({"category": "boats"}, "no category 'boats'"),
        ({"category": "p3d_boat"}, "p3d_boat"),
        ({"training": {"batch": 3}, "accumulate": 2}, "multiple of the 2 micro-batches"),
        ({"network": replace(NETWORK, classes=3)}, "has no classes, and network.classes is 3: give 0"),
        ({"weights": "nowhere"}, "no weights at nowhere"),
        ({"features": "inception"}, "need a file of weights"),
        ({"rate": 2.0}, "rate is 2"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_sentence(
    change: dict[str, Any], sentence: str, cars: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        options = changed(**change)
        train_generator(cars, tmp_path / "run", loop(options, 4), options)


def test_photos_come_shuffled_again_and_again_with_their_cameras(cars: Path, tmp_path: Path) -> None:
    photos = photos_of(OPTIONS, cars)
    count = len(photos)
    assert count == 10  # five have cameras, and are mirrored
    first, second = photos.following(0, count), photos.following(count, count)
    assert sorted(first) == sorted(second) == list(range(count)) and first != second
    assert photos.following(count - 2, 4) == first[-2:] + second[:2]
    assert photos_of(OPTIONS, cars, seed=1).following(0, count) != first
    assert torch.equal(photos.images([3, 7])[1], photos.photos.photo(7, 32).image)
    seen = photos.views.chosen(torch.tensor([3]))
    camera = photos.photos.photo(3, 32).camera
    assert camera is not None and seen.focal is not None
    torch.testing.assert_close(to_opengl(camera.world_from_camera), seen.world_from_camera)
    torch.testing.assert_close(camera.intrinsics[:, 0, 0], 32 * seen.focal)
    disturbed = TrainingPhotos(photos.photos, size=8, channels=3, perturb=90.0)
    known = {tuple(pose.flatten().tolist()) for pose in photos.views.world_from_camera}
    assert {tuple(pose.flatten().tolist()) for pose in disturbed.views.world_from_camera} <= known
    assert not torch.equal(disturbed.views.world_from_camera, photos.views.world_from_camera)
    assert disturbed.images([0]).shape == (1, 3, 8, 8)


def test_birds_are_learned_by_class_under_orthographic_cameras(tmp_path: Path) -> None:
    birds = category_cases.write_birds(tmp_path / "data", count=3)
    options = changed(config="cub", category="cub", half_side=2.0, network=replace(NETWORK, classes=5, noise=True))
    result = train_generator(birds, tmp_path / "run", loop(options), options)
    assert result.finished
    found = open_networks(str(tmp_path / "run" / "weights"))
    assert found.generator is not None and found.discriminator is not None
    net, config = found.generator, found.generator.config
    assert config.network.classes == 5 and config.scene.projection == "orthographic"
    assert config.scene.focals == config.scene.pose_focals == () and len(config.scene.poses) == 6
    assert net.map(torch.zeros(1, 8), torch.tensor([4])).shape == (1, 8)
    assert found.discriminator.config.classes == 5
    few = changed(options, network=replace(NETWORK, classes=4))
    with pytest.raises(InputError, match="cub has classes 0 to 4"):
        train_generator(birds, tmp_path / "few", loop(few), few)


def test_cars_on_white_and_densities_are_learned_too(tmp_path: Path) -> None:
    data = category_cases.write_carla(tmp_path / "data", count=3)
    network = replace(NETWORK, sdf=False, view_directions=True, view_width=8)
    options = changed(config="carla", category="carla", half_side=3.0, network=network, training={"alpha": False})
    result = train_generator(data, tmp_path / "run", loop(options), options)
    assert result.finished and "sphere/loss" not in result.metrics
    with pytest.raises(InputError, match="photos on white, which have no mask"):
        wrong = changed(options, training={"alpha": True})
        train_generator(data, tmp_path / "wrong", loop(wrong), wrong)
