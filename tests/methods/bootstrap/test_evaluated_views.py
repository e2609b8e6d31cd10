"""Which views are measured, and with which other view each is paired; figures of a picture."""

from __future__ import annotations

import pytest
import torch

from monoform.methods.bootstrap.evaluated_views import evaluated_views
from monoform.methods.bootstrap.image_scores import capped_psnr, opacity_iou, similarity


def views(**more) -> dict:
    return {"views": 3, "test_views": 4, "repeats": False, "latent_dim": 2, "limit": 40, **more}


def test_only_the_release_pairs_a_view_with_itself() -> None:
    """The numbers of the first object's views are their places, so that its views alone are told apart there."""
    _, published = evaluated_views(12, 200, **views())
    _, ours = evaluated_views(12, 200, **views(), same_view=False)
    assert len(published.numbers) == len(ours.numbers) == 40 and torch.equal(published.numbers, ours.numbers)
    for found in (published, ours):
        assert torch.equal(found.numbers // 4, found.other // 4)
    assert set(published.other.tolist()) <= set(published.numbers.tolist())
    owners = (ours.numbers // 4).tolist()
    several = torch.tensor([owners.count(owner) > 1 for owner in owners])
    assert bool((ours.other != ours.numbers).all()) and not bool(several.all())
    assert bool((published.other == published.numbers)[several].any())
    alone, _ = evaluated_views(3, None, **views(views=1, test_views=None), same_view=False)
    assert sorted(alone.other.tolist()) == [0, 1, 2]


def test_the_same_is_drawn_again_and_never_more_than_the_limit() -> None:
    first, none = evaluated_views(50, None, **views(views=1, test_views=None))
    again, _ = evaluated_views(50, None, **views(views=1, test_views=None))
    assert none is None and torch.equal(first.latents, again.latents) and torch.equal(first.other, again.other)
    assert first.numbers.tolist() == sorted(set(first.numbers.tolist())) and len(first.numbers) == 40
    assert sorted(first.other.tolist()) == list(range(40))
    other, _ = evaluated_views(50, None, **views(views=1, test_views=None), seed=1)
    assert not torch.equal(first.numbers, other.numbers)


def test_figures_of_a_picture() -> None:
    photo = torch.rand(8, 8, 3, generator=torch.Generator().manual_seed(0))
    assert capped_psnr(photo, photo) == 60 and similarity(photo, photo) == pytest.approx(1)
    assert capped_psnr(torch.full((8, 8, 3), 1.5), torch.full((8, 8, 3), 0.9)) == pytest.approx(20)
    half = torch.zeros(8, 8)
    half[:4] = 0.6
    assert opacity_iou(half, torch.ones(8, 8)) == pytest.approx(0.5)
    assert opacity_iou(torch.zeros(8, 8), torch.full((8, 8), 0.5)) == pytest.approx(1)
