"""What the prior paints before the fit, and the pictures of its course."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.guidance.priors import PointPrior
from tests.methods.realfusion.tiny_realfusion import options, prior, view
from torch import Tensor

from monoform.errors import InputError
from monoform.methods.realfusion.fit_options import Weights
from monoform.methods.realfusion.infer import RealFusion
from monoform.scene import Reconstruction


class Painter(PointPrior):
    """The prior of the ball, which paints gray levels, one brighter than the other."""

    def __init__(self) -> None:
        known = prior()
        self.__dict__.update(known.__dict__)
        self.asked: list[tuple[list[str], str]] = []

    def pictures(self, prompts: list[str], *, generator: torch.Generator, negative: str = "") -> Tensor:
        self.asked.append((prompts, negative))
        return torch.full((len(prompts), 4, 4, 3), 0.2 * len(self.asked))


def fitted(judge: PointPrior, **more: object) -> Reconstruction:
    asked = options(**({"steps": 2, "pretrain_check": 3} | more))
    return RealFusion(asked, prior=judge).reconstruct([view()], generator=torch.Generator().manual_seed(3))


def test_what_the_prior_paints_is_in_the_result_and_in_the_run(tmp_path: Path) -> None:
    judge, run = Painter(), tmp_path / "run"
    made = fitted(judge, run=str(run))
    assert judge.asked == [(["a ball"], "")] * 3
    assert made.own_files is not None
    told = made.own_files(tmp_path, None)
    assert list(told) == ["pretrain_check.png"] and "'a ball'" in told["pretrain_check.png"]
    for path in (tmp_path / "pretrain_check.png", run / "pictures" / "pretrain_check_0000000.png"):
        pixels = np.asarray(Image.open(path))
        assert pixels.shape == (4, 12, 3)
        assert pixels[0, ::4, 0].tolist() == [51, 102, 153]
    assert "pretrain_check_0000000.png" in (run / "pictures" / "index.html").read_text(encoding="utf-8")


def test_pictures_change_nothing_of_the_fit(tmp_path: Path) -> None:
    there = torch.rand(100, 3, generator=torch.Generator().manual_seed(5)) - 0.5
    plain = fitted(Painter(), pretrain_check=0).field.query(there)
    shown = fitted(Painter(), run=str(tmp_path / "run"), preview_every=1, films=2).field.query(there)
    assert torch.equal(plain.rgb, shown.rgb) and torch.equal(plain.geometry, shown.geometry)
    names = {path.name for path in (tmp_path / "run" / "pictures").glob("rgb_*.png")}
    assert names == {"rgb_0000001.png", "rgb_0000002.png"}


def test_films_and_pictures_are_both_in_the_result(tmp_path: Path) -> None:
    made = fitted(Painter(), films=2, film_size=8)
    assert made.own_files is not None
    told = made.own_files(tmp_path, None)
    assert {"pretrain_check.png", "film_grid.mp4"} <= set(told) == {path.name for path in tmp_path.iterdir()}


def test_a_folder_that_is_not_ours_gets_no_picture(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(InputError, match="is there and no training of monoform"):
        fitted(Painter(), run=str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_where_nothing_can_be_painted_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="paints no pictures: leave out pretrain_check"):
        fitted(prior(), run=str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match="prior has no weight: give"):
        options(pretrain_check=1, losses=Weights(prior="0"))
    with pytest.raises(InputError, match="leave out pretrain_check"):
        options(pretrain_check=1, weights="somewhere")
