"""Several seeds of one photo: a folder of each, ranked by stated figures, gone on with by a rerun."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.mesh.mesh_shapes import icosphere
from tests.pictures import disc, png
from tests.tiny_diffusion import save_clip

from monoform import InputError
from monoform.cli.reconstruct import run as command
from monoform.guidance.clip import open_clip
from monoform.jobs import ReconstructOptions
from monoform.jobs.batch import Item, Outcome
from monoform.jobs.figures import clip_similarity, fog, front_of
from monoform.jobs.pictures import around
from monoform.jobs.seeds import ranked, seeded
from monoform.mesh import Mesh
from monoform.methods.inflate import Inflate
from monoform.render import render_mesh
from monoform.scene import Photo, Reconstruction, View
from monoform.scene.mesh_field import MeshField

SMALL = ("--faces", "200", "--texture", "64", "--resolution", "32", "--frames", "0")


class Drawing(Inflate):
    """Makes objects of the right shape and a size that it draws."""

    def reconstruct(self, views, *, generator):
        found = super().reconstruct(views, generator=generator)
        mesh = found.mesh(faces=200, texture=64, resolution=32)
        return replace(found, surface=Mesh(mesh.vertices * drawn(generator), mesh.faces))


def drawn(generator: torch.Generator) -> float:
    """A size from 0.5 to 1."""
    return 0.5 + 0.5 * float(torch.rand((), generator=generator))


def _outcome(name: str, **more: object) -> Outcome:
    return replace(Outcome(name, "done", folder=name), **more)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photo")
    rgb, mask = disc()
    (folder / "ball.png").write_bytes(png(np.dstack([rgb, mask])))
    return folder / "ball.png"


@pytest.fixture(autouse=True)
def _signals_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(sys.modules["monoform.cli.main"], "listen", lambda: None)


def test_the_seed_of_the_right_size_comes_first(photo, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys.modules["monoform.jobs.reconstruct"], "create", lambda name, **_: Drawing())
    out = tmp_path / "out"
    words = [str(photo), "-o", str(out), "--method", "inflate", *SMALL, "--seeds", "3", "--seed", "5"]
    assert command(words) == 0
    sizes = {f"ball_seed_{seed}": drawn(torch.Generator().manual_seed(seed)) for seed in (5, 6, 7)}
    best = sorted(sizes, key=lambda name: -sizes[name])
    told = [line for line in capsys.readouterr().out.splitlines() if line[:2] in ("1.", "2.", "3.")]
    assert [line.split()[1].rstrip(":") for line in told] == best and "PSNR" in told[0] and "IoU" in told[0]
    with (out / "summary.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["name"], row["rank"]) for row in rows] == [(name, str(n)) for n, name in enumerate(best, 1)]
    page = (out / "index.html").read_text()
    assert [page.index(f"{name}/report.html") for name in best] == sorted(page.index(f"{n}/report.html") for n in best)
    assert "rank 1: PSNR" in page
    for row in rows:
        result = json.loads((out / row["folder"] / "result.json").read_text())
        assert result["seed"] == int(row["name"][-1])
        assert result["figures"]["psnr"] == float(row["psnr"]) and "fog" not in result["figures"]

    # More seeds are made beside those that are there; the ranks are of all of them.
    assert command([*words[:-4], "--seeds", "4", "--seed", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(": kept" in line for line in lines) == 3 and sum(": done" in line for line in lines) == 1


def test_what_draws_nothing_says_so(photo, tmp_path, capsys):
    assert command([str(photo), "-o", str(tmp_path), "--method", "inflate", *SMALL, "--seeds", "2"]) == 0
    assert "inflate draws nothing here" in capsys.readouterr().out
    assert {"ball_seed_0", "ball_seed_1"} < {path.name for path in tmp_path.iterdir()}


def test_a_method_that_has_hypotheses_keeps_them_in_one_folder(photo, tmp_path):
    assert command([str(photo), "-o", str(tmp_path), "--refine", "0", *SMALL, "--seeds", "2"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["ball"] and (tmp_path / "ball/hypothesis_2.glb").is_file()


def test_ranks_are_the_means_of_those_by_each_figure():
    first = _outcome("first", psnr=30.0, iou=0.9, fog=0.5)
    second = _outcome("second", psnr=20.0, iou=0.95, fog=0.1)
    third = _outcome("third", psnr=10.0, iou=0.8, fog=0.3)
    lost = Outcome("lost", "failed", "no")
    those = [first, lost, second, third]

    def names(by: str) -> list[str]:
        return [outcome.name for outcome in ranked(those, by)]

    # Better than it are, by psnr, iou and fog: of the first 0, 1, 2; of the second 1, 0, 0; of the third 2, 2, 1.
    assert names("mean") == ["second", "first", "third", "lost"]
    assert names("psnr") == ["first", "second", "third", "lost"]
    assert names("iou") == ["second", "first", "third", "lost"]
    assert names("fog") == ["second", "third", "first", "lost"]
    assert [outcome.rank for outcome in ranked(those)] == [1, 2, 3, None]
    # A figure that one of them lacks does not count, and without figures the order stays.
    unfogged = [replace(first, fog=None), second]
    assert [outcome.name for outcome in ranked(unfogged)] == ["first", "second"]
    assert [outcome.name for outcome in ranked([_outcome("b"), _outcome("a")])] == ["b", "a"]


def test_clip_compares_the_other_sides_with_the_photo(photo, tmp_path, capsys):
    clip = save_clip(tmp_path / "clip")
    words = [str(photo), "-o", str(tmp_path / "out"), "--method", "inflate", *SMALL, "--seeds", "2"]
    assert command([*words, "--clip", str(clip), "--rank-by", "clip"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("1. ", "2. "))]
    model, _ = open_clip(str(clip), "")
    similarity = clip_similarity(tmp_path / "out/ball_seed_0", model)
    assert len(told) == 2 and all(line.endswith(f"CLIP {similarity:.3f}") for line in told)

    # Where the other sides are the photo's own picture, the cosine is one; of another color they are less like it.
    class Twin:
        config, device = model.config, model.device

        @staticmethod
        def get_image_features(pixel_values: torch.Tensor) -> torch.Tensor:
            return torch.ones(len(pixel_values), 3)

    assert clip_similarity(tmp_path / "out/ball_seed_0", Twin()) == 1.0
    assert abs(similarity) < 1.0

    with pytest.raises(InputError, match=r"cannot be had .*leave out --clip"):
        command([*words, "--clip", str(tmp_path / "nothing")])
    with pytest.raises(InputError, match="--rank-by clip needs a model"):
        command([*words, "--rank-by", "clip"])
    with pytest.raises(InputError, match="add --seeds 2 or more"):
        command([*words[:-2], "--clip", str(clip)])


def test_fog_is_the_entropy_of_rays_that_meet_something():
    solid, half = np.ones((4, 4)), np.full((4, 4), 0.5)
    assert fog(solid) == pytest.approx(0.0, abs=1e-4) and fog(half) == pytest.approx(1.0)
    assert fog(np.concatenate([half, np.zeros((100, 4))])) == pytest.approx(1.0)
    quarter = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert fog(np.array([0.25, 0.75, 1.0, 0.0])) == pytest.approx(2 / 3 * quarter, abs=1e-4)
    assert fog(np.zeros((3, 3))) == 1.0, "there is nothing"


def test_the_front_is_compared_with_the_photo_inside_its_mask():
    ball = icosphere(0.4)
    gray = Mesh(ball.vertices, ball.faces, vertex_colors=np.full(ball.vertices.shape, 153, np.uint8))
    camera = around(1, 64, 0.2)[0]
    seen = render_mesh(gray, camera).mask
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)

    def front(color: int) -> dict[str, float]:
        photo = Photo.open(np.where(seen[..., None], np.uint8(color), noise), mask=seen.astype(np.uint8) * 255)
        return front_of(Reconstruction(MeshField(gray), (View(photo, camera),)), gray)

    assert front(153) == {"psnr": 100.0, "ssim": 1.0}, "what is outside the mask does not count"
    off = front(153 - 51)  # by a fifth
    assert off["psnr"] == pytest.approx(20 * np.log10(5), abs=1e-3) and off["ssim"] < 0.99


def test_each_of_several_results_has_its_own_folder_of_checkpoints(tmp_path):
    options = ReconstructOptions(method="realfusion", overrides={"run": str(tmp_path / "fit")}, seed=3)
    (item,) = (Item("fish.png", tmp_path / "fish"),)
    assert item.options(options).overrides["run"] == str(tmp_path / "fit") and item.options(options).seed == 3
    two = seeded([item], 2, 8)
    own = [each.options(options, alone=False) for each in two]
    assert [each.seed for each in own] == [8, 9]
    assert [each.overrides["run"] for each in own] == [str(tmp_path / f"fit/fish_seed_{seed}") for seed in (8, 9)]
    unkept = ReconstructOptions(method="realfusion", overrides={})
    assert "run" not in item.options(unkept, alone=False).overrides


@pytest.mark.parametrize(("seeds", "seed"), [(0, 0), (1001, 0), (2, 2**63 - 1)])
def test_seeds_out_of_range_are_refused(photo, tmp_path, seeds, seed):
    with pytest.raises(InputError, match="--seed"):
        command(
            [str(photo), "-o", str(tmp_path / "out"), "--method", "inflate", "--seeds", str(seeds), "--seed", str(seed)]
        )
    assert not (tmp_path / "out").exists()
