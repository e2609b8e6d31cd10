"""Losses, schedules and steps of bootstrapped inversion's training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.methods.bootstrap.test_generator import cameras, tiny

from monoform.methods.bootstrap import BootstrapConfig, BootstrapGenerator, preset
from monoform.methods.bootstrap.cameras import published_numbers
from monoform.methods.bootstrap.config import Rays, Training
from monoform.methods.bootstrap.discriminator import BootstrapDiscriminator, discriminator_of
from monoform.methods.bootstrap.encoder import Encoded
from monoform.methods.bootstrap.losses import encoder_terms, moved_mean, real_images, total
from monoform.methods.bootstrap.schedules import (
    AverageDecay,
    augment_probability,
    encoder_rate,
    ramp,
    rate_factor,
    real_blur,
)
from monoform.methods.bootstrap.steps import Chance, GanSteps, Views

COUNT = 2


def config_of(**training: Any) -> BootstrapConfig:
    small = tiny()
    return replace(
        small, rays=Rays(4, 4), training=replace(small.training, **{"warmup": 12_500, "path_warmup": 2000, **training})
    )


def steps_of(config: BootstrapConfig) -> GanSteps:
    torch.manual_seed(0)
    return GanSteps(BootstrapGenerator(config), BootstrapDiscriminator(discriminator_of(config)))


def views() -> Views:
    return Views(*published_numbers(cameras(COUNT)))


def chance(seed: int = 0) -> Chance:
    return Chance(torch.Generator().manual_seed(seed))


def latents(seed: int = 0) -> torch.Tensor:
    return torch.randn(COUNT, 8, generator=torch.Generator().manual_seed(seed))


def test_pretraining_makes_spheres_that_fit_the_cube() -> None:
    steps = steps_of(config_of())
    adam = torch.optim.Adam(steps.net.parameters(), 0.0025)
    seen = []
    for number in range(5):
        terms = steps.pretraining_terms(latents(number), chance(number))
        adam.zero_grad()
        total(terms).backward()
        adam.step()
        seen.append(float(terms["sphere"].detach()))
    assert seen[-1] < 0.9 * seen[0]
    small, large = (steps.pretraining_terms(latents(), chance(), radius=each)["sphere"] for each in (None, 1.0))
    assert not torch.equal(small, large), "a cube of half side 0.55 has no room for a sphere of radius 1"


def test_terms_of_the_generator_rise_with_the_iterations() -> None:
    steps = steps_of(config_of())
    found = [steps.generator_terms(latents(), views(), each, None, chance()) for each in (0, 1000, 12500, 20000)]
    terms = [each for each, _ in found]
    for name in ("total_variation", "entropy"):
        first, early, full, later = (float(each[name].detach()) for each in terms)
        assert first == 0 and full > 0
        assert early == pytest.approx(full * 1000 / 12500, rel=1e-5) and later == pytest.approx(full)
    assert [float(each["path_length"].detach()) > 0 for each in terms] == [False, True, True, True]
    assert torch.equal(terms[0]["score"], terms[3]["score"]) and torch.equal(terms[0]["eikonal"], terms[3]["eikonal"])
    mean = found[0][1]
    assert mean is not None
    again = steps.generator_terms(latents(), views(), 0, 2 * mean, chance())[1]
    assert again == pytest.approx(0.99 * 2 * mean + 0.01 * mean)
    assert moved_mean(None, torch.tensor([1.0, 3.0])) == 2


def test_a_weight_of_nothing_leaves_the_path_out_and_all_networks_learn() -> None:
    steps = steps_of(config_of(path_length=0.0, alpha=False))
    terms, mean = steps.generator_terms(latents(), views(), 13_000, None, chance())
    assert "path_length" not in terms and mean is None
    total(terms).backward()
    moved = [name for name, each in steps.net.named_parameters() if each.grad is not None and bool(each.grad.any())]
    for part in ("alpha", "beta", "mapping_network", "synthesis_network", "decoder", "texture_mapper"):
        assert any(name.startswith(part) for name in moved), part


def test_second_derivatives_that_are_asked_for_now_and_then_count_more() -> None:
    plain, lazy = (steps_of(config_of(lazy=each)) for each in (1, 4))
    real = torch.rand(COUNT, 3, 8, 8)
    for first in (13_000, 13_008):
        found = [
            [each.generator_terms(latents(), views(), first + later, 1.0, chance())[0] for later in (0, 2, 4, 6)]
            for each in (plain, lazy)
        ]
        assert ["path_length" in each for each in found[1]] == [
            first + later in (13_000, 13_008) for later in (0, 2, 4, 6)
        ]
        torch.testing.assert_close(found[1][0]["path_length"], 4 * found[0][0]["path_length"])
        assert torch.equal(found[1][1]["score"], found[0][1]["score"])
    judged = [
        [each.discriminator_terms(latents(), views(), real, views(), 1 + later, chance())[0] for later in (0, 2, 8)]
        for each in (plain, lazy)
    ]
    assert ["penalty" in each for each in judged[1]] == [True, False, True]
    torch.testing.assert_close(judged[1][0]["penalty"], 4 * judged[0][0]["penalty"])
    assert torch.equal(judged[1][1]["real"], judged[0][1]["real"])


def test_samples_without_a_share_of_their_pixel_may_be_left_out() -> None:
    """What is seen moves by no more than the shares left out, of all samples of a ray, times the colors' range."""
    all_, most = (steps_of(config_of(least=each)) for each in (0.0, 1e-3))
    ws = all_.net.styles(all_.net.map(latents()))
    planes, palette = all_.net.planes(ws), all_.net.palette(ws)
    whole, quick = (each.seen(ws, views(), chance(), planes, palette) for each in (all_, most))
    samples = all_.net.config.rays.coarse + all_.net.config.rays.fine
    assert 0 < float((whole - quick).detach().abs().max()) < 2 * samples * 1e-3
    most.generator_terms(latents(), views(), 0, None, chance())[0]["score"].backward()
    assert any(bool(each.grad.any()) for each in most.net.synthesis_network.parameters() if each.grad is not None)


def test_the_discriminator_learns_to_tell_real_images_and_hands_nothing_to_the_generator() -> None:
    steps = steps_of(config_of(r1=0.1))
    real = torch.rand(COUNT, 3, 8, 8) * 0.2 - 1
    adam = torch.optim.Adam(steps.judge.parameters(), 0.002, betas=(0.0, 0.99))
    seen = []
    for number in range(12):
        terms, score = steps.discriminator_terms(latents(number), views(), real, views(), 13_001, chance(number))
        assert score.shape == (COUNT, 1)
        adam.zero_grad()
        total(terms).backward()
        adam.step()
        seen.append(float((terms["real"] + terms["fake"]).detach()))
    assert seen[-1] < 0.95 * seen[0]
    assert all(each.grad is None for each in steps.net.parameters())
    twice = steps_of(config_of(r1=0.2)).discriminator_terms(latents(), views(), real, views(), 13_001, chance())[0]
    once = steps_of(config_of(r1=0.1)).discriminator_terms(latents(), views(), real, views(), 13_001, chance())[0]
    torch.testing.assert_close(twice["penalty"], 2 * once["penalty"])


def test_the_opacity_is_seen_where_it_is_asked_for() -> None:
    small = config_of()
    natural = replace(small, scene=replace(small.scene, white=False), training=replace(small.training, alpha=True))
    steps = steps_of(natural)
    images = torch.rand(COUNT, 4, 8, 8)
    terms, _ = steps.discriminator_terms(latents(), views(), images, views(), 0, chance())
    assert bool(total(terms).isfinite())
    with torch.no_grad():
        ws = steps.net.styles(steps.net.map(latents()))
        shown = steps.seen(ws, views(), chance(), steps.net.planes(ws), steps.net.palette(ws))
    assert shown.shape == (COUNT, 4, 8, 8) and float(shown[:, 3].min()) >= 0 and float(shown[:, 3].max()) <= 1.0001


def test_real_images_are_blurred_on_their_background_until_details_count() -> None:
    white = torch.ones(1, 3, 16, 16)
    torch.testing.assert_close(real_images(white, 0, Training(), white=True), white)
    assert float(real_images(white, 0, Training(), white=False).min()) < 0.9
    photo = torch.rand(1, 3, 16, 16)
    assert float(real_images(photo, 6000, Training(), white=True).std()) < float(photo.std())
    torch.testing.assert_close(real_images(photo, 12_500, Training(), white=True), photo)


def test_schedules_begin_and_end_as_published() -> None:
    assert [ramp(each, Training().warmup) for each in (0, 6250, 12_500, 90_000)] == [0, 0.5, 1, 1]
    assert ramp(0, 0) == 1
    assert real_blur(0, Training()) == 10 and real_blur(12_500, Training()) == 0
    assert [rate_factor(each, Training().rate_warmup) for each in (0, 1, 1000, 2000, 9000)] == pytest.approx(
        [0.1, 0.1, 0.55, 1, 1]
    )
    assert AverageDecay()(10_000) == pytest.approx(0.99778, abs=1e-5)
    assert AverageDecay()(1000) == pytest.approx(AverageDecay()(10_000) ** 10)
    assert [encoder_rate(120_000)(each) for each in (0, 59_999, 60_000)] == pytest.approx([1, 1, 0.1])


def test_augmentation_adapts_within_its_range() -> None:
    training = Training(augment=0.8, ada_target=0.6, batch=32)
    sure = [augment_probability(each, 12_503, 1.0, training) for each in (0.0, 0.8)]
    assert sure == [32 * 4 / 500_000, 0.8]
    assert augment_probability(0.1, 12_504, 1.0, training) == 0.1
    assert augment_probability(0.1, 12_503, 0.6, training) == 0.1
    assert augment_probability(0.0, 12_503, -1.0, training) == 0.0
    assert augment_probability(0.5, 12_495, 1.0, training) == 0.0
    fixed = replace(training, ada_target=None)
    assert [augment_probability(0.0, each, 0.0, fixed) for each in (100, 12_500)] == [0.8, 0.8]
    off = preset("shapenet_cars").training
    assert augment_probability(0.0, 20_000, 1.0, off) == 0.0


def test_the_encoder_is_held_to_what_renders_are_made_of() -> None:
    coordinates, mask, latent = torch.randn(2, 4, 4, 3), torch.rand(2, 4, 4).round(), torch.randn(2, 5)
    exact = encoder_terms(Encoded(coordinates, mask, latent[:, None]), coordinates, mask, latent)
    assert {name: float(each) for name, each in exact.items()} == {"coordinates": 0, "mask": 0, "latent": 0}
    elsewhere = coordinates + (1 - mask)[..., None] * 9
    assert (
        float(encoder_terms(Encoded(elsewhere, mask, latent[:, None]), coordinates, mask, latent)["coordinates"]) == 0
    )
    shifted = coordinates + torch.tensor([3.0, 0.0, 4.0])
    off = encoder_terms(Encoded(shifted, 1 - mask, latent[:, None] + 2), coordinates, mask, latent)
    assert float(off["coordinates"]) == pytest.approx(5 * float(mask.mean()), rel=1e-5)
    assert float(off["mask"]) == 1 and float(off["latent"]) == pytest.approx(4, rel=1e-5)
    assert list(encoder_terms(Encoded(None, None, latent[:, None]), coordinates, mask, latent)) == ["latent"]
    assert list(encoder_terms(Encoded(coordinates, mask, None), coordinates, mask, latent)) == ["coordinates", "mask"]
