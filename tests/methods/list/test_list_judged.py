"""While LIST trains: tests every few epochs, surfaces, the best weights; objects of each stage; mirroring."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from tests.data.test_sdf import shapenet
from tests.methods.list.tiny_list import octahedron_net, tiny_coarse, tiny_config

from monoform import InputError, Mesh
from monoform.data.sdf.items import ShapeItem
from monoform.methods.list import config as list_config
from monoform.methods.list import sources
from monoform.methods.list.config import ListConfig, ListTraining
from monoform.methods.list.judged import HeldOut, Judge, chosen_objects
from monoform.methods.list.model import CoarseNet, ListNet, build
from monoform.methods.list.sources import mirrored_item, open_source
from monoform.methods.list.train import FIRST, SECOND, WEIGHTS, train_list
from monoform.training import TrainOptions, load_pretrained
from monoform.training.checkpoint import list_checkpoints

QUICK = ListTraining(
    config="tiny_object", first_batch=2, batch=2, points=64, cloud=64, test_every=2, test_objects=2, snapshots=True
)


@pytest.fixture(autouse=True)
def tiny_preset(monkeypatch) -> None:
    monkeypatch.setitem(list_config.PRESETS, "tiny_object", tiny_config(frame="object", margin=0.0))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Two objects, both in the test list too, with their true surfaces."""
    root = shapenet(tmp_path_factory.mktemp("data"))
    shutil.copy(root / "splits/1_train.lst", root / "splits/1_test.lst")
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    for name in ("a", "b"):
        Mesh(np.asarray(ball.vertices), np.asarray(ball.faces)).export(root / f"isosurface/1/{name}/isosurf_scaled.obj")
    return root


def evaluated(folder: Path, name: str) -> dict[int, float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line[f"evaluate/{name}"] for line in lines if f"evaluate/{name}" in line}


def test_every_few_epochs_the_networks_are_judged_and_the_best_are_kept(data: Path, tmp_path: Path, capsys) -> None:
    options = TrainOptions(steps=6, device="cpu", progress=False, log_every=5)
    train_list(data, tmp_path, options, replace(QUICK, first_share=0.34))
    told = capsys.readouterr().out
    assert "An epoch of the first stage is 1 steps: 2 objects." in told and "the second stage" in told
    first, second = evaluated(tmp_path / FIRST, "chamfer"), evaluated(tmp_path / SECOND, "iou_lost")
    assert list(first) == [2] and list(second) == [2, 4]
    for folder, figures in ((tmp_path / FIRST, first), (tmp_path / SECOND, second)):
        stored = json.loads((folder / "best.json").read_text())
        best = min(figures, key=figures.__getitem__)
        assert stored["step"] == best and min(figures.values()) in stored.values()
        assert (
            f"{best} steps of 2 objects" in (folder.parent / "best" / "README.md").read_text() or folder.name == FIRST
        )
    assert {file.name for file in (tmp_path / "snapshots").iterdir()} == {"0000002", "0000004"}
    assert isinstance(load_pretrained(build, ListConfig, tmp_path / FIRST / "best")[0], CoarseNet)
    assert isinstance(load_pretrained(build, ListConfig, tmp_path / "best")[0], ListNet)
    assert set(evaluated(tmp_path / SECOND, "surface_iou")) == {2, 4}


@pytest.mark.parametrize("published", [True, False])
def test_one_command_keeps_the_objects_of_both_published_stages(
    data: Path, tmp_path: Path, monkeypatch, published: bool
) -> None:
    monkeypatch.setattr(sources, "SECOND_STAGE_MOST", 1)
    settings = replace(QUICK, published=published, test_objects=0, snapshots=False)
    source = open_source(data, tiny_config(frame="object", margin=0.0), settings)
    later = source.second or source
    assert (source.objects, later.objects) == (2, 1 if published else 2)
    train_list(data, tmp_path, TrainOptions(steps=4, device="cpu", progress=False), settings)
    for folder, count in ((FIRST, source.objects), (".", later.objects)):
        assert f"{count} of shapenet" in (tmp_path / folder / WEIGHTS / "README.md").read_text()
    assert not (tmp_path / "best").exists()


def test_surfaces_are_written_and_what_is_best_survives_an_interrupt(tmp_path: Path) -> None:
    net, saved = octahedron_net(frame="object", margin=0.0), []
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2, 64, 3, generator=generator) - 0.5
    sdf = (points.abs().sum(-1) - 0.35) / 3**0.5
    batch = {"images": torch.rand(2, 3, 32, 32, generator=generator), "points": points, "sdf": sdf}
    batch["cloud"] = torch.rand(2, 8, 3, generator=generator) - 0.5
    true = trimesh.creation.icosphere(subdivisions=3, radius=0.3)
    truth = Mesh(np.asarray(true.vertices), np.asarray(true.faces))
    held = HeldOut(batch, ("1/a_00", "1/b_32"), (truth, None))

    def judge() -> Judge:
        return Judge(held, tmp_path / "stage", tmp_path, lambda module, folder, step, figures: saved.append(step))

    figures = judge()(net, 5)
    assert figures["iou"] == pytest.approx(1) and figures["iou_lost"] == 1 - figures["surface_iou"] < 0.9
    assert {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.obj")} == {
        "stage/meshes/0000005/1/a_00_pred.obj",
        "stage/meshes/0000005/1/b_32_pred.obj",
    }
    assert Mesh.load(tmp_path / "stage/meshes/0000005/1/a_00_pred.obj").bounds[1].max() < 0.36
    judge()(net, 10)  # no better, and another process
    assert saved == [5] and json.loads((tmp_path / "stage/best.json").read_text())["step"] == 5
    (tmp_path / "stage/best.json").write_text("[]")
    with pytest.raises(InputError, match="remove it"):
        judge()(net, 15)
    coarse = Judge(held, tmp_path / "first", tmp_path, lambda *given: saved.append("coarse"))
    cloud_net = tiny_coarse()
    assert set(coarse(cloud_net, 1)) == {"chamfer"} and saved == [5, "coarse"]
    with torch.no_grad():
        cloud = cloud_net(batch["images"][1:])[0].numpy()
    written = trimesh.load(tmp_path / "first/clouds/0000001/1/b_32_pred.ply")
    np.testing.assert_array_equal(np.asarray(written.vertices, np.float32), cloud)


def test_checkpoints_of_every_few_epochs_stay(data: Path, tmp_path: Path) -> None:
    """An epoch is one step: of seven steps of the second stage the 4th and 6th stay, besides the last two that were
    written, and of two steps of the first the 2nd is too early."""
    options = TrainOptions(steps=9, device="cpu", progress=False, checkpoint_every=1, keep=1)
    settings = replace(QUICK, test_every=0, test_objects=0, save_every=2, save_after=3, first_share=0.23)
    train_list(data, tmp_path, options, settings)
    steps = {name: [path.stem for path in list_checkpoints(tmp_path / name)] for name in (FIRST, SECOND)}
    assert steps == {
        FIRST: ["step-000000002"],
        SECOND: ["step-000000004", "step-000000006", "step-000000007"],
    }


def test_a_file_or_an_even_spread_says_what_is_judged(tmp_path: Path) -> None:
    names, views = [f"chair/{number}" for number in range(9)], [36] * 8 + [4]
    assert chosen_objects(names, views, 3, "") == [(0, 32), (4, 32), (8, 3)]
    assert chosen_objects(names[:2], views, 24, "") == [(0, 32), (1, 32)]
    file = tmp_path / "test.lst"
    file.write_text("chair 3 32\nchair none 1\n\nchair 1 0\nchair 8 9\nchair 2 2\n")
    assert chosen_objects(names, views, 2, str(file)) == [(3, 32), (1, 0)]
    for content, sentence in (("chair 3", "CATEGORY OBJECT VIEW"), ("chair none 1", "none is there")):
        file.write_text(content)
        with pytest.raises(InputError, match=sentence):
            chosen_objects(names, views, 2, str(file))


def test_pictures_are_mirrored_with_or_without_their_shapes(data: Path) -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(1, 4, 3)
    item = ShapeItem(picture, np.ones((1, 3), np.float32), np.full((2, 3), 2, np.float32), np.zeros(2, np.float32))
    alone, both = mirrored_item(item, shape=False), mirrored_item(item, shape=True)
    assert alone.picture[0, 0].tolist() == both.picture[0, 0].tolist() == [9, 10, 11]
    assert (alone.points == item.points).all() and both.points[0].tolist() == [-2, 2, 2] == (2 * both.cloud[0]).tolist()
    config = tiny_config(frame="object", margin=0.0)
    made = [
        open_source(data, config, replace(QUICK, flip=flip, recolor=False, test_objects=0)).make(
            16, torch.Generator().manual_seed(3)
        )
        for flip in ("pictures", "both")
    ]
    turned = (made[0]["points"] != made[1]["points"]).flatten(1).any(1)
    assert torch.equal(made[0]["images"], made[1]["images"]) and 3 <= int(turned.sum()) <= 13


def test_pictures_come_at_the_size_that_is_asked_for(data: Path) -> None:
    for asked, side in ((0, 32), (20, 20)):
        config = replace(tiny_config(frame="object", margin=0.0), image_size=asked or 32)
        source = open_source(data, config, replace(QUICK, image_size=asked))
        assert source.make(2, torch.Generator().manual_seed(0))["images"].shape == (2, 3, side, side)
        assert source.held_out is not None and source.held_out.batch["images"].shape == (2, 3, side, side)
    with pytest.raises(InputError, match="image_size"):
        replace(QUICK, image_size=4)
    with pytest.raises(InputError, match="flip is 'x'"):
        replace(QUICK, flip="x")
