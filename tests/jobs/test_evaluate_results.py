"""`monoform evaluate realfusion`: results whose figures are known, and a CLIP of random weights."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.pictures import mug
from tests.tiny_diffusion import save_clip

import monoform
from monoform import InputError
from monoform.guidance.clip import open_clip
from monoform.jobs.evaluate import evaluation_of
from monoform.jobs.evaluate_results import ResultEvaluation
from monoform.jobs.figures import at_photo, clip_similarity
from monoform.metrics.lpips import Lpips
from monoform.nn.vgg import CHANNELS, Vgg16


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    """Two results of one mug: one as it is, one whose photo is painted over with the opposite colors."""
    root = tmp_path_factory.mktemp("results")
    rgb, mask = mug()
    result = monoform.reconstruct(rgb, mask=mask, method="inflate")
    replace(result, surface=result.mesh(faces=300, resolution=48, texture=64)).save(root / "right")
    shutil.copytree(root / "right", root / "wrong")
    photo = next((root / "wrong").glob("photo.*"))
    with Image.open(photo) as image:
        Image.fromarray(255 - np.asarray(image.convert("RGB"))).save(photo)
    return root


def run(asked: ResultEvaluation) -> tuple[str, dict]:
    evaluation = evaluation_of("realfusion")
    assert evaluation is not None
    return evaluation.run(asked), json.loads((asked.out / "metrics.json").read_text())


def test_a_photo_of_other_colors_scores_less(results: Path, tmp_path: Path) -> None:
    told, summary = run(ResultEvaluation(results=results, out=tmp_path / "out", size=64))
    assert "no lpips and no clip here" in told
    each = summary["each"]
    assert set(each) == {"right", "wrong"} and set(each["right"]) == {"psnr", "seconds", "images"}
    assert each["right"]["psnr"] > each["wrong"]["psnr"] + 3
    drawn, photo = at_photo(monoform.load(results / "right"), monoform.load(results / "right").mesh(), 64)
    assert each["right"]["psnr"] == pytest.approx(-10 * np.log10(np.mean((drawn - photo) ** 2)), abs=1e-3)


def test_networks_that_are_given_add_their_figures(results: Path, tmp_path: Path) -> None:
    clip, out = save_clip(tmp_path / "clip"), tmp_path / "out"
    told, summary = run(ResultEvaluation(results=results / "right", out=out, size=64, clip=str(clip)))
    model = open_clip(str(clip), "")[0]
    assert "no lpips here" in told
    assert summary["each"]["right"]["clip"] == clip_similarity(results / "right", model)
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in Vgg16().state_dict().items()}
    nets = {"vgg": tmp_path / "vgg.pth", "lpips": tmp_path / "linear.pth"}
    generator = torch.Generator().manual_seed(0)
    torch.save({name: 0.05 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}, nets["vgg"])
    torch.save({f"lin{i}.model.1.weight": torch.ones(1, c, 1, 1) for i, c in enumerate(CHANNELS)}, nets["lpips"])
    told, summary = run(ResultEvaluation(results=results, out=tmp_path / "both", size=64, **nets))
    distance = Lpips.load(nets["vgg"], nets["lpips"])
    drawn, photo = at_photo(monoform.load(results / "wrong"), monoform.load(results / "wrong").mesh(), 64)
    assert "no clip here" in told
    assert summary["each"]["wrong"]["lpips"] == pytest.approx(distance(drawn, photo), rel=1e-4)


def test_what_cannot_be_measured_is_one_sentence(results: Path, tmp_path: Path) -> None:
    for wrong, said in (
        ({"results": tmp_path}, "holds no result"),
        ({"clip": str(tmp_path)}, "CLIP model .* cannot be had"),
        ({"vgg": tmp_path / "vgg.pth"}, "LPIPS cannot be computed without the linear layers"),
    ):
        with pytest.raises(InputError, match=said):
            run(ResultEvaluation(**{"results": results, "out": tmp_path / "out"} | wrong))
    with pytest.raises(InputError, match="--size is 0"):
        ResultEvaluation(results=results, out=tmp_path / "out", size=0)
    assert not (tmp_path / "out").exists()
