"""Published files of bootstrapped inversion: what they show of a network is taken, what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.data.category_cases import write_detections
from tests.methods.bootstrap.test_generator import made, tiny

from monoform.data.categories import open_category
from monoform.errors import InputError
from monoform.methods.bootstrap import BootstrapConfig, BootstrapEncoder, published
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, discriminator_of
from monoform.methods.bootstrap.encoder import small_encoder
from monoform.methods.bootstrap.estimate_pose import focal_guesses
from monoform.methods.bootstrap.networks import open_inverter, open_networks
from monoform.methods.bootstrap.published import card, read_encoder, read_files, read_generator, read_published
from monoform.nn.stylegan2 import fir_kernel
from monoform.nn.vgg import CHANNELS, Vgg16
from monoform.training import save_pretrained


def written(folder: Path, **content: Any) -> Path:
    torch.save(content, folder / "checkpoint_latest.pth")
    return folder / "checkpoint_latest.pth"


def as_published(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """With filters, and with the noise that layers do not use."""
    extra = {"synthesis_network.b4.resample_filter": torch.outer(fir_kernel(), fir_kernel())}
    extra |= {"synthesis_network.b4.conv1.noise_const": torch.ones(4, 4)}
    return {**state, **extra}


@pytest.mark.parametrize("options", [{}, {"palette": 0, "sdf": False}, {"view_directions": True, "classes": 3}])
def test_a_generator_comes_back_with_the_options_that_its_tensors_show(tmp_path: Path, options: dict[str, Any]) -> None:
    config = tiny(**options)
    net, judge = made(config), BootstrapDiscriminator(discriminator_of(config))
    file = written(
        tmp_path, model_ema=as_published(net.state_dict()), discriminator=judge.state_dict(), iteration=300000
    )
    found = read_generator(file, tiny())
    assert found.config == config and found.iteration == 300000
    for name, tensor in found.generator.state_dict().items():
        assert torch.equal(tensor, net.state_dict()[name])
    assert found.discriminator is not None
    assert torch.equal(found.discriminator.backbone.b4.out.weight, judge.backbone.b4.out.weight)


def test_an_encoder_comes_back_without_its_wrapper(tmp_path: Path) -> None:
    config = small_encoder(16)
    for separate in (False, True):
        net = BootstrapEncoder(replace(config, separate_backbones=separate))
        state = {f"module.{name}": tensor for name, tensor in net.state_dict().items()}
        found, iteration = read_encoder(written(tmp_path, model_coord=state, iteration=120000), config)
        assert iteration == 120000 and found.config.separate_backbones == separate


def test_other_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    state = made(tiny()).state_dict()
    for content, words in (
        ({"model": state, "iteration": 1}, "no model_ema"),
        ({"model_ema": state}, "iteration"),
        ({"model_ema": {"alpha": state["alpha"]}, "iteration": 1}, "does not fit"),
    ):
        with pytest.raises(InputError, match=words):
            read_published(written(tmp_path, **content), tiny())
    with pytest.raises(InputError, match="holds an encoder and no generator"):
        read_generator(written(tmp_path, model_coord=state, iteration=1), tiny())
    with pytest.raises(InputError, match="model_coord"):
        read_encoder(written(tmp_path, model_ema=state, iteration=1))
    with pytest.raises(InputError, match="choose one of p3d_car"):
        read_published(written(tmp_path, model_ema=state, iteration=1), "p3d")
    file = written(tmp_path, model_ema=state, iteration=1)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"checkpoint_latest\.pth"):
        read_published(file, tiny())


def files_of(folder: Path, config: BootstrapConfig, iteration: int = 300000, latent_dim: int = 8) -> list[Path]:
    """A generator with its discriminator, and an encoder after so many of its iterations."""
    judge, encoder = BootstrapDiscriminator(discriminator_of(config)), BootstrapEncoder(small_encoder(latent_dim))
    state = {f"module.{name}": tensor for name, tensor in encoder.state_dict().items()}
    named = folder / f"c_it{iteration}_latest.pth"
    torch.save({"model_coord": state, "iteration": 120000}, named)
    model = as_published(made(config).state_dict())
    return [written(folder, model_ema=model, discriminator=judge.state_dict(), iteration=300000), named]


@pytest.fixture
def small_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Published encoders have the size for a CPU."""
    monkeypatch.setattr(published, "EncoderConfig", small_encoder)


@pytest.mark.usefixtures("small_encoders")
def test_files_that_belong_together_become_one_folder(tmp_path: Path) -> None:
    files = files_of(tmp_path, tiny())
    (tmp_path / "lpips").mkdir()
    torch.save(Vgg16().state_dict(), tmp_path / "lpips" / "vgg16.pth")
    linear = {f"lin{n}.model.1.weight": torch.rand(1, width, 1, 1) for n, width in enumerate(CHANNELS)}
    torch.save(linear, tmp_path / "lpips" / "vgg.pth")
    found = read_files([*files, *(tmp_path / "lpips").iterdir()], tiny())
    folder = str(save_pretrained(found.module, found.config, tmp_path / "w", card=found.card, exact=True))
    inverter, held = open_inverter(folder), open_networks(folder)
    assert inverter.encoder is not None and held.discriminator is not None and inverter.lpips is not None
    assert torch.equal(inverter.lpips.linear[0], linear["lin0.model.1.weight"].flatten())
    assert inverter.generator.config == tiny()
    alone = read_files(files[1:], tiny())
    assert type(alone.module).__name__ == "BootstrapEncoder" and "encoder={folder}" in alone.use
    only = read_files(files[:1], tiny())
    assert only.config.encoder is None and "monoform generate" in only.use


@pytest.mark.usefixtures("small_encoders")
def test_files_that_do_not_belong_together_are_refused_in_a_sentence(tmp_path: Path) -> None:
    generator, encoder = files_of(tmp_path, tiny())
    (tmp_path / "other").mkdir()
    _, early = files_of(tmp_path / "other", tiny(), iteration=200000)
    _, short = files_of(tmp_path / "other", tiny(), latent_dim=5)
    torch.save(Vgg16().state_dict(), tmp_path / "vgg16.pth")
    torch.save(torch.zeros(3), tmp_path / "numbers.pth")
    for files, words in (
        ([generator, early], "after 200000 iterations, .* holds one after 300000: give the encoder that was trained"),
        ([generator, short], "latents of 5 numbers, the generator takes 8"),
        ([encoder, early], "both hold an encoder: give one of them"),
        ([generator, tmp_path / "vgg16.pth"], "LPIPS needs .* give both files, or none"),
        ([generator, tmp_path / "numbers.pth"], r"numbers\.pth holds no model_ema, no model_coord"),
        ([generator, tmp_path / "none.pth"], r"none\.pth"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            read_files(files, tiny())
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no generator among"):
        read_files([encoder], tiny(), data="photos")


def test_cameras_are_taken_from_the_training_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published, "published_config", lambda name: tiny())
    files, photos = files_of(tmp_path, tiny())[:1], write_detections(tmp_path / "photos", count=5)
    found = read_files(files, "p3d_car", str(photos))
    scene, told = found.config.generator.scene, open_category(photos, "p3d_car").poses
    assert told is not None and len(scene.poses) == len(scene.pose_focals) == len(told) == 8
    assert scene.focals == pytest.approx(focal_guesses(told.focal).tolist())
    assert replace(scene, focals=(), poses=(), pose_focals=()) == replace(tiny().scene, focals=())
    assert "8 sample cameras" in found.card.replace("\n ", "")
    assert "no sample cameras" in read_files(files, "p3d_car").card
    with pytest.raises(InputError, match="detections"):
        read_files(files, "imagenet_car", str(photos))


def test_the_card_holds_what_a_file_lacks() -> None:
    birds = card("x.pth", "cub", "float32")
    for words in ("half side 2", "orthographic", "flipped", "gray background", "with noise"):
        assert words in birds.replace("\n", " ")
    assert "1.02539" in card("x.pth", "shapenet_cars", "float32")
