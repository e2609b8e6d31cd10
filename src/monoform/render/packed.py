"""Compositing of rays that have different numbers of samples, one ray after the other in flat tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

STOP = 1e-4  # a ray ends with the sample that leaves less than this of what is behind


@dataclass(frozen=True, eq=False)
class PackedSamples:
    """Samples of r rays, one ray after the other.

    Attributes:
        ray: which ray each belongs to, ascending.
        counts: of each ray.
        distance: along the ray, in lengths of its direction.
    """

    ray: Int[Tensor, " m"]
    counts: Int[Tensor, " r"]
    distance: Float[Tensor, " m"]

    def points(self, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"]) -> Float[Tensor, "m 3"]:
        """Where they are; differentiable in the rays."""
        along = directions.index_select(0, self.ray)
        return origins.index_select(0, self.ray) + self.distance[:, None] * along

    def first(self, most: int) -> tuple[PackedSamples, int]:
        """The samples of the first rays whose samples together are at most `most`, and the number of these rays."""
        ends = self.counts.cumsum(dim=0)
        rays = max(1, int((ends <= most).sum()))
        if rays == len(ends):
            return self, rays
        total = int(ends[rays - 1])
        return PackedSamples(self.ray[:total], self.counts[:rays], self.distance[:total]), rays


@dataclass(frozen=True, eq=False)
class PackedRender:
    """What rays see.

    Attributes:
        rgb: values composited over black.
        alpha: coverage 0..1.
        depth: sum of weight times distance, without gradient.
    """

    rgb: Float[Tensor, "r c"]
    alpha: Float[Tensor, " r"]
    depth: Float[Tensor, " r"]


def composite_packed(
    density: Float[Tensor, " m"],
    rgb: Float[Tensor, "m c"],
    length: Float[Tensor, " m"],
    distance: Float[Tensor, " m"],
    counts: Int[Tensor, " r"],
    *,
    stop: float = STOP,
) -> PackedRender:
    """Composite samples that lie one ray after the other (NeRF, equation 3).

    A ray stops after the sample that brings its transmittance below `stop`; samples behind count for nothing, and the
    gradient takes the sums up to there for the whole, as the published kernels do.

    Args:
        length: of the step that each sample stands for.
        distance: along the ray, for `depth`.
        counts: samples of each ray; their sum is m.
    """
    rays = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts, output_size=len(density))
    rgb_sum, alpha, depth = _Composite.apply(density, rgb, length, distance, counts, rays, stop)
    return PackedRender(rgb_sum, alpha, depth)


def sum_rays(values: Float[Tensor, " m"], rays: Int[Tensor, " m"], count: int) -> Float[Tensor, " r"]:
    """Sums over the samples of each ray."""
    return values.new_zeros(count).index_add_(0, rays, values)


class _Composite(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        density: Tensor,
        rgb: Tensor,
        length: Tensor,
        distance: Tensor,
        counts: Tensor,
        rays: Tensor,
        stop: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        before = before_in_ray(density * length, counts, rays)
        passed = torch.exp(-before)
        share = -torch.expm1(-density * length)
        weights = torch.where(passed >= stop, passed * share, torch.zeros_like(share))
        count = len(counts)
        colors = torch.stack([sum_rays(weights * one, rays, count) for one in rgb.unbind(dim=1)], dim=1)
        alpha, depth = sum_rays(weights, rays, count), sum_rays(weights * distance, rays, count)
        ctx.save_for_backward(rgb, length, weights, passed * (1.0 - share), colors, alpha, counts, rays)
        ctx.mark_non_differentiable(depth)
        return colors, alpha, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, for_rgb: Tensor, for_alpha: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        rgb, length, weights, after, colors, alpha, counts, rays = ctx.saved_tensors
        # What the colours and the coverage of a ray ask for, as one number for each sample.
        asked = sum(a[rays] * c for a, c in zip(for_rgb.unbind(dim=1), rgb.unbind(dim=1), strict=True))
        assert isinstance(asked, Tensor)
        whole = (for_rgb * colors).sum(dim=1)[rays]
        seen = before_in_ray(weights * asked, counts, rays) + weights * asked
        through = after * asked - (whole - seen) + (for_alpha * (1.0 - alpha))[rays]
        for_density = torch.where(weights > 0, length * through, torch.zeros_like(length))
        for_color = torch.stack([a[rays] * weights for a in for_rgb.unbind(dim=1)], dim=1)
        return for_density, for_color, None, None, None, None, None


def before_in_ray(
    values: Float[Tensor, " m"], counts: Int[Tensor, " r"], rays: Int[Tensor, " m"]
) -> Float[Tensor, " m"]:
    """Sums over the samples of the same ray that come before each."""
    # In float64: a difference of sums over all rays keeps the digits of the sum over one.
    total = values.double().cumsum(dim=0) - values
    first = counts.cumsum(dim=0) - counts
    padded = torch.cat((total, total.new_zeros(1)))
    return (total - padded.index_select(0, first).index_select(0, rays)).to(values)
