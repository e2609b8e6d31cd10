"""Which photos are measured, and with which other view of the object each is paired (the release's protocol)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

SEED, LIMIT = 1234, 8000
"""As published; the limit is that of Pix2NeRF (Cai et al. 2022)."""


@dataclass(frozen=True, eq=False)
class EvaluatedViews:
    """Photos of a split, in order, and what each is paired with.

    Attributes:
        numbers: of the photos in the split.
        other: of several views per object, the number of another view of the same one; else a place among the photos.
        latents: of the samples of the generation metric, one for each photo.
    """

    numbers: Int64[Tensor, " n"]
    other: Int64[Tensor, " n"]
    latents: Float[Tensor, "n z"]


def evaluated_views(
    train: int,
    test: int | None,
    *,
    views: int,
    test_views: int | None,
    repeats: bool,
    latent_dim: int,
    limit: int = LIMIT,
    seed: int = SEED,
    same_view: bool = True,
) -> tuple[EvaluatedViews, EvaluatedViews | None]:
    """What is measured of the training and of the test photos.

    Args:
        train: photos for training.
        test: photos for tests; None where there are none.
        views: pictures of each training object.
        test_views: of each test object.
        repeats: whether training photos are drawn even where all are taken, as of ImageNet.
        latent_dim: numbers of a latent.
        limit: photos at most.
        same_view: compare places with numbers of views, as the release does, of the views that are measured: a view may
            then be paired with itself. Else it is another view of the object wherever it has another.
    """
    draws = torch.Generator().manual_seed(seed)
    numbers = _some(train, limit, draws, always=repeats)
    other = _paired(numbers, views, draws, True)
    test_numbers = test_other = None
    if test is not None and test_views is not None:
        test_numbers = _some(test, limit, draws)
        test_other = _paired(test_numbers, test_views, draws, True)
    draws.manual_seed(seed)
    found = EvaluatedViews(numbers, other, torch.randn(len(numbers), latent_dim, generator=draws))
    apart = torch.Generator().manual_seed(seed + 1)  # the same photos and latents are measured either way
    if not same_view:
        found = replace(found, other=_paired(numbers, views, apart, False, train))
    if test_numbers is None or test_other is None:
        return found, None
    latents = torch.randn(len(test_numbers), latent_dim, generator=draws)
    if not same_view and test_views is not None:
        test_other = _paired(test_numbers, test_views, apart, False, test or 0)
    return found, EvaluatedViews(test_numbers, test_other, latents)


def _some(count: int, limit: int, draws: torch.Generator, *, always: bool = False) -> Int64[Tensor, " n"]:
    """At most so many numbers, drawn where there are more, in order."""
    if count > limit or always:
        return torch.randperm(count, generator=draws)[:limit].sort().values
    return torch.arange(count)


def _paired(
    numbers: Int64[Tensor, " n"], views: int, draws: torch.Generator, same_view: bool, photos: int = 0
) -> Int64[Tensor, " n"]:
    """Of each photo another: as the release does among those that are measured, else among all `photos`."""
    if views == 1:
        return torch.randperm(len(numbers), generator=draws)
    own: dict[int, list[int]] = {}
    for number in numbers.tolist() if same_view else range(photos):
        own.setdefault(number // views, []).append(number)
    return torch.tensor([_another(number, own[number // views], draws, same_view) for number in numbers.tolist()])


def _another(number: int, listed: list[int], draws: torch.Generator, same_view: bool) -> int:
    if len(listed) == 1:
        return listed[0]
    while True:
        place = int(torch.randint(len(listed), (1,), generator=draws))
        if (place if same_view else listed[place]) != number:
            return listed[place]
