"""What lies beyond the box: a field of the direction and of the inverse distance (NeRF++, Zhang et al. 2020)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from ...nn.stylegan2 import EqualizedConv2d, SynthesisLayer, ToRGB
from .config import Background


def inverted_sphere(
    origins: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"], inverse: Float[Tensor, "*n"]
) -> tuple[Float[Tensor, "*n 4"], Float[Tensor, "*n"]]:
    """Where rays reach an inverse distance from the origin: direction and inverse distance, and how far that is.

    Args:
        origins: within the unit sphere.
        directions: of unit length.
        inverse: 0..1.

    Returns:
        (direction from the origin, inverse distance), and the distance along the ray.
    """
    closest = -(directions * origins).sum(dim=-1)
    middle = origins + closest[..., None] * directions
    sine = middle.norm(dim=-1) * inverse  # of the angle at the point, between the ray and the way to the origin
    cosine = (1 - sine.square()).clamp_min(0.0).sqrt()
    # (origin + t direction) * inverse, which stays finite at infinity.
    direction = middle * inverse[..., None] + cosine[..., None] * directions
    distance = cosine / (inverse + 1e-6) + closest
    return torch.cat((direction, inverse[..., None]), dim=-1), distance


class BackgroundField(nn.Module):
    """Modulated layers on the encoded direction and inverse distance.

    Args:
        options: sizes.
        w_dim: length of the styles.
        features: channels besides the three of a picture.
    """

    def __init__(self, options: Background, w_dim: int, features: int) -> None:
        super().__init__()
        self.options = options

        def layer(inputs: int) -> SynthesisLayer:
            return SynthesisLayer(inputs, options.width, w_dim, 1, size=1, use_noise=False)

        self.fc_in = layer(4 * 2 * options.frequencies)
        self.blocks = nn.ModuleList(layer(options.width) for _ in range(options.blocks - 1))
        self.sigma_out = ToRGB(options.width, 1, w_dim)
        self.feat_out = ToRGB(options.width, features, w_dim)
        self.to_rgb = EqualizedConv2d(features, 3, 1)

    @property
    def slots(self) -> int:
        """How many styles it takes."""
        return len(self.blocks) + 3

    def forward(
        self, points: Float[Tensor, "n p 4"], ws: Float[Tensor, "n slots w"]
    ) -> tuple[Float[Tensor, "n p"], Float[Tensor, "n p c"]]:
        """Raw density and colors, 3 + `features` of them, at (direction, inverse distance)."""
        styles = iter(ws.unbind(dim=1))
        x = self._encoded(points).mT[..., None]
        for layer in (self.fc_in, *self.blocks):
            x = layer(x, next(styles))
        density = self.sigma_out(x, next(styles))
        features = self.feat_out(x, next(styles))
        colors = torch.cat((self.to_rgb(features), features), dim=1)
        return density[:, 0, :, 0], colors[..., 0].mT

    def _encoded(self, points: Float[Tensor, "n p 4"]) -> Float[Tensor, "n p e"]:
        waves = []
        for octave in range(self.options.frequencies):
            angle = points * (2.0**octave * math.pi)
            waves += [angle.sin(), angle.cos()]
        return torch.cat(waves, dim=-1)


def see_background(
    field: BackgroundField,
    ws: Float[Tensor, "n slots w"],
    origins: Float[Tensor, "n r 3"],
    directions: Float[Tensor, "n r 3"],
    radius: float,
    jitter: Float[Tensor, "n r k"] | None = None,
) -> Float[Tensor, "n r c"]:
    """Colors, -1..1, of what lies behind: opaque at infinity.

    Args:
        radius: of the sphere that holds the cameras, world units.
        jitter: 0..1, places within the steps of inverse distance; None: their middles.
    """
    count, start = field.options.samples, field.options.start
    jitter = torch.full((1, 1, count), 0.5).to(origins) if jitter is None else jitter
    inverse = start * (1 - (torch.arange(count).to(origins) + jitter) / count)
    inverse = inverse.expand(*origins.shape[:-1], count)
    around, along = origins[..., None, :] / radius, directions[..., None, :]
    points, distances = inverted_sphere(around.expand(*inverse.shape, 3), along.expand(*inverse.shape, 3), inverse)
    density, colors = field(points.flatten(1, 2), ws)
    density, colors = density.reshape(inverse.shape), colors.reshape(*inverse.shape, -1)
    depth = softplus(density[..., :-1] - 1) * distances.diff(dim=-1)
    passed = torch.exp(-torch.cat((torch.zeros_like(depth[..., :1]), depth.cumsum(dim=-1)), dim=-1))
    weights = passed * torch.cat((-torch.expm1(-depth), torch.ones_like(depth[..., :1])), dim=-1)
    return 2 * (weights[..., None] * torch.sigmoid(colors)).sum(dim=-2) - 1
