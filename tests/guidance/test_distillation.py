"""Score distillation against closed forms: a prior that knows one picture of a text."""

from __future__ import annotations

import pytest
import torch
from tests.guidance.priors import PointPrior

from monoform.errors import InputError
from monoform.guidance import DiffusionPrior, GuidanceOptions, add_noise, score_distillation
from monoform.guidance.distillation import draw_timesteps, guided_noise, perpendicular

CAT, DOG, HAT = (torch.rand(4, 8, 8, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
PRIOR = PointPrior({"a cat": CAT, "a dog": DOG, "a hat": HAT})


def latents(count: int = 2) -> torch.Tensor:
    return torch.rand(count, 4, 8, 8, generator=torch.Generator().manual_seed(9)).requires_grad_()


def told(text: str, count: int = 2) -> torch.Tensor:
    return PRIOR.embed([text] * count)


def test_a_prior_is_known_by_its_parts() -> None:
    assert isinstance(PRIOR, DiffusionPrior)
    assert not isinstance(object(), DiffusionPrior)


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [("variance", lambda a: 1 - a), ("uniform", lambda a: 1.0), ("product", lambda a: a**0.5 * (1 - a))],
)
def test_the_gradient_leads_to_the_picture(weighting: str, expected) -> None:
    """e_hat - e = sqrt(abar / (1 - abar)) (z - z_text), where the text has a scale of one."""
    z, times = latents(), torch.tensor([100, 900])
    found = score_distillation(
        PRIOR,
        z,
        told("a cat"),
        told(""),
        options=GuidanceOptions(scale=1.0, weighting=weighting),
        generator=torch.Generator().manual_seed(0),
        timesteps=times,
    )
    for row, kept in enumerate(PRIOR.alphas_cumprod[times].tolist()):
        true = expected(kept) * (kept / (1 - kept)) ** 0.5 * (z[row] - CAT)
        torch.testing.assert_close(found.gradient[row], true.detach(), rtol=1e-3, atol=1e-4)


def test_guidance_goes_beyond_the_text() -> None:
    """e = e_u + s (e_c - e_u): with a scale of 3, away from what no text shows (black) by twice the way more."""
    z, times = latents(), torch.tensor([300, 300])
    noise = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    options = GuidanceOptions(scale=3.0, weighting="uniform")
    found = score_distillation(PRIOR, z, told("a cat"), told(""), options=options, timesteps=times, noise=noise)
    kept = PRIOR.alphas_cumprod[300]
    true = (kept / (1 - kept)) ** 0.5 * (z - 3 * CAT)
    torch.testing.assert_close(found.gradient, true.detach(), rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found.noisy, add_noise(PRIOR, z, noise, times).detach())


def test_the_loss_carries_the_gradient_and_nothing_else() -> None:
    z = latents()
    found = score_distillation(PRIOR, z, told("a cat"), told(""), generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(0.25 * found.loss + z.sum(), z)
    torch.testing.assert_close(gradient, 0.25 * found.gradient + 1)
    torch.testing.assert_close(found.loss.detach(), found.gradient.abs().mean())


def test_the_same_generator_gives_the_same() -> None:
    first, again, other = (
        score_distillation(PRIOR, latents(), told("a cat"), told(""), generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.gradient, again.gradient) and torch.equal(first.timesteps, again.timesteps)
    assert not torch.equal(first.gradient, other.gradient)


def test_timesteps_are_those_between_both_ends() -> None:
    drawn = draw_timesteps(PRIOR, 4000, (0.5, 0.505), torch.Generator().manual_seed(0))
    assert sorted(set(drawn.tolist())) == [500, 501, 502, 503, 504, 505]
    whole = draw_timesteps(PRIOR, 200_000, (0.0, 1.0), torch.Generator().manual_seed(0))
    assert (int(whole.min()), int(whole.max())) == (0, 999)


def test_what_is_not_finite_is_left_out() -> None:
    class Broken(PointPrior):
        def predict(self, latents, timesteps, embeddings):
            found = super().predict(latents, timesteps, embeddings)
            found[:, 0] = torch.nan
            return found

    found = score_distillation(
        Broken({"a cat": CAT}), latents(), told("a cat"), told(""), generator=torch.Generator().manual_seed(0)
    )
    assert bool((found.gradient[:, 0] == 0).all()) and bool((found.gradient[:, 1:] != 0).any())


def test_a_negative_text_acts_only_across_the_text_itself() -> None:
    z, times = latents().detach(), torch.tensor([500, 500])
    plain, (without, with_text) = guided_noise(PRIOR, z, times, told("a cat"), told(""), 7.5)
    same = (told("a cat"), torch.tensor([[-1.0, -1.0]]))
    torch.testing.assert_close(
        guided_noise(PRIOR, z, times, told("a cat"), told(""), 7.5, same)[0], plain, rtol=1e-4, atol=1e-4
    )
    two = (torch.cat((told("a dog"), told("a hat"))), torch.tensor([[-1.0, 0.0], [0.0, -0.5]]))
    moved = guided_noise(PRIOR, z, times, told("a cat"), told(""), 7.5, two)[0] - plain
    toward = with_text - without
    for row, text, weight in ((0, "a dog", -1.0), (1, "a hat", -0.5)):
        other = PRIOR.predict(z, times, told(text)) - without
        torch.testing.assert_close(moved[row], 7.5 * weight * perpendicular(other, toward)[row], rtol=1e-3, atol=1e-3)
    assert float((moved * toward).sum((1, 2, 3)).abs().max()) < 1e-3 * float(moved.norm() * toward.norm())


def test_conditions_of_several_tensors_are_judged_alike() -> None:
    """A prior that is told of views by tokens and a picture."""

    class Views(PointPrior):
        def predict(self, latents, timesteps, embeddings):
            tokens, picture = embeddings
            return super().predict(latents, timesteps, tokens + picture.flatten(1)[:, None])

    picture = torch.zeros(2, 4, 8, 8)
    z, times, noise = latents(), torch.tensor([10, 20]), torch.zeros(2, 4, 8, 8)
    both = [(told(text), picture) for text in ("a cat", "")]
    found = score_distillation(Views({"a cat": CAT}), z, *both, timesteps=times, noise=noise)
    plain = score_distillation(PRIOR, z, told("a cat"), told(""), timesteps=times, noise=noise)
    assert torch.equal(found.gradient, plain.gradient)


@pytest.mark.parametrize(
    "wrong", [{"timesteps": (0.9, 0.1)}, {"timesteps": (0, 1.5)}, {"weighting": "x"}, {"scale": -1}]
)
def test_options_out_of_range_are_a_sentence(wrong) -> None:
    with pytest.raises(InputError, match="guidance's"):
        GuidanceOptions(**wrong)
