"""A scene on a hash grid: density and colour, what is behind it, and where it is empty."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...nn.encoding import FrequencyEncoding
from ...nn.field import Field, FieldSamples
from ...nn.hashgrid import HashGrid
from ...nn.spherical_harmonics import spherical_harmonics
from ...render.occupancy import OccupancyGrid
from .hash_config import HashConfig

LARGEST_LOG = 12.0  # of a density, in the grid's unit
FIRST_LOG = 1.0
OUTER = 16  # width of the network of the background
OUTER_FREQUENCIES = 3


class _Exponential(torch.autograd.Function):
    """exp(x) up to a largest value whose gradient does not die (Instant NGP, section 5.4)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        out = torch.exp(x.clamp_max(LARGEST_LOG))
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (out,) = ctx.saved_tensors
        return gradient * out


class HashScene(nn.Module):
    """Density, colour and background of one scene.

    Points are given in the grid's unit, see `to_grid`; the occupancy grid is part of the weights.
    """

    def __init__(self, config: HashConfig) -> None:
        super().__init__()
        self.config, net = config, config.network
        self.bound = 0.5 * config.margin
        self.encode = HashGrid(net.grid(), bound=self.bound)
        width = net.grid().width
        self.density_net = nn.Sequential(
            nn.Linear(width, net.hidden), nn.ReLU(), nn.Linear(net.hidden, 1 + net.geo_features)
        )
        sizes = [net.geo_features + net.degree**2, *[net.color_hidden] * net.color_layers]
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.color_net = nn.Sequential(*layers, nn.Linear(sizes[-1], 3))
        self.occupancy = OccupancyGrid(self.bound, cells=config.cells, density_threshold=config.density_threshold)
        self.occupancy.density_grid.fill_(1.0)
        self.occupancy.density_bitfield.fill_(255)
        self.occupancy.unpack()
        # Logarithms.
        self.gains = nn.Parameter(torch.zeros(config.photos, 3)) if config.photos else None
        self.outer: nn.Module | None = None
        if config.background == "learned":
            waves = FrequencyEncoding(OUTER_FREQUENCIES, factor=1.0, stored=False)
            self.outer = nn.Sequential(
                waves, nn.Linear(waves.output_dimensions, OUTER), nn.ReLU(), nn.Linear(OUTER, 3), nn.Sigmoid()
            )

    def to_grid(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """World points in the grid's unit."""
        return (points - points.new_tensor(self.config.center)) * (0.5 / self.config.radius)

    def forward(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> FieldSamples:
        """Density in the grid's unit, and sRGB 0..1 as seen along unit directions."""
        return self.query(points, spherical_harmonics(directions, self.config.network.degree))

    def query(self, points: Float[Tensor, "n 3"], harmonics: Float[Tensor, "n h"]) -> FieldSamples:
        """Density in the grid's unit and sRGB 0..1, given the spherical harmonics of unit view directions."""
        return self.decoded(self.latents(points), harmonics)

    def latents(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n l"]:
        """What the density network tells of points: the density's logarithm, then what the color network is given."""
        return self.density_net(self.encode(points))

    def decoded(self, latents: Float[Tensor, "n l"], harmonics: Float[Tensor, "n h"]) -> FieldSamples:
        """Density in the grid's unit and sRGB 0..1 of `latents`."""
        return FieldSamples(self.density_of(latents), self._color(latents, harmonics))

    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density in the grid's unit."""
        return self.density_of(self.latents(points))

    def density_of(self, latents: Float[Tensor, "n l"]) -> Float[Tensor, " n"]:
        """Density in the grid's unit of `latents`."""
        return _Exponential.apply(_precise(latents[:, 0]) + FIRST_LOG)

    def gain(self, photos: Int[Tensor, " r"]) -> Float[Tensor, "r 3"]:
        """Gain of each color of photos over the scene's."""
        assert self.gains is not None
        return torch.exp(self.gains - self.gains.mean(dim=0))[photos]

    def background(self, directions: Float[Tensor, "r 3"]) -> Float[Tensor, "r 3"]:
        """What is behind everything, along unit directions."""
        if self.outer is not None:
            return self.outer(directions)
        return torch.full_like(directions, float(self.config.background == "white"))

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load as usual, then unpack the occupancy grid's cells from its bits."""
        result = super().load_state_dict(*args, **kwargs)
        self.occupancy.unpack()
        return result

    def _color(self, found: Tensor, harmonics: Tensor) -> Tensor:
        seen = torch.cat((found[:, 1:], harmonics.to(found.dtype)), dim=1)
        return torch.sigmoid(_precise(self.color_net(seen)))


def _precise(values: Tensor) -> Tensor:
    """The tensor in float32 at least."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


class HashField(Field):
    """A scene on a hash grid as a `Field` in the world."""

    kind: Literal["density", "sdf"] = "density"

    def __init__(self, net: HashScene) -> None:
        self.net = net
        center = next(net.parameters()).new_tensor(net.config.center)
        reach = net.config.margin * net.config.radius
        self._bounds = torch.stack((center - reach, center + reach))

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """Bounds of the box around the sphere."""
        return self._bounds

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density per world unit; 0 outside the sphere and in the cells that are empty."""
        coords = self.net.to_grid(points)
        return self.net.density(coords) * self._scale(coords)

    def query(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None) -> FieldSamples:
        """Density per world unit, and sRGB 0..1 seen along `directions`; None for from straight above the surface."""
        coords = self.net.to_grid(points)
        found = self.net(coords, self._inwards(coords) if directions is None else directions)
        return FieldSamples(found.geometry * self._scale(coords), found.values)

    def _scale(self, coords: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """From the grid's density to that of the world: 0 outside the sphere and in the cells that are empty."""
        inside = coords.square().sum(dim=-1) < self.net.bound**2
        inside &= self.net.occupancy.is_occupied(coords.detach().clamp(-self.net.bound, self.net.bound))
        return inside * (0.5 / self.net.config.radius)

    def _inwards(self, coordinates: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """The directions in which density grows fastest."""
        with torch.enable_grad():
            asked = coordinates.detach().requires_grad_()
            logits = torch.log(self.net.density(asked) + torch.finfo(torch.float32).tiny)
            (slope,) = torch.autograd.grad(logits.sum(), asked)
        steady = slope.new_tensor([0.0, 0.0, -1e-6])
        return torch.nn.functional.normalize(slope + steady, dim=-1)
