"""Zero-1-to-3 as a prior: what it is told of a view, and the files that it comes in."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.tiny_diffusion import tiny_prior
from tests.tiny_zero123 import original_tensors, save_folder, tiny_zero123
from torch.nn import functional

from monoform.errors import InputError
from monoform.guidance import ViewPrior, score_distillation
from monoform.guidance.zero123 import DEVIATION, MEAN, Zero123


@pytest.fixture(scope="module")
def made() -> Zero123:
    return tiny_zero123()


@pytest.fixture(scope="module")
def folder(made: Zero123, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_folder(tmp_path_factory.mktemp("zero123"), made)


def photo(side: int = 40) -> torch.Tensor:
    return torch.rand(side, side, 3, generator=torch.Generator().manual_seed(2))


def way(*values: float) -> list[torch.Tensor]:
    return [torch.tensor([value]) for value in values]


def answers(prior: Zero123) -> list[torch.Tensor]:
    told, untold = prior.embed_view(photo(), *way(0.2, 1.0, 0.1))
    latents = prior.encode(photo()[None])
    noise = [prior.predict(latents, torch.tensor([400]), each) for each in (told, untold)]
    return [*told, latents, *noise, prior.decode(latents)]


def test_a_folder_and_a_checkpoint_are_the_model_that_was_saved(made: Zero123, folder: Path, tmp_path: Path) -> None:
    assert isinstance(made, ViewPrior)
    tensors = {name: value.contiguous() for name, value in original_tensors(made).items()}
    save_file(tensors, tmp_path / "zero.safetensors")
    extra = {"betas": torch.zeros(9), "model_ema.decay": torch.zeros(())}
    torch.save({"state_dict": tensors | extra, "global_step": 7}, tmp_path / "zero.ckpt")
    for source in (folder, tmp_path / "zero.safetensors", tmp_path / "zero.ckpt"):
        read = Zero123.from_pretrained(source)
        torch.testing.assert_close(read.alphas_cumprod, made.alphas_cumprod)
        for own, other in zip(answers(made), answers(read), strict=True):
            torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


def test_the_averaged_weights_of_a_training_are_taken(made: Zero123, tmp_path: Path) -> None:
    tensors = original_tensors(made)
    averaged, unet = {"model_ema.decay": torch.zeros(())}, "model.diffusion_model."
    for name in [each for each in tensors if each.startswith(unet)]:
        averaged["model_ema." + name.removeprefix("model.").replace(".", "")] = tensors[name]
        tensors[name] = torch.zeros_like(tensors[name])
    torch.save({"state_dict": tensors | averaged}, tmp_path / "zero.ckpt")
    read = Zero123.from_pretrained(tmp_path / "zero.ckpt")
    torch.testing.assert_close(answers(read)[3], answers(made)[3], rtol=1e-4, atol=1e-5)


class Callback:
    """Of a training library, as checkpoints keep them: no tensor."""


def test_what_a_training_kept_beside_the_tensors_does_not_matter(made: Zero123, tmp_path: Path) -> None:
    content = {"state_dict": original_tensors(made), "callbacks": {Callback: {"best": Callback()}}}
    torch.save(content, tmp_path / "zero.ckpt")
    read = Zero123.from_pretrained(tmp_path / "zero.ckpt")
    torch.testing.assert_close(read.encode(photo()[None]), made.encode(photo()[None]), rtol=1e-4, atol=1e-5)


def test_it_is_told_of_the_way_and_of_the_photo_or_of_nothing(made: Zero123) -> None:
    (told, shown), (untold, blank) = made.embed_view(photo(), *way(0.3, 1.1, 0.25))
    small = functional.interpolate(photo().permute(2, 0, 1)[None], (32, 32), mode="bicubic", antialias=True)
    mean, deviation = (torch.tensor(each)[:, None, None] for each in (MEAN, DEVIATION))
    features = made.image_encoder((small.clamp(0, 1) - mean) / deviation).image_embeds
    numbers = torch.tensor([[-0.3, math.sin(1.1), math.cos(1.1), 0.25]])
    expected = torch.cat((features, numbers), dim=1) @ made.linear.weight.T + made.linear.bias
    torch.testing.assert_close(told, expected[:, None], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(shown * 0.18215, made.encode(photo()[None]))
    assert not untold.any() and not blank.any()


def test_stable_zero123_is_told_the_polar_angle_of_the_photo(made: Zero123) -> None:
    stable = tiny_zero123(photo_elevation=0.4)
    (told, _), _ = stable.embed_view(photo(), *way(0.3, 1.1, 0.25))
    (same, _), _ = made.embed_view(photo(), *way(0.3, 1.1, 0.5 * math.pi - 0.4))
    torch.testing.assert_close(told, same)


def test_gradients_reach_the_view_and_each_number_matters(made: Zero123) -> None:
    view = photo(24)[None].requires_grad_()
    noise, times = torch.randn(1, 4, 32, 32, generator=torch.Generator().manual_seed(0)), torch.tensor([500])
    found = []
    for numbers in ((0.0, 0.0, 0.0), (0.5, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 0.5)):
        told = made.embed_view(photo(), *way(*numbers))
        one = score_distillation(made, made.encode(view), *told, timesteps=times, noise=noise)
        found.append(torch.autograd.grad(one.loss, view)[0])
    assert all(bool(each.any()) for each in found)
    assert all(not torch.allclose(found[0], each, rtol=1e-4) for each in found[1:])


def test_a_velocity_is_turned_into_noise(made: Zero123) -> None:
    velocity = tiny_zero123(prediction="v_prediction")
    told, _ = made.embed_view(photo(), *way(0.0, 0.0, 0.0))
    latents, times = made.encode(photo()[None]), torch.tensor([600])
    kept = made.alphas_cumprod[600]
    expected = kept.sqrt() * made.predict(latents, times, told) + (1 - kept).sqrt() * latents
    torch.testing.assert_close(velocity.predict(latents, times, told), expected)


def test_what_does_not_serve_is_a_sentence(made: Zero123, folder: Path, tmp_path: Path) -> None:
    def refused(source: Any, sentence: str) -> None:
        with pytest.raises(InputError, match=sentence):
            Zero123.from_pretrained(source)

    refused(tmp_path / "nothing", "neither the folder .* nor OWNER/NAME .*hf download ashawkey/zero123-xl-diffusers")
    refused(tmp_path / "nothing.ckpt", "give a checkpoint of Zero-1-to-3")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.ckpt")
    refused(tmp_path / "other.ckpt", r"other\.ckpt holds no Zero-1-to-3")
    tensors = {name: value for name, value in original_tensors(made).items() if "resblocks.1.ln_2" not in name}
    torch.save({"state_dict": tensors}, tmp_path / "part.ckpt")
    refused(tmp_path / "part.ckpt", "does not hold a whole Zero-1-to-3")
    part = tmp_path / "part"
    shutil.copytree(folder, part)
    shutil.rmtree(part / "clip_camera_projection")
    refused(part, "has no folder clip_camera_projection: give a Zero-1-to-3 in the layout of diffusers")
    text = tiny_prior()
    with pytest.raises(InputError, match="U-Net of 4 channels, and a view beside the photo has 8"):
        Zero123(text.vae, text.unet, made.image_encoder, made.projection, made.scheduler)
    with pytest.raises(InputError, match="projects 7 numbers to 5, and its parts need 20 to 16"):
        Zero123(made.vae, made.unet, made.image_encoder, torch.nn.Linear(7, 5), made.scheduler)
