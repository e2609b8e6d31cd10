"""What a generator's shapes and styles are held to in training (Pavllo et al. 2023, section 3.4; spec of VolSDF)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...render.compositing import laplace_density
from .model import BootstrapGenerator

JITTER = 0.004
"""Deviation of the second point of the total variation, in half sides of the cube."""


@dataclass(frozen=True, eq=False)
class ShapeTerms:
    """Of each object, means over its points.

    Attributes:
        eikonal: squared difference of the distance's slope from 1; 0 of a generator without distances.
        sphere: squared difference of the distance from that of a sphere around the origin.
        total_variation: difference of the opacity between points that lie close.
        entropy: how soft the surface is.
    """

    eikonal: Float[Tensor, " n"]
    sphere: Float[Tensor, " n"]
    total_variation: Float[Tensor, " n"]
    entropy: Float[Tensor, " n"]


def stratified_points(uniform: Float[Tensor, "n k k k 3"], half_side: float) -> Float[Tensor, "n p 3"]:
    """A point in each of k^3 cells of the cube.

    Args:
        uniform: 0..1, places in the cells.
    """
    cells = uniform.shape[1]
    steps = torch.arange(cells).to(uniform)
    first = torch.stack(torch.meshgrid(steps, steps, steps, indexing="xy"), dim=-1)
    return (((first + uniform) / cells * 2 - 1) * half_side).flatten(1, 3)


def laplace_pdf(distance: Float[Tensor, "*n"], beta: float | Tensor) -> Float[Tensor, "*n"]:
    """Density of the Laplace distribution of scale beta."""
    return torch.exp(-distance.abs() / beta) / (2 * beta)


def shape_terms(
    net: BootstrapGenerator,
    planes: Float[Tensor, "n 3 c s s"],
    points: Float[Tensor, "n p 3"],
    jitter: Float[Tensor, "n p 3"],
    *,
    radius: float = 1.0,
) -> ShapeTerms:
    """The terms of all points.

    Args:
        net: that made the planes.
        points: in the cube.
        jitter: standard normal, of the second point of the total variation.
        radius: of the sphere, world units.
    """
    at = points.detach().requires_grad_()
    geometry = net.distance(at, planes, twice=net.beta is not None)
    near = net.distance(points + JITTER * net.config.scene.half_side * jitter, planes)
    sphere = (geometry - (points.norm(dim=-1) - radius)).square().mean(dim=1)
    if net.beta is None:
        opacity, beside = torch.sigmoid(geometry - 1), torch.sigmoid(near - 1)
        entropy, eikonal = opacity * (1 - opacity), torch.zeros_like(sphere)
    else:
        opacity, beside = (laplace_density(each, net.beta, 1.0) for each in (geometry, near))
        entropy = laplace_pdf(geometry, net.beta)
        slope = torch.autograd.grad(geometry.sum(), at, create_graph=True)[0]
        eikonal = (slope.norm(dim=-1) - 1).square().mean(dim=1)
    return ShapeTerms(eikonal, sphere, (opacity - beside).abs().mean(dim=1), entropy.mean(dim=1))


def path_lengths(
    ws: Float[Tensor, "n slots w"],
    planes: Float[Tensor, "n 3 c s s"],
    palette: Float[Tensor, "n k 3"] | None,
    planes_noise: Float[Tensor, "n 3 c s s"],
    palette_noise: Float[Tensor, "n k 3"] | None,
) -> Float[Tensor, " n"]:
    """How far planes and palettes move with the styles that they were made of, in a random direction.

    Args:
        ws: with a graph from these to planes and palette.
        planes_noise: standard normal.
        palette_noise: standard normal; None where there is no palette.
    """
    moved = (planes * planes_noise).sum() / planes.shape[-1]
    if palette is not None and palette_noise is not None:
        moved = moved + (palette * palette_noise).sum()
    slope = torch.autograd.grad(moved, ws, create_graph=True)[0]
    return slope.square().sum(dim=2).mean(dim=1).sqrt()
