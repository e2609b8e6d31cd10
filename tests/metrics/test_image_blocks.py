"""Sets of images in blocks: interrupted or not, by one process or several, the distances are the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from monoform.errors import InputError
from monoform.metrics.evaluation import run_protocol
from monoform.metrics.features import InceptionFeatures, PyramidFeatures
from monoform.metrics.frechet import Moments, frechet_distance
from monoform.metrics.image_blocks import ARRAYS, Block, ImageBlocks, features_in
from monoform.metrics.image_distances import image_distances
from monoform.nn.inception import InceptionV3

NET = PyramidFeatures()


class Noise:
    """Random images, of which some are damaged."""

    def __init__(self, count: int, seed: int, damaged: tuple[int, ...] = ()) -> None:
        self.count, self.seed, self.damaged, self.made = count, seed, damaged, 0

    def __len__(self) -> int:
        return self.count

    def blocks(self, numbers: range) -> Iterator[Block]:
        for number in numbers:
            if number in self.damaged:
                yield Block(None, left_out=(f"{number}.png is damaged.",))
                continue
            self.made += 1
            draw = torch.Generator().manual_seed(1000 * self.seed + number)
            images = torch.randint(0, 256, (1, 3, 8, 8), generator=draw, dtype=torch.uint8)
            yield Block(images, {"number": np.array([number])})


class Two(ImageBlocks):
    """Their distance."""

    def together(self, out: Path, contents: Mapping[str, Any]) -> Mapping[str, float]:
        real, generated = (self.arrays(out, contents, name) for name in self.sources)
        assert np.array_equal(real["number"], np.sort(real["number"]))
        return image_distances(NET, features_in(real, NET), features_in(generated, NET))


def sources(damaged: tuple[int, ...] = ()) -> dict[str, Noise]:
    return {"real": Noise(23, 1, damaged), "generated": Noise(15, 2)}


def features(source: Noise) -> np.ndarray:
    return np.concatenate(
        [NET(block.images).numpy() for block in source.blocks(range(len(source))) if not block.left_out]
    )


def test_distances_are_those_of_all_images_and_stand_in_the_tables(tmp_path: Path) -> None:
    summary = run_protocol(Two(sources(), [NET], size=7), tmp_path / "out", {"seed": 0})
    real, generated = (features(each) for each in sources().values())
    expected = frechet_distance(Moments.of(real), Moments.of(generated), "n")
    total = summary["total"]
    assert total["frechet_pyramid_n"] == pytest.approx(expected, rel=1e-6)
    assert {"kernel_pyramid", "precision3_pyramid", "recall3_pyramid"} < set(total)
    assert summary["told"] == "Images: 23 real, 15 generated\n"
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["total"] == total
    assert f"{total['kernel_pyramid']:.4f}" in (tmp_path / "out" / "metrics.md").read_text()
    assert sorted(path.name for path in (tmp_path / "out" / "real").iterdir()) == [
        "000000",
        "000007",
        "000014",
        "000021",
    ]


def test_what_is_kept_is_not_made_again_and_damaged_images_are_left_out(tmp_path: Path) -> None:
    first = sources(damaged=(0, 8, 9, 22))
    whole = run_protocol(Two(first, [NET], size=2), tmp_path / "out", {"seed": 0})
    assert whole["told"].splitlines()[-1] == "Images: 19 real, 15 generated"
    assert whole["told"].count("is damaged") == 1 and "real/000008: 8.png is damaged." in whole["skipped"]
    removed = tmp_path / "out" / "generated" / "000004"
    for file in removed.iterdir():
        file.unlink()
    removed.rmdir()
    again = sources(damaged=(0, 8, 9, 22))
    resumed = run_protocol(Two(again, [NET], size=2), tmp_path / "out", {"seed": 0})
    assert (again["real"].made, again["generated"].made) == (0, 2)
    drop = ("seconds",)
    assert {k: v for k, v in resumed["total"].items() if k not in drop} == {
        k: v for k, v in whole["total"].items() if k not in drop
    }
    (tmp_path / "out" / "real" / "000002" / ARRAYS).write_bytes(b"PK")
    with pytest.raises(InputError, match=r"000002/block\.npz .*remove its folder"):
        run_protocol(Two(again, [NET], size=2), tmp_path / "out", {"seed": 0})


def test_a_set_without_any_image_is_one_sentence(tmp_path: Path) -> None:
    broken = {"real": Noise(3, 1, (0, 1, 2)), "generated": Noise(5, 2)}
    with pytest.raises(InputError, match="None of the real images"):
        run_protocol(Two(broken, [NET], size=2), tmp_path / "out", {"seed": 0})


def test_the_score_is_of_inception_alone_and_measures_are_chosen() -> None:
    draw = np.random.default_rng(0)
    net = InceptionFeatures(InceptionV3().eval())
    real, generated = draw.uniform(0, 1, (2, 12, net.size)).astype(np.float32)
    found = image_distances(net, real, generated, divisor="n-1")
    assert set(found) >= {"fid_inception2015_n-1", "kid_inception2015", "is10_inception2015", "recall3_inception2015"}
    assert 1 <= found["is10_inception2015"] < 1008
    assert set(image_distances(net, real, generated, measures=("kernel",))) == {"kid_inception2015"}
    assert "score" not in "".join(image_distances(NET, real[:, : NET.size], generated[:, : NET.size]))
