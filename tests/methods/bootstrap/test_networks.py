"""Folders of bootstrapped inversion's weights: each network alone or together, and encoders of other generators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.methods.bootstrap.tiny_bootstrap import NETWORK, config_of, generator, save_encoder

from monoform import InputError
from monoform.methods import make
from monoform.methods.bootstrap import BootstrapEncoder
from monoform.methods.bootstrap.encoder import small_encoder
from monoform.methods.bootstrap.networks import (
    BootstrapNetworks,
    NetworksConfig,
    open_generator,
    open_inverter,
    open_networks,
)
from monoform.training import save_pretrained


def save_together(folder: Path, *, perceptual: bool = False, exact: bool = True) -> str:
    """A generator and an encoder that has learned nothing."""
    torch.manual_seed(0)
    config = NetworksConfig(config_of(), small_encoder(NETWORK.w_dim), perceptual=perceptual)
    networks = BootstrapNetworks(config)
    networks.generator.load_state_dict(generator().state_dict())
    return str(save_pretrained(networks, config, folder, card="Of the tests.", exact=exact))


def save_generator(folder: Path) -> str:
    net = generator()
    return str(save_pretrained(net, net.config, folder, card="Of the tests.", exact=True))


def test_a_folder_of_both_inverts_photos_and_makes_samples(tmp_path: Path) -> None:
    folder = save_together(tmp_path / "both")
    found = open_inverter(folder)
    assert found.encoder is not None and found.lpips is None
    for name, value in generator().state_dict().items():
        assert torch.equal(found.generator.state_dict()[name], value)
    method = make("bootstrap", weights=folder)
    assert method.encoder is not None  # type: ignore[attr-defined]


def test_an_encoder_may_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    alone, own = save_generator(tmp_path / "alone"), save_encoder(tmp_path / "own")
    assert open_inverter(alone).encoder is None
    assert open_inverter(alone, own).encoder is open_networks(own).encoder
    both = save_together(tmp_path / "both", exact=False)
    assert open_inverter(alone, both).encoder is open_networks(both).encoder  # half precision is the same generator


def test_the_perceptual_distance_comes_with_the_weights(tmp_path: Path) -> None:
    lpips = open_inverter(save_together(tmp_path / "w", perceptual=True, exact=False)).lpips
    assert lpips is not None
    images = torch.rand(1, 3, 32, 32)
    assert lpips.distances(images, images).item() == 0


def test_what_does_not_belong_together_is_one_sentence(tmp_path: Path) -> None:
    alone, own = save_generator(tmp_path / "alone"), save_encoder(tmp_path / "own")
    with pytest.raises(InputError, match="holds no generator"):
        open_generator(own)
    with pytest.raises(InputError, match="holds no encoder"):
        open_inverter(alone, alone)
    other = BootstrapNetworks(NetworksConfig(config_of(), small_encoder(NETWORK.w_dim)))
    save_pretrained(other, other.config, tmp_path / "other", card="Of the tests.")
    with pytest.raises(InputError, match=r"another generator than .*alone: give the encoder that was trained with it"):
        open_inverter(alone, str(tmp_path / "other"))
    for name, config, words in (
        ("short", small_encoder(5), "latents of 5 numbers, the generator takes 8"),
        ("blind", replace(small_encoder(NETWORK.w_dim), pose=False), "no camera or no latent"),
    ):
        save_pretrained(BootstrapEncoder(config), config, tmp_path / name, card="Of the tests.")
        with pytest.raises(InputError, match=words):
            open_inverter(alone, str(tmp_path / name))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no weights"):
        open_inverter(str(tmp_path / "empty"))
