"""A fit as a whole: the photo is shown, it goes on where it stopped, and the result stands the right way round."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.methods.realfusion.tiny_realfusion import COLOR, ball, options, prior, view

from monoform import Photo, View
from monoform.errors import InputError
from monoform.methods.realfusion.config import RealFusionOptions
from monoform.methods.realfusion.infer import RealFusion
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.network_config import FieldConfig
from monoform.scene import Reconstruction
from monoform.training import load_pretrained


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


@pytest.fixture(scope="module")
def made() -> Reconstruction:
    return RealFusion(options(steps=100), prior=prior()).reconstruct([view()], generator=seeded())


def test_the_photo_is_shown_in_its_camera(made: Reconstruction) -> None:
    camera = made.camera
    assert (camera.width, camera.height) == (48, 48)
    picture = made.render(camera)
    truth = ball()[..., 3] > 0
    overlap = (picture.mask & truth).sum() / (picture.mask | truth).sum()
    assert overlap > 0.8
    assert np.abs(picture.rgb[truth].mean(axis=0) - COLOR).max() < 0.15
    assert torch.allclose(torch.linalg.det(camera.world_from_camera[0, :3, :3]), torch.tensor(1.0), atol=1e-5)


def test_a_mesh_comes_of_it(made: Reconstruction) -> None:
    mesh = made.mesh(faces=500, texture=64, resolution=32)
    assert len(mesh.faces) > 50
    assert np.abs(mesh.vertices).max() <= 0.5 + 1e-6


def test_an_interrupted_fit_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    whole, halved = tmp_path / "whole", tmp_path / "halved"
    asked = options(steps=8, checkpoint_every=4, run=str(whole))
    RealFusion(asked, prior=prior()).reconstruct([view()], generator=seeded())
    RealFusion(replace(asked, run=str(halved)), prior=prior()).reconstruct([view()], generator=seeded())
    last = halved / "checkpoints" / "step-000000008.pt"
    last.unlink()
    again = RealFusion(replace(asked, run=str(halved)), prior=prior()).reconstruct([view()], generator=seeded())
    first, second = (load_pretrained(RealFusionField, FieldConfig, folder / "weights")[0] for folder in (whole, halved))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    shown = RealFusion(replace(asked, run=None, weights=str(halved / "weights"))).reconstruct(
        [view()], generator=seeded()
    )
    there = torch.rand(50, 3) - 0.5
    assert torch.allclose(shown.field.query(there).rgb, again.field.query(there).rgb, atol=2e-3)


def test_a_run_of_another_photo_or_of_other_options_is_refused(tmp_path: Path) -> None:
    asked = options(steps=1, run=str(tmp_path / "fit"))

    def fit(asked: RealFusionOptions, seed: int = 3) -> None:
        RealFusion(asked, prior=prior()).reconstruct([view()], generator=torch.Generator().manual_seed(seed))

    fit(asked)
    dark = ball()
    dark[..., :3] //= 2
    with pytest.raises(InputError, match="fit holds a training of other photo: give the same, or another folder"):
        RealFusion(asked, prior=prior()).reconstruct([View(Photo.open(dark))], generator=seeded())
    with pytest.raises(InputError, match="holds a training with text a ball, and a cube is asked for"):
        fit(replace(asked, text="a cube"))
    with pytest.raises(InputError, match=r"holds a training with losses\.image 5, and 7 is asked for"):
        fit(replace(asked, losses=replace(asked.losses, image="7")))
    with pytest.raises(InputError, match="holds a training with seed"):
        fit(asked, seed=4)
    fit(replace(asked, steps=2, films=3, checkpoint_every=1, prior=f"/elsewhere/{asked.prior}"))
    assert (tmp_path / "fit" / "checkpoints" / "step-000000002.pt").is_file()


def test_a_text_without_its_word_is_refused_before_any_model_is_read() -> None:
    with pytest.raises(InputError, match="text is 'a <token>', and there is no learned word"):
        RealFusionOptions(text="a <token>")
    assert RealFusionOptions(text="a <token>", embedding="word.bin").embedding == "word.bin"


def test_photos_that_do_not_serve_are_refused_in_a_sentence() -> None:
    method = RealFusion(options(), prior=prior())
    with pytest.raises(InputError, match="works from one photo, not from 2"):
        method.reconstruct([view(), view()], generator=seeded())
    with pytest.raises(InputError, match="needs the object's mask"):
        method.reconstruct([View(Photo.open(ball()[..., :3]))], generator=seeded())
    with pytest.raises(InputError, match="hidden_levels is 4 of 4 levels; leave one to be seen"):
        options(hidden_levels=4)
    with pytest.raises(InputError, match="lift works without"):
        RealFusion(options(prior="/nowhere/at/all")).reconstruct([view()], generator=seeded())
