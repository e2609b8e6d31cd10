"""Evaluation and films: the protocol's means, what is left out, what is kept of an interrupted run."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.methods.pixelnerf.balls import TINY, Balls
from tests.pretend_device import pretend_device

from monoform import InputError
from monoform.camera import look_at
from monoform.devices import on_device
from monoform.methods.pixelnerf.config import Compat
from monoform.methods.pixelnerf.evaluate import NewViewOptions, NewViews
from monoform.methods.pixelnerf.film import FilmOptions, film_cameras, write_film
from monoform.methods.pixelnerf.model import PixelNerfNet
from monoform.metrics import psnr, ssim
from monoform.metrics.evaluation import run_protocol
from monoform.metrics.table import ObjectScores, markdown_of, summary_of

OPTIONS = NewViewOptions(sources=(1,))


def evaluate(net: PixelNerfNet, objects: Balls, out: Path, options: NewViewOptions) -> dict:
    return run_protocol(NewViews(net, objects, options), out, asdict(options))


def without_seconds(summary: dict) -> dict:
    return json.loads(re.sub(r',?\s*"seconds": [\d.]+', "", json.dumps(summary)))


@pytest.fixture(scope="module")
def net() -> PixelNerfNet:
    torch.manual_seed(0)
    return PixelNerfNet(TINY).eval()


def test_scores_are_those_of_the_files(net, tmp_path: Path):
    summary = evaluate(net, Balls(), tmp_path, OPTIONS)
    assert (summary["objects"], summary["images"]) == (3, 9)
    means = []
    for number, ball in enumerate(Balls()):
        found = []
        for view in (0, 2, 3):
            ours = np.asarray(Image.open(tmp_path / f"ball{number}" / f"{view:06d}.png")).astype(np.float32) / 255
            found.append((psnr(ours, ball.images[view]), ssim(ours, ball.images[view])))
        means.append(np.mean(found, axis=0))
        assert not (tmp_path / f"ball{number}" / "000001.png").exists(), "the source view is no target"
    total = summary["total"]
    np.testing.assert_allclose((total["psnr"], total["ssim"]), np.mean(means, axis=0), rtol=1e-6)
    assert abs(total["psnr_float"] - total["psnr"]) < 0.1 and "lpips" not in total
    assert json.loads((tmp_path / "metrics.json").read_text()) == json.loads(json.dumps(summary))
    assert "| all | 3 |" in (tmp_path / "metrics.md").read_text()


def test_a_rerun_keeps_what_is_there_and_refuses_other_options(net, tmp_path: Path):
    first = evaluate(net, Balls(count=2), tmp_path, OPTIONS)
    kept = tmp_path / "ball0" / "000000.png"
    stamp = kept.stat().st_mtime_ns
    (tmp_path / "ball1" / "scores.json").unlink()
    assert without_seconds(evaluate(net, Balls(count=2), tmp_path, OPTIONS)) == without_seconds(first)
    assert kept.stat().st_mtime_ns == stamp
    with pytest.raises(InputError, match="other options"):
        evaluate(net, Balls(count=2), tmp_path, replace(OPTIONS, scale=0.5))


@pytest.mark.parametrize(
    ("changed", "files"),
    [
        ({"include_sources": True}, {"000000.png", "000001.png", "000002.png", "000003.png"}),
        ({"exclude": (2,)}, {"000000.png", "000003.png"}),
        ({"targets": (3,)}, {"000003.png"}),
        (
            {"depth": True, "targets": (3,)},
            {"000003.png", *(f"000003_depth{end}" for end in (".npy", ".exr", "_norm.png"))},
        ),
        ({"compare": True, "targets": (3,)}, {"000003.png", "000003_compare.png"}),
        ({"sources": (1, 2)}, {"000000.png", "000003.png"}),
    ],
)
def test_which_files_there_are(net, tmp_path: Path, changed: dict, files: set[str]):
    evaluate(net, Balls(count=1), tmp_path, replace(OPTIONS, **changed))
    assert {path.name for path in (tmp_path / "ball0").iterdir()} - {"scores.json"} == files


def test_a_list_says_which_views_are_sources(net, tmp_path: Path):
    (tmp_path / "list.txt").write_text("things ball0 3\n")
    options = replace(OPTIONS, source_list=tmp_path / "list.txt")
    summary = evaluate(net, Balls(count=2, category="things"), tmp_path / "out", options)
    names = {path.name for path in (tmp_path / "out" / "things_ball0").glob("*.png")}
    assert names == {"000000.png", "000001.png", "000002.png"}
    assert list(summary["each"]) == ["things/ball0"]
    assert summary["skipped"] == ["things/ball1: The view list has no line for things/ball1."]


def test_quick_renders_one_random_view_of_each(net, tmp_path: Path):
    options = replace(OPTIONS, quick=True, sources=(-1,))
    first, again = (evaluate(net, Balls(), tmp_path / name, options) for name in ("a", "b"))
    assert first["images"] == 3
    assert without_seconds(first) == without_seconds(again)


def test_options_change_the_pictures(net, tmp_path: Path):
    def picture(name: str, network: PixelNerfNet = net, **changed) -> np.ndarray:
        evaluate(network, Balls(count=1), tmp_path / name, replace(OPTIONS, targets=(3,), **changed))
        return np.asarray(Image.open(tmp_path / name / "ball0" / "000003.png")).astype(int)

    plain = picture("plain")
    assert picture("small", scale=0.5).shape == (8, 8, 3)
    assert (picture("coarse", coarse=True) != plain).any()
    torch.manual_seed(0)
    followed = PixelNerfNet(replace(TINY, compat=Compat(random_rendering=True, truncate=True))).eval()
    first, again, other = (picture(name, followed, seed=seed) for name, seed in (("a", 0), ("b", 0), ("c", 1)))
    assert (first == again).all() and (first != other).any()


def test_networks_elsewhere_give_the_same_scores(net, tmp_path: Path):
    (tmp_path / "here").mkdir(), (tmp_path / "there").mkdir()
    options = replace(OPTIONS, targets=(3,), depth=True, compare=True)
    here = NewViews(net, Balls(count=1), options).measure(0, tmp_path / "here")
    with pretend_device() as device:
        there = NewViews(on_device(net, device), Balls(count=1), options).measure(0, tmp_path / "there")
    assert there["images"][0]["scores"] == pytest.approx(here["images"][0]["scores"], rel=1e-4)


def test_what_cannot_be_evaluated(net, tmp_path: Path):
    with pytest.raises(InputError, match="view 9"):
        evaluate(net, Balls(count=1), tmp_path / "out", replace(OPTIONS, sources=(9,)))
    with pytest.raises(InputError, match="scale"):
        replace(OPTIONS, scale=0)
    with pytest.raises(InputError, match="source views"):
        NewViewOptions(sources=())
    assert not list(tmp_path.rglob("*.png")) and not list(tmp_path.rglob("*.partial"))


def test_every_object_counts_once():
    rows = [ObjectScores("a", "x", 1, {"psnr": 10.0}), ObjectScores("b", "x", 9, {"psnr": 20.0})]
    rows.append(ObjectScores("c", "y", 1, {"psnr": 30.0}))
    summary = summary_of(rows)
    assert summary["total"]["psnr"] == 20 and summary["categories"]["x"] == {"objects": 2, "psnr": 15.0}
    assert markdown_of(summary).splitlines()[2:] == ["| x | 2 | 15.000 |", "| y | 1 | 30.000 |", "| all | 3 | 20.000 |"]


def test_the_film_goes_around_the_object(net, tmp_path: Path):
    source = Balls().load(0, [0])
    options = FilmOptions(frames=6, elevation=-0.3, scale=0.5)
    cameras = film_cameras(source, options)
    assert len(cameras) == 6 and (cameras[0].width, cameras[0].height) == (8, 8)
    for camera in cameras:
        torch.testing.assert_close(camera.position.norm(dim=1), torch.tensor([1.3]))
        assert float(camera.position[0, 1]) == pytest.approx(1.3 * np.sin(0.3), abs=1e-5), "from above, in a Y-up world"
        torch.testing.assert_close(camera.world_from_camera, look_at(camera.position), atol=1e-5, rtol=0)
    path = write_film(net, source, tmp_path / "ball.gif", options)
    with Image.open(path) as film:
        assert film.n_frames == 6 and film.size == (8, 8)
    assert Image.open(tmp_path / "ball_sources.png").size == (16, 16)


def test_the_scan_and_the_radius():
    source = Balls().load(0, [0])
    scan = film_cameras(source, FilmOptions(path="scan", frames=10))
    assert len(scan) == 12
    torch.testing.assert_close(scan[3].position.norm(dim=1), torch.tensor([2.0]))
    near = film_cameras(source, FilmOptions(frames=1, radius=1.0))
    torch.testing.assert_close(near[0].position.norm(dim=1), torch.tensor([1.0]))
    for wrong in ({"frames": 0}, {"path": "scan", "frames": 4}, {"radius": -1.0}, {"scale": 0.0}):
        with pytest.raises(InputError):
            FilmOptions(**wrong)
