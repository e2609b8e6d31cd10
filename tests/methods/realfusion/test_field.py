"""The field: exact slopes, levels that are left out, and its normals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests.methods.realfusion.tiny_realfusion import NETWORK

from monoform.methods.realfusion.model import RealFusionField
from monoform.methods.realfusion.shading import normals, slope_by_differences
from monoform.nn.grid_lookup import look_up_plain


def field(**more: object) -> RealFusionField:
    torch.manual_seed(0)
    made = RealFusionField(replace(NETWORK, **more)).double()  # type: ignore[arg-type]
    made.encoder.embeddings.data.normal_()
    return made


def points(count: int = 40) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5


def test_the_exact_slope_is_that_of_autograd_and_so_is_what_it_asks_of_the_field() -> None:
    made, there, weight = field(), points(), torch.randn(40, 3, dtype=torch.float64)
    here = there.clone().requires_grad_()
    share = (here + made.config.bound) / (2 * made.config.bound)
    features = look_up_plain(share, made.encoder.embeddings, made.encoder.levels)
    logits = made.sigma_net(features)[:, 0].float().double() + made.blob(here)
    (expected,) = torch.autograd.grad(logits.sum(), here, create_graph=True)
    found = made.log_slope(there)
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-4)
    wanted = [made.encoder.embeddings, made.sigma_net.net[0].weight]
    ours, theirs = (torch.autograd.grad((each * weight).sum(), wanted) for each in (found, expected))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.abs().max()))


def test_differences_of_a_small_reach_are_the_exact_slope() -> None:
    made, there = field(normal_epsilon=1e-5), points(8)
    with torch.no_grad():
        exact = -made.log_slope(there) * made.density(there)[:, None]
        near = slope_by_differences(made, there)
    assert torch.median((near - exact).norm(dim=1) / exact.norm(dim=1)) < 0.05


@pytest.mark.parametrize("way", ["differences", "analytic"])
def test_normals_have_unit_length_and_point_outwards_where_there_is_only_the_bump(way: str) -> None:
    made, there = field(normals=way), points()
    made.encoder.embeddings.data.zero_()
    found = normals(made, there)
    out = torch.nn.functional.normalize(there, dim=-1)
    assert torch.allclose(found.norm(dim=-1), torch.ones(40, dtype=torch.float64), atol=1e-5)
    assert float((found * out).sum(dim=-1).min()) > 0.99


def test_levels_that_are_left_out_count_as_zeros() -> None:
    made, there = field(), points()
    full = made.encoder(there)
    made.hide_levels(2)
    full[:, 4:] = 0
    assert torch.allclose(made.density(there), made._density(made.sigma_net(full), there))
    again = RealFusionField(NETWORK).double()
    again.load_state_dict(made.state_dict())
    assert again.shown_levels == 2
