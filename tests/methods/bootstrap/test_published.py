"""Published files of bootstrapped inversion: what they show of a network is taken, what does not fit is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.methods.bootstrap.test_generator import made, tiny

from monoform.errors import InputError
from monoform.methods.bootstrap import BootstrapEncoder
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, discriminator_of
from monoform.methods.bootstrap.encoder import small_encoder
from monoform.methods.bootstrap.published import card, read_encoder, read_generator, read_published
from monoform.nn.stylegan2 import fir_kernel


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
        ({"model_coord": state, "iteration": 1}, "holds an encoder and no generator"),
        ({"model": state, "iteration": 1}, "no model_ema"),
        ({"model_ema": state}, "iteration"),
        ({"model_ema": {"alpha": state["alpha"]}, "iteration": 1}, "does not fit"),
    ):
        with pytest.raises(InputError, match=words):
            read_published(written(tmp_path, **content), tiny())
    with pytest.raises(InputError, match="model_coord"):
        read_encoder(written(tmp_path, model_ema=state, iteration=1))
    with pytest.raises(InputError, match="choose one of p3d_car"):
        read_published(written(tmp_path, model_ema=state, iteration=1), "p3d")
    file = written(tmp_path, model_ema=state, iteration=1)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(InputError, match=r"checkpoint_latest\.pth"):
        read_published(file, tiny())


def test_the_card_holds_what_a_file_lacks() -> None:
    birds = card("x.pth", "cub", "float32")
    for words in ("half side 2", "orthographic", "flipped", "gray background", "with noise"):
        assert words in birds.replace("\n", " ")
    assert "1.02539" in card("x.pth", "shapenet_cars", "float32")
