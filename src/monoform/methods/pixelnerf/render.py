"""Rendering as published (Yu et al. 2021, section 4.3): differentiable, for training and as the twin of `fast`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from .config import Sampling
from .encoded import Encoded
from .model import PixelNerfNet
from .sampling import Draws, coarse_distances, depth_distances, important_distances

TINY = 1e-10


@runtime_checkable
class Query(Protocol):
    """Colour 0..1 and density at points of b objects, seen along unit directions, by the coarse or the fine network."""

    def __call__(
        self, points: Float[Tensor, "b p 3"], directions: Float[Tensor, "b p 3"], *, fine: bool
    ) -> Float[Tensor, "b p 4"]: ...


@dataclass(frozen=True, eq=False)
class Pass:
    """What rays see.

    Attributes:
        rgb: on the background, 0..1.
        depth: sum of weight x distance, not divided by the coverage.
        weights, distances: of the samples.
    """

    rgb: Float[Tensor, "b r 3"]
    depth: Float[Tensor, "b r"]
    weights: Float[Tensor, "b r k"]
    distances: Float[Tensor, "b r k"]

    @property
    def alpha(self) -> Float[Tensor, "b r"]:
        """Coverage 0..1."""
        return self.weights.sum(dim=-1)


@dataclass(frozen=True, eq=False)
class Rendered:
    """Both passes; without fine samples there is one."""

    coarse: Pass
    fine: Pass | None

    @property
    def best(self) -> Pass:
        """The fine pass, else the coarse one."""
        return self.coarse if self.fine is None else self.fine


def render(
    net: PixelNerfNet,
    encoded: Encoded,
    rays: Float[Tensor, "b r 8"],
    *,
    sampling: Sampling | None = None,
    draws: Draws | None = None,
    generator: torch.Generator | None = None,
    points_per_call: int | None = None,
) -> Rendered:
    """Render rays (origin, unit direction, near, far) of b encoded objects.

    Args:
        sampling: other than the configuration's.
        draws: of b r rays; None: random ones from `generator`, and even ones without it.
        generator: of the draws, and of the noise on the density where there is any.
        points_per_call: how many points of each object the networks see at once; None for all.
    """
    sampling = sampling or net.config.sampling
    count = rays.shape[0] * rays.shape[1]
    if draws is None:
        draws = Draws.even(count, sampling) if generator is None else Draws.random(count, sampling, generator)

    def query(points: Tensor, directions: Tensor, *, fine: bool) -> Tensor:
        return net.query(encoded, points, directions, fine=fine)

    return render_query(
        query,
        rays,
        sampling,
        draws.to(rays),
        depth_gradient=net.config.compat.depth_gradient,
        noise=generator if net.training and sampling.noise > 0 else None,
        points_per_call=points_per_call,
    )


def render_query(
    query: Query,
    rays: Float[Tensor, "b r 8"],
    sampling: Sampling,
    draws: Draws,
    *,
    depth_gradient: bool = True,
    noise: torch.Generator | None = None,
    points_per_call: int | None = None,
) -> Rendered:
    """Render rays of any field; see `render`."""
    near, far = rays[..., 6:7].flatten(0, 1), rays[..., 7:8].flatten(0, 1)
    distances = coarse_distances(near, far, draws.strata, sampling)
    coarse = _pass(query, rays, distances, sampling, False, noise, points_per_call)
    if not sampling.fine:
        return Rendered(coarse, None)
    further = [distances]
    if sampling.fine > sampling.depth:
        further.append(important_distances(coarse.weights.flatten(0, 1), near, far, draws, sampling))
    if sampling.depth:
        depth = coarse.depth if depth_gradient else coarse.depth.detach()
        further.append(depth_distances(depth.reshape(-1, 1), near, far, draws, sampling))
    distances = torch.sort(torch.cat(further, dim=-1), dim=-1)[0]
    return Rendered(coarse, _pass(query, rays, distances, sampling, True, noise, points_per_call))


def composite(
    colours: Float[Tensor, "r k 4"],
    distances: Float[Tensor, "r k"],
    far: Float[Tensor, "r 1"],
    *,
    white: bool,
) -> tuple[Float[Tensor, "r 3"], Float[Tensor, " r"], Float[Tensor, "r k"]]:
    """Colour, depth and weights of samples (colour, density); each stands for the way to the next, the last to far."""
    lengths = torch.cat((distances[:, 1:], far), dim=-1) - distances
    alpha = 1 - torch.exp(-lengths * torch.relu(colours[..., 3]))
    through = torch.cat((torch.ones_like(far), 1 - alpha + TINY), dim=-1).cumprod(dim=-1)[:, :-1]
    weights = alpha * through
    rgb = (weights[..., None] * colours[..., :3]).sum(dim=1)
    if white:
        rgb = rgb + 1 - weights.sum(dim=-1, keepdim=True)
    return rgb, (weights * distances).sum(dim=-1), weights


def _pass(
    query: Query,
    rays: Float[Tensor, "b r 8"],
    distances: Float[Tensor, "n k"],
    sampling: Sampling,
    fine: bool,
    noise: torch.Generator | None,
    points_per_call: int | None,
) -> Pass:
    objects, count, samples = rays.shape[0], rays.shape[1], distances.shape[1]
    along = distances.reshape(objects, count, samples, 1)
    points = (rays[:, :, None, :3] + along * rays[:, :, None, 3:6]).flatten(1, 2)
    directions = rays[:, :, None, 3:6].expand(-1, -1, samples, -1).flatten(1, 2)
    parts = [
        query(points[:, part], directions[:, part], fine=fine) for part in _parts(points.shape[1], points_per_call)
    ]
    colours = torch.cat(parts, dim=1).reshape(-1, samples, 4)
    if noise is not None:
        drawn = torch.randn(colours.shape[:2], generator=noise, device=noise.device).to(colours)
        colours = torch.cat((colours[..., :3], colours[..., 3:] + sampling.noise * drawn[..., None]), dim=-1)
    rgb, depth, weights = composite(colours, distances, rays[..., 7:].flatten(0, 1), white=sampling.white)
    return Pass(
        rgb.reshape(objects, count, 3),
        depth.reshape(objects, count),
        weights.reshape(objects, count, samples),
        distances.reshape(objects, count, samples),
    )


def _parts(total: int, size: int | None) -> Iterator[slice]:
    step = size or max(total, 1)
    return (slice(start, start + step) for start in range(0, total, step))
