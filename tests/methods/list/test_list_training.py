"""LIST learns: both stages behind one call, interrupted and resumed, from packs and from sample files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.data.test_sdf import shapenet
from tests.methods.list.tiny_list import TINY, tiny_coarse, tiny_config

from monoform import InputError
from monoform.data import (
    LabelOptions,
    PackedObjects,
    PackOptions,
    Solid,
    ViewOptions,
    load_source,
    pack_meshes,
    procedural_sources,
)
from monoform.methods.list import config as list_config
from monoform.methods.list.config import ListConfig
from monoform.methods.list.frame import turned_to
from monoform.methods.list.model import CoarseNet, ListNet, build
from monoform.methods.list.packed import AWAY, packed_batch, packed_solids
from monoform.methods.list.stages import StageOptions
from monoform.methods.list.train import FIRST, SECOND, WEIGHTS, ListTraining, train_list
from monoform.training import TrainOptions, load_pretrained
from monoform.training.weights import save_pretrained

QUICK = ListTraining(config="tiny", first_batch=4, batch=3, points=64, cloud=64, first_rate=3e-3, rate=3e-3)


@pytest.fixture(scope="module")
def pack(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("pack") / "pack"
    options = PackOptions(
        views=ViewOptions(count=2, size=48, samples=1), labels=LabelOptions(points=256, surface=128, voxels=48)
    )
    pack_meshes(procedural_sources(3), out, options, workers=1)
    return out


@pytest.fixture(autouse=True)
def tiny_presets(monkeypatch) -> None:
    monkeypatch.setitem(list_config.PRESETS, "tiny", tiny_config())
    monkeypatch.setitem(list_config.PRESETS, "tiny_object", tiny_config(frame="object", margin=0.0))


def options(steps: int, **changes) -> TrainOptions:
    return TrainOptions(steps=steps, device="cpu", progress=False, log_every=5, checkpoint_every=5, **changes)


def losses(folder: Path, name: str) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def test_both_stages_learn_and_hand_over(pack: Path, tmp_path: Path) -> None:
    result = train_list(pack, tmp_path, replace(options(320), checkpoint_every=160), QUICK)
    assert result.stopped == "done" and result.step == 320
    first = losses(tmp_path / FIRST, "coarse/loss")
    distance, side, occupied = (losses(tmp_path / SECOND, f"list/{name}") for name in ("distance", "side", "occupancy"))
    # Half of the points lie so near to the surface that two hundred steps tell little of them.
    assert first[-1] < 0.7 * first[0] and occupied[-1] < 0.8 * occupied[0], (first, occupied)
    assert distance[-1] < 0.87 * distance[0] and side[-1] < 0.95 * side[0], (distance, side)
    whole = losses(tmp_path / SECOND, "list/loss")
    rest = [one - StageOptions.side * other for one, other in zip(whole, side, strict=True)]
    assert rest[-1] < 0.8 * rest[0], rest
    coarse, coarse_config = load_pretrained(build, ListConfig, tmp_path / FIRST / WEIGHTS)
    net, config = load_pretrained(build, ListConfig, tmp_path / WEIGHTS)
    assert isinstance(coarse, CoarseNet) and isinstance(net, ListNet)
    assert (coarse_config.stage, config.stage) == ("coarse", "list") and config.network == TINY
    for name, tensor in coarse.image_encoder.state_dict().items():
        assert torch.equal(tensor, net.im_encoder.state_dict()[name]), "the first stage is frozen, norms included"
    assert not torch.equal(net.im_encoder.conv1.weight, net.im_encoder2.conv1.weight)
    assert "2 views" in (tmp_path / WEIGHTS / "README.md").read_text()


def test_points_of_a_batch_are_balanced_and_know_their_side(pack: Path) -> None:
    """Half lie away from the surface; points anywhere in the box are inside where the mesh is."""
    objects, config = PackedObjects(pack), tiny_config()
    batch = packed_batch(
        objects, torch.tensor([0, 1, 2]), config, torch.Generator().manual_seed(0), points=64, cloud=32, augment=False
    )
    assert batch["points"].shape == (3, 64, 3)
    assert ((batch["sdf"].abs() > AWAY).float().mean(1) > 0.45).all()
    generator = torch.Generator().manual_seed(0)
    solids = packed_solids(objects, torch.tensor([0, 1, 2]), config, generator, points=400)
    assert solids["images"].shape == batch["images"].shape and solids["points"].abs().max() <= 0.5
    packed = objects.batch([0, 1, 2], torch.Generator().manual_seed(0), points=1, surface=128, views=1, maps=False)
    world = turned_to(packed["world_from_camera"][:, 0], packed["surface_points"]).out_of(solids["points"])
    for number in range(3):
        name = objects.names[number]
        source = next(each for each in procedural_sources(3) if each.name == name)
        solid = Solid(load_source(source, seed=0), size=1 / 48)
        there = solid.signed_distance(world[number].double().numpy())
        clear = abs(there) > 0.1  # an object has 256 points here
        agree = (there[clear] < 0) == solids["inside"][number].numpy()[clear]
        assert agree.mean() > 0.97


def test_an_interrupted_training_ends_with_the_same_bits(pack: Path, tmp_path: Path, monkeypatch) -> None:
    train_list(pack, tmp_path / "whole", options(20), QUICK)
    from monoform.training import stages as module

    def stopped(task, out, options):
        raise KeyboardInterrupt

    real = module.train
    monkeypatch.setattr(
        module,
        "train",
        lambda task, out, options: (real if "first" in str(out) else stopped)(task, out, options=options),
    )
    with pytest.raises(KeyboardInterrupt):
        train_list(pack, tmp_path / "halves", options(20), QUICK)
    monkeypatch.setattr(module, "train", real)
    train_list(pack, tmp_path / "halves", options(20), QUICK)
    one, other = ((tmp_path / name / WEIGHTS / "model.safetensors").read_bytes() for name in ("whole", "halves"))
    assert one == other


def test_a_given_first_stage_is_started_from(pack: Path, tmp_path: Path) -> None:
    coarse = tiny_coarse(5)
    save_pretrained(coarse, coarse.config, tmp_path / "first", card="x")
    settings = ListTraining(**(vars(QUICK) | {"weights": str(tmp_path / "first")}))
    train_list(pack, tmp_path / "out", options(4), settings)
    net, _ = load_pretrained(build, ListConfig, tmp_path / "out" / WEIGHTS)
    assert not (tmp_path / "out" / FIRST).exists()
    torch.testing.assert_close(net.im_encoder.conv1.weight, coarse.image_encoder.conv1.weight, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("published", [True, False])
def test_sample_files_in_shapenets_layout_are_learned_from(tmp_path: Path, published: bool) -> None:
    settings = vars(QUICK) | {"config": "tiny_object", "published": published}
    result = train_list(shapenet(tmp_path / "data"), tmp_path / "out", options(8), ListTraining(**settings))
    assert result.stopped == "done"
    told = losses(tmp_path / "out" / SECOND, "list/distance")
    assert all(value > 0 for value in told)
    assert ("list/matrix" in (tmp_path / "out" / SECOND / "metrics.jsonl").read_text()) is False


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"batch": 1}, "at least 2"),
        ({"points": 0}, "points is 0"),
        ({"first_share": 1.0}, "first_share is 1.0"),
        ({"fractions": (-1.0,)}, "fractions"),
    ],
)
def test_settings_that_make_no_training_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        _ = ListTraining(**changes).drawn


def test_data_and_configuration_must_fit(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="learns from sample files"):
        train_list(pack, tmp_path / "a", options(4), ListTraining(**(vars(QUICK) | {"config": "tiny_object"})))
    with pytest.raises(InputError, match="learns from a pack"):
        train_list(shapenet(tmp_path / "data"), tmp_path / "b", options(4), QUICK)
    with pytest.raises(InputError, match="neither a pack"):
        train_list(tmp_path / "none", tmp_path / "c", options(4), QUICK)
    with pytest.raises(InputError, match="leave the stage 'first_stage' without one"):
        train_list(pack, tmp_path / "d", options(1), QUICK)
