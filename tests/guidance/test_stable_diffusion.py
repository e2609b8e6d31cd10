"""Stable Diffusion as a prior, on models of a few thousand numbers in diffusers' own classes and layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from tests.tiny_diffusion import save_tiny, tiny_prior

from monoform.errors import InputError
from monoform.guidance import DiffusionPrior, add_noise, score_distillation
from monoform.guidance.stable_diffusion import StableDiffusion


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("model"))


def images(count: int = 1, side: int = 24) -> torch.Tensor:
    return torch.rand(count, side, side, 3, generator=torch.Generator().manual_seed(0))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_folder_is_the_model_that_was_saved(folder: Path) -> None:
    made, read = tiny_prior(), StableDiffusion.from_pretrained(folder, image_size=64)
    assert isinstance(read, DiffusionPrior)
    torch.testing.assert_close(read.alphas_cumprod, made.alphas_cumprod)
    told = made.embed(["a cat, front view", ""])
    torch.testing.assert_close(read.embed(["a cat, front view", ""]), told)
    latents, times = made.encode(images(2), generator=seeded()), torch.tensor([10, 900])
    torch.testing.assert_close(read.encode(images(2), generator=seeded()), latents)
    torch.testing.assert_close(read.predict(latents, times, told), made.predict(latents, times, told))


def test_its_own_size_is_that_of_its_latents(folder: Path) -> None:
    prior = StableDiffusion.from_pretrained(folder)
    assert prior.image_size == 64  # 8 latents of 8 pixels
    assert prior.encode(images()).shape == (1, 4, 8, 8)
    assert tiny_prior(image_size=32).encode(images()).shape == (1, 4, 4, 4)


def test_gradients_reach_the_picture() -> None:
    prior, seen = tiny_prior(), images().requires_grad_()
    told = prior.embed(["a cat"]), prior.embed([""])
    latents = prior.encode(seen, generator=seeded())
    found = score_distillation(prior, latents, *told, generator=seeded())
    found.loss.backward()
    assert seen.grad is not None and bool((seen.grad != 0).all())
    assert not any(parameter.requires_grad for parameter in prior.vae.parameters())


def test_a_latent_is_drawn_around_its_mean() -> None:
    prior = tiny_prior()
    mean = prior.encode(images())
    draws = torch.cat([prior.encode(images(), generator=seeded(seed)) for seed in range(200)])
    spread = draws.std(dim=0)
    assert float(((draws.mean(dim=0) - mean[0]).abs() / spread).max()) < 6 / 200**0.5
    noise = torch.randn(mean.shape, generator=seeded())
    torch.testing.assert_close(prior.encode(images(), noise=noise), prior.encode(images(), generator=seeded()))


@pytest.mark.parametrize("width", [512, 768, 1024])
def test_text_encoders_of_every_width(width: int) -> None:
    prior = tiny_prior(width=width)
    assert prior.embed(["a cat"]).shape == (1, 77, width)
    assert prior.predict(torch.zeros(1, 4, 8, 8), torch.tensor([5]), prior.embed([""])).shape == (1, 4, 8, 8)


def test_a_velocity_is_turned_into_noise() -> None:
    """v = sqrt(abar) e - sqrt(1 - abar) z0, z = sqrt(abar) z0 + sqrt(1 - abar) e: e is found again (Salimans 2022)."""
    prior = tiny_prior(prediction="v_prediction")
    clean, noise = (torch.randn(2, 4, 8, 8, generator=seeded(seed)) for seed in (0, 1))
    times = torch.tensor([50, 950])
    kept = prior.alphas_cumprod[times][:, None, None, None]

    class Velocity(torch.nn.Module):
        dtype = torch.float32

        def forward(self, latents, timesteps, encoder_hidden_states):
            return type("Output", (), {"sample": kept.sqrt() * noise - (1 - kept).sqrt() * clean})

    prior.unet = Velocity()
    found = prior.predict(add_noise(prior, clean, noise, times), times, prior.embed(["a cat"] * 2))
    torch.testing.assert_close(found, noise, rtol=1e-4, atol=1e-4)


def test_score_distillation_of_a_velocity_is_that_of_its_noise() -> None:
    plain, velocity = tiny_prior(), tiny_prior(prediction="v_prediction")
    latents, noise, times = torch.rand(1, 4, 8, 8), torch.randn(1, 4, 8, 8, generator=seeded()), torch.tensor([600])
    told = plain.embed(["a cat"]), plain.embed([""])
    found = score_distillation(velocity, latents, *told, timesteps=times, noise=noise)
    kept = plain.alphas_cumprod[600]
    noisy = add_noise(plain, latents, noise, times)
    without, with_text = (
        kept.sqrt() * plain.predict(noisy, times, text) + (1 - kept).sqrt() * noisy for text in reversed(told)
    )
    true = (1 - kept) * (without + 100 * (with_text - without) - noise)
    torch.testing.assert_close(found.gradient, true, rtol=1e-4, atol=1e-4)


def test_score_distillation_of_an_exact_velocity_leads_to_the_picture() -> None:
    """A U-Net that knows the one picture x says v = (sqrt(abar) z - x) / sqrt(1 - abar), which makes the gradient
    (1 - abar) sqrt(abar / (1 - abar)) (z0 - x) whatever the noise.
    """
    prior, only = tiny_prior(prediction="v_prediction"), torch.rand(2, 4, 8, 8, generator=seeded(5))

    class Exact(torch.nn.Module):
        dtype = torch.float32

        def forward(self, latents, timesteps, encoder_hidden_states):
            kept, picture = prior.alphas_cumprod[timesteps][:, None, None, None], only.repeat(2, 1, 1, 1)
            return type("Output", (), {"sample": (kept.sqrt() * latents - picture) / (1 - kept).sqrt()})

    prior.unet = Exact()
    latents, times = torch.rand(2, 4, 8, 8, generator=seeded(6)), torch.tensor([100, 900])
    told = prior.embed(["a cat"] * 2), prior.embed([""] * 2)
    found = score_distillation(prior, latents, *told, timesteps=times, generator=seeded())
    kept = prior.alphas_cumprod[times][:, None, None, None]
    torch.testing.assert_close(found.gradient, (kept * (1 - kept)).sqrt() * (latents - only), rtol=1e-3, atol=1e-4)


def test_weights_in_bfloat16_answer_nearly_the_same(folder: Path) -> None:
    single, half = (StableDiffusion.from_pretrained(folder, dtype=kind) for kind in (torch.float32, torch.bfloat16))
    assert half.dtype == torch.bfloat16 and half.vae.dtype == torch.bfloat16
    answers = []
    for prior in (single, half):
        latents = prior.encode(images(), noise=torch.zeros(1, 4, 8, 8))
        assert latents.dtype == torch.float32
        answers.append((latents, prior.predict(latents, torch.tensor([300]), prior.embed(["a cat"]))))
    for exact, rough in zip(*answers, strict=True):
        assert 0 < float((exact - rough).norm() / exact.norm()) < 0.05


def test_layers_that_are_brought_one_by_one_answer_the_same(folder: Path) -> None:
    whole = StableDiffusion.from_pretrained(folder)
    parts = StableDiffusion.from_pretrained(folder, offload=True)
    latents, told = torch.rand(1, 4, 8, 8), whole.embed(["a cat"])
    assert {parameter.device.type for parameter in parts.unet.parameters()} == {"meta"}
    for _ in range(2):
        expected = whole.predict(latents, torch.tensor([7]), told)
        torch.testing.assert_close(parts.predict(latents, torch.tensor([7]), told), expected)


def test_pictures_of_texts() -> None:
    prior = tiny_prior()
    made = prior.pictures(["a cat", "a hat"], generator=seeded(), steps=3)
    assert made.shape == (2, 64, 64, 3) and 0 <= float(made.min()) <= float(made.max()) <= 1
    assert torch.equal(made, prior.pictures(["a cat", "a hat"], generator=seeded(), steps=3))
    for other in ({"steps": 4}, {"scale": 2.0}, {"negative": "a dog"}):
        assert not torch.equal(made, prior.pictures(["a cat", "a hat"], generator=seeded(), **{"steps": 3, **other}))


def test_deterministic_sampling_leads_to_the_only_picture() -> None:
    """Where the noise is known exactly, every number of steps ends at the one latent that there is."""
    prior, only = tiny_prior(), torch.rand(1, 4, 8, 8, generator=seeded(5))

    class Exact(torch.nn.Module):
        dtype = torch.float32

        def forward(self, latents, timesteps, encoder_hidden_states):
            kept = prior.alphas_cumprod[timesteps][:, None, None, None]
            return type("Output", (), {"sample": (latents - kept.sqrt() * only) / (1 - kept).sqrt()})

    prior.unet = Exact()
    expected = prior.decode(only)
    for steps in (2, 7):
        made = prior.pictures(["a cat"], generator=seeded(), steps=steps)
        torch.testing.assert_close(made, expected, rtol=1e-3, atol=1e-3)


def test_what_is_missing_is_a_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither the folder.*hf download.*give DIR"):
        StableDiffusion.from_pretrained(tmp_path / "nothing")
    part = tmp_path / "part"
    shutil.copytree(folder, part)
    shutil.rmtree(part / "unet")
    with pytest.raises(InputError, match="has no folder unet"):
        StableDiffusion.from_pretrained(part)
    (part / "unet").mkdir()
    with pytest.raises(InputError, match=r"The part unet of the diffusion model .* cannot be had"):
        StableDiffusion.from_pretrained(part)


def test_a_repository_is_not_fetched_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONOFORM_OFFLINE", "1")
    with pytest.raises(InputError, match=r"somebody/nothing cannot be had .*hf download"):
        StableDiffusion.from_pretrained("somebody/nothing")


def test_parts_that_do_not_fit_are_a_sentence() -> None:
    with pytest.raises(InputError, match=r"predicts 'sample'"):
        tiny_prior(prediction="sample")
    narrow, wide = tiny_prior(), tiny_prior(width=32)
    with pytest.raises(InputError, match="texts of width 16, and its text encoder makes 32"):
        StableDiffusion(narrow.vae, narrow.unet, wide.text_encoder, narrow.tokenizer, narrow.scheduler)
    with pytest.raises(InputError, match="image_size is 60"):
        tiny_prior(image_size=60)


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(InputError, match=r"pip install 'monoform\[diffusion\]'"):
        StableDiffusion.from_pretrained(folder)
