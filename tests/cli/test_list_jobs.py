"""LIST at the command line: samples, both stages, conversion there and back, evaluation, a photo; bad input."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from tests.command_line import monoform as run
from tests.methods.list.tiny_list import TINY, octahedron_net, tiny_coarse, tiny_config
from tests.pictures import disc

from monoform.data import LabelOptions, PackOptions, ViewOptions, pack_meshes, procedural_sources
from monoform.methods.list.model import ListNet
from monoform.methods.list.published import published_config, read_published, write_published
from monoform.training.weights import save_pretrained


def refused(*words: object) -> str:
    """The sentence of a run that ends with 2, and without a traceback."""
    done = run(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """ShapeNet's layout with one object, sampled by the command, and a mesh that is broken."""
    root = tmp_path_factory.mktemp("data")
    shapes = root / "DISN" / "03001627"
    for name in ("ball", "broken"):
        (shapes / name).mkdir(parents=True)
    trimesh.creation.icosphere(subdivisions=3).export(shapes / "ball" / "isosurf.obj")
    (shapes / "broken" / "isosurf.obj").write_text("v 0 0 0\nv 1 0 0\n")
    words = ("--glob", "*/*/isosurf.obj", "--points", 600, "--farthest", 60, "--voxels", 48, "--workers", 1)
    done = run("prepare", "sdf", "--data", root / "DISN", "-o", root, *words)
    assert done.returncode == 2 and "broken is left out:" in done.stdout and "1 objects are in" in done.stdout
    again = run("prepare", "sdf", "--data", root / "DISN", "-o", root, *words, "--category", "03001627", "--limit", 1)
    assert again.returncode == 0 and "1 of them from before" in again.stdout, again.stdout + again.stderr
    pictures = root / "images/03001627/ball/easy"
    pictures.mkdir(parents=True)
    rgb, mask = disc(64, 64, 24.0)
    Image.fromarray((255 * rgb * mask[..., None]).astype(np.uint8)).save(pictures / "00.png")
    (root / "splits").mkdir()
    for split in ("train", "test"):
        (root / f"splits/03001627_{split}.lst").write_text("ball\nmissing\n")
    return root


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("meshes")
    (folder / "things").mkdir()
    trimesh.creation.icosphere(subdivisions=2).export(folder / "things/ball.obj")
    trimesh.creation.box((1.0, 0.6, 0.4)).export(folder / "things/box.obj")
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A tiny network of the object's frame that sees an octahedron in every picture."""
    net = octahedron_net(frame="object", margin=0.0)
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_pretrained(net, net.config, folder, card="x")
    return folder


def test_a_data_set_is_measured_and_tables_are_written(data: Path, weights: Path, tmp_path: Path) -> None:
    words = ("--points", 500, "--inside-points", 2000, "--emd-points", 100, "--nodes", 20)
    done = run("evaluate", "list", "--data", data, "--weights", weights, "-o", tmp_path / "out", *words)
    assert done.returncode == 0, done.stderr
    assert "missing" in done.stdout and "| all | 1 |" in done.stdout
    summary = json.loads((tmp_path / "out/metrics.json").read_text())
    wanted = {"completeness", "accuracy", "chamfer_l2", "iou", "emd", "fscore_1.0", "failed"}
    assert wanted <= set(summary["total"]) and 0 <= summary["total"]["iou"] <= 1
    lines = (tmp_path / "out/03001627.csv").read_text().splitlines()
    assert lines[0].startswith("object,completeness") and lines[-1].startswith("mean,")
    assert "another folder" in refused(
        "evaluate", "list", "--data", data, "--weights", weights, "-o", tmp_path / "out", "--points", 400
    )


def test_other_views_objects_sizes_and_protocols(meshes: Path, weights: Path, tmp_path: Path) -> None:
    """Our own pictures and samples of mesh files, seen from all sides, off the middle, mirrored, at another size."""
    root = tmp_path / "set"
    words = ("--views", 2, "--size", 48, "--samples", 1, "--split", "test", "--workers", 1)
    done = run("prepare", "renders", "--data", meshes, "--layout", "shapenet", "-o", root, *words)
    assert done.returncode == 0 and "2 test" in done.stdout, done.stdout + done.stderr
    words = ("--points", 400, "--farthest", 40, "--voxels", 32, "--workers", 1)
    assert run("prepare", "sdf", "--data", meshes, "-o", root, *words).returncode == 0
    measured = ("evaluate", "list", "--data", root, "--weights", weights, "--points", 500, "--inside-points", 1000)
    measured += ("--emd-points", 32, "--nodes", 12)
    done = run(*measured, "-o", tmp_path / "all", "--views", "all", "--variation", "hard", "--image-size", 32)
    assert done.returncode == 0, done.stderr
    for row in ("| LIST |", "| DISN |", "| OccNet |", "| visible |", "| occluded |"):
        assert row in done.stdout
    summary = json.loads((tmp_path / "all/metrics.json").read_text())
    assert (summary["objects"], summary["images"]) == (2, 4)
    folder = tmp_path / "all/things/ball"
    assert {file.name for file in folder.iterdir()} == {"00_pred.obj", "01_pred.obj", "scores.json"}
    lines = (tmp_path / "all/things.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["object", "ball_00", "ball_01", "box_00", "box_01", "mean"]
    assert not lines[0].count("disn_")
    done = run(
        *measured,
        "-o",
        tmp_path / "one",
        "--views",
        "random",
        "--first",
        1,
        "--limit",
        1,
        "--flip",
        "--protocols",
        "list",
    )
    assert done.returncode == 0 and "| DISN |" not in done.stdout, done.stderr
    assert list(json.loads((tmp_path / "one/metrics.json").read_text())["each"]) == ["things/box"]
    assert len(list((tmp_path / "one/things/box").glob("0?_pred.obj"))) == 1
    for words, sentence in (
        (("--views", "x"), "--views has 'x'"),
        (("--views", "0-5"), "has no view 2: there are 0 to 1"),
        (("--first", 9), "--first is 9; there are 2 objects"),
        (("--protocols", "other"), "choose of list, disn, occnet, visible"),
        (("--image-size", 4), "--image-size"),
    ):
        assert sentence in refused(*measured, "-o", tmp_path / "none", *words)


def test_a_first_stage_is_measured_by_its_cloud(data: Path, tmp_path: Path) -> None:
    coarse = tiny_coarse()
    config = tiny_config(frame="object", margin=0.0, stage="coarse")
    save_pretrained(coarse, config, tmp_path / "coarse", card="x")
    done = run("evaluate", "list", "--data", data, "--weights", tmp_path / "coarse", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    total = json.loads((tmp_path / "out/metrics.json").read_text())["total"]
    assert "chamfer_l2" in total and "iou" not in total


def test_a_photo_becomes_a_result_folder(weights: Path, tmp_path: Path) -> None:
    rgb, mask = disc()
    cv2.imwrite(str(tmp_path / "ball.png"), (255 * rgb[..., ::-1]).astype(np.uint8))
    cv2.imwrite(str(tmp_path / "mask.png"), (255 * mask).astype(np.uint8))
    words = (
        "--method",
        "list",
        "--set",
        f"weights={weights}",
        "parts=1",
        "--frames",
        0,
        "--faces",
        500,
        "--resolution",
        48,
    )
    done = run("reconstruct", tmp_path / "ball.png", "--mask", tmp_path / "mask.png", *words, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    names = {file.name for file in (tmp_path / "out").rglob("*")}
    assert {"mesh.glb", "camera.json", "overlay.png", "result.json"} <= names


def test_both_stages_are_one_command(tmp_path: Path) -> None:
    options = PackOptions(
        views=ViewOptions(count=2, size=48, samples=1), labels=LabelOptions(points=256, surface=128, voxels=48)
    )
    pack_meshes(procedural_sources(2), tmp_path / "pack", options, workers=1)
    words = ("--steps", 4, "--device", "cpu", "--set", "batch=2", "first_batch=2", "points=32", "cloud=32")
    done = run("train", "list", "--data", tmp_path / "pack", "-o", tmp_path / "run", *words)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 steps" in done.stdout
    assert (tmp_path / "run/weights/model.safetensors").stat().st_size <= 4e6
    assert (tmp_path / "run/first_stage/weights").is_dir()
    told = refused("train", "list", "--data", tmp_path, "-o", tmp_path / "x", "--set", "x=1")
    assert "NAME of list: " in told and "first_share" in told


def test_conversion_there_and_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = ListNet(replace(published_config("shapenet"), network=replace(TINY, volume_nodes=128)))
    write_published(net, tmp_path / "list.pt.tar")
    done = run("convert", tmp_path / "list.pt.tar", "--method", "list", "--config", "shapenet", "-o", tmp_path / "w")
    assert done.returncode == 0, done.stderr
    back = run("convert", tmp_path / "w", "--method", "list", "-o", tmp_path / "back.pt.tar")
    assert back.returncode == 0, back.stderr
    found, _ = read_published(tmp_path / "back.pt.tar", "shapenet")
    assert all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), found.state_dict().values(), strict=True))
    (tmp_path / "cut.pt.tar").write_bytes((tmp_path / "list.pt.tar").read_bytes()[:5000])
    words = ("--method", "list", "-o", tmp_path / "none")
    assert "truncated" in refused("convert", tmp_path / "cut.pt.tar", "--config", "shapenet", *words)
    assert "a whole LIST" in refused("convert", tmp_path / "list.pt.tar", "--config", "coarse", *words)
    assert "no configuration" in refused("convert", tmp_path / "list.pt.tar", "--config", "x", *words)
    assert not (tmp_path / "none").exists()


def test_bad_input_is_told_in_one_sentence(data: Path, weights: Path, tmp_path: Path) -> None:
    out = ("-o", tmp_path / "out")
    assert "has no folder splits" in refused("evaluate", "list", "--data", tmp_path, "--weights", weights, *out)
    assert "give train or test" in refused(
        "evaluate", "list", "--data", data, "--weights", weights, *out, "--split", "val"
    )
    assert "give numbers" in refused("prepare", "sdf", "--data", data, *out, "--sigmas", "a")
    assert "solid, winding or raw" in refused("prepare", "sdf", "--data", data, *out, "--sign", "x")
    assert "No mesh has the category" in refused("prepare", "sdf", "--data", data, *out, "--category", "x")
    assert "neither a pack" in refused("train", "list", "--data", tmp_path, *out)
    missing = ("--set", f"weights={tmp_path / 'none'}")
    assert "none" in refused("reconstruct", "photo.png", "--method", "list", *out, *missing)
