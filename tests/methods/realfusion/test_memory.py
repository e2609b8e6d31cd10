"""A fit whose memory is scarce ends where one with plenty does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from tests.methods.realfusion.tiny_realfusion import NETWORK, ball, options, view
from tests.tiny_diffusion import tiny_prior

from monoform import Photo
from monoform.errors import InputError
from monoform.methods.realfusion.config import RealFusionOptions
from monoform.methods.realfusion.fit_options import Views, Weights
from monoform.methods.realfusion.guide import Guide
from monoform.methods.realfusion.infer import RealFusion
from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.photo_square import cut_square
from monoform.methods.realfusion.placed import PlacedField
from monoform.methods.realfusion.task import FitTask

HEAVY = 100  # points whose gradients are too many
GONE = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def asked(**more: Any) -> RealFusionOptions:
    views = Views(size=8, count=2, radius_range=(1.8, 1.8), fov_range=(50.0, 60.0), replace_every=0)
    own = {"views": views, "losses": Weights(smooth="0.1", entropy="0.1"), "prior_scale": 1e-2}
    return options(**(own | more))


def gradients(portion: int | None, prior: int | None, padded: bool) -> dict[str, torch.Tensor]:
    """Of all terms of a step, drawn in portions of rays and points, and judged in portions of pictures."""
    torch.manual_seed(0)
    field, given = RealFusionField(NETWORK), asked()
    given = replace(given, compat=replace(given.compat, padded_means=padded))
    square = cut_square(Photo.open(ball()), None, given, given.margin)
    guide = Guide(tiny_prior(), given)
    task = FitTask(field, square, given, {"prior": guide})
    task.rays.size = task.points.size = portion
    guide.portions.size = prior
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        task.before_step(0, generator)
    for loss, _ in task._loss(task.batch(0, generator), 0, generator):
        loss.backward()
    return {name: one.grad for name, one in field.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("padded", [False, True])
def test_gradients_in_portions_are_those_of_the_whole(padded: bool) -> None:
    whole, parts = gradients(None, None, padded), gradients(37, 1, padded)
    assert whole.keys() == parts.keys()
    for name, gradient in whole.items():
        assert float((gradient - parts[name]).norm()) < 1e-3 * float(gradient.norm()), name


class Heavy(torch.autograd.Function):
    """Nothing, but its gradient takes memory that is not there."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        if len(gradient) > HEAVY:
            raise GONE
        return gradient


def make_scarce(monkeypatch: pytest.MonkeyPatch, most: int) -> list[int]:
    """No more points than so many at once; gradients of fewer."""
    query, counts = RealFusionField.query, []

    def scarce(self: RealFusionField, points: torch.Tensor) -> Any:
        if len(points) > most:
            raise GONE
        density, albedo = query(self, points)
        counts.append(len(points))
        return Heavy.apply(density) if density.requires_grad else density, albedo

    monkeypatch.setattr(RealFusionField, "query", scarce)
    return counts


def test_a_fit_goes_on_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    fields = {}
    for name in ("plenty", "scarce"):
        if name == "scarce":
            counts = make_scarce(monkeypatch, 2 * HEAVY)
        given = asked(steps=3, ema_decay=0.0, losses=Weights(entropy="0.1"))
        made = RealFusion(given, prior=tiny_prior()).reconstruct([view()], generator=torch.Generator().manual_seed(3))
        assert isinstance(made.field, PlacedField)
        fields[name] = dict(made.field.net.named_parameters())
    assert 0 < max(counts) <= 2 * HEAVY
    assert len([each for each in caplog.records if " rays at once" in each.message]) == 1
    for name, tensor in fields["plenty"].items():
        # A gradient that is all but 0 may have either sign, and Adam follows signs.
        assert float(((tensor - fields["scarce"][name]).abs() > 1e-3).float().mean()) < 0.01, name


def test_a_fit_that_can_do_with_no_less_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    make_scarce(monkeypatch, 10)
    method = RealFusion(asked(steps=1), prior=tiny_prior())
    with pytest.raises(InputError, match=r"not enough memory for .* rays at once: lower views\.size"):
        method.reconstruct([view()], generator=torch.Generator().manual_seed(3))
