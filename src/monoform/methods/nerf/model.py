"""NeRF's pair of networks, as a field and as a renderer of rays in the house's world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...camera.conventions import Y_UP_FROM_Z_UP
from ...nn.field import Field, FieldSamples
from ...nn.nerf_mlp import NerfMlp
from ...render import RayRender
from ...render.ray_renderer import RayColors
from .frequency_config import NerfConfig, TwoPass
from .rays import ndc_distance, ndc_rays
from .two_pass import field_samples, render_two_pass

AHEAD = 0.02  # least share of a ray's direction that goes into the scene, in normalised device coordinates


class NerfNet(nn.Module):
    """A coarse and a fine network (Mildenhall et al. 2020, section 5)."""

    def __init__(self, config: NerfConfig) -> None:
        super().__init__()
        self.config = config
        own = config.network
        self.coarse, self.fine = (
            NerfMlp(own.frequencies, own.direction_frequencies, depth=own.depth, width=own.width) for _ in range(2)
        )

    @property
    def last(self) -> NerfMlp:
        """The network that the colours of a picture come from."""
        return self.fine if self.config.sampling.fine else self.coarse

    def render(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
        sampling: TwoPass | None = None,
    ) -> RayRender:
        """Both passes of rays of any length in the networks' own world; see `render_two_pass`."""
        options = sampling or self.config.sampling
        views = None
        if options.ndc is not None:
            views = torch.nn.functional.normalize(directions, dim=-1)
            origins, directions = ndc_rays(origins, directions, options.ndc)
        elif self.config.sphere is not None:
            origins = origins + self.entrance(origins, directions)[:, None] * directions
        return render_two_pass(self.coarse, self.fine, origins, directions, options, views=views, generator=generator)

    def entrance(self, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"]) -> Float[Tensor, " r"]:
        """Where unit rays begin to be sampled: where they enter the sphere, or come nearest to it."""
        if self.config.sphere is None:
            return torch.zeros_like(origins[:, 0])
        *center, radius = self.config.sphere
        offset = origins.detach() - origins.new_tensor(center)
        along = directions.detach()
        middle = -(offset * along).sum(dim=-1)
        closest = (offset + middle[:, None] * along).square().sum(dim=-1)
        return (middle - (radius**2 - closest).clamp_min(0.0).sqrt()).clamp_min(0.0)


def network_from_world(up: Literal["y", "z"], like: Tensor) -> Float[Tensor, "3 3"]:
    """The turn from the house's world, y up, to a network's."""
    turn = torch.eye(3) if up == "y" else torch.tensor(Y_UP_FROM_Z_UP)[:3, :3].mT
    return turn.to(like)


@dataclass(frozen=True, eq=False)
class NerfRenderer:
    """A `RayRenderer` of a NeRF: rays of unit length in the house's world.

    Attributes:
        net: both networks.
        sampling: in place of the network's own; None for that.
    """

    net: NerfNet
    sampling: TwoPass | None = None

    @property
    def background(self) -> tuple[float, float, float]:
        """sRGB 0..1."""
        return (float((self.sampling or self.net.config.sampling).white),) * 3

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        turn = network_from_world(self.net.config.up, origins).mT
        begin, along = origins @ turn, directions @ turn
        options = self.sampling or self.net.config.sampling
        # NDC has nothing beside the cameras and behind them.
        ahead = along[:, 2] < -AHEAD if options.ndc is not None else torch.ones_like(along[:, 2], dtype=torch.bool)
        along = torch.where(ahead[:, None], along, along.new_tensor([0.0, 0.0, -1.0]))
        seen = self.net.render(begin, along, generator=generator, sampling=self.sampling).best
        mean = seen.depth / seen.alpha.clamp_min(1e-10)
        if options.ndc is not None:
            distance = ndc_distance(begin, along, mean)
        else:
            distance = mean + self.net.entrance(begin, along)
        rgb = torch.where(ahead[:, None], seen.rgb, seen.rgb.new_tensor(self.background))
        distance = torch.where((seen.alpha > 0) & ahead, distance, torch.zeros_like(distance))
        return RayColors(rgb, seen.alpha * ahead, distance.detach())


class NerfField(Field):
    """The fine network as a `Field` in the house's world; not for scenes in normalised device coordinates."""

    kind: Literal["density", "sdf"] = "density"

    def __init__(self, net: NerfNet) -> None:
        self.net = net
        place = next(net.parameters())
        corners = torch.tensor(net.config.bounds).to(place) @ network_from_world(net.config.up, place)
        self._bounds = torch.stack((corners.amin(dim=0), corners.amax(dim=0)))

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """Bounds of the world's box."""
        return self._bounds

    @property
    def representative_direction(self) -> Float[Tensor, " 3"] | None:
        """Down and forward, the direction of a camera in front of the scene and above it."""
        return torch.nn.functional.normalize(self._bounds.new_tensor([0.0, -0.5, -1.0]), dim=0)

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density per world unit; 0 outside the bounds."""
        inside = ((points >= self._bounds[0]) & (points <= self._bounds[1])).all(dim=-1)
        return self.net.last.density(points @ self._turn(points)) * inside

    def query(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None = None) -> FieldSamples:
        """Density per world unit, 0 outside the bounds, and sRGB seen along `directions`."""
        if directions is None:
            assert self.representative_direction is not None
            directions = self.representative_direction.to(points).expand_as(points)
        inside = ((points >= self._bounds[0]) & (points <= self._bounds[1])).all(dim=-1)
        turn = self._turn(points)
        found = field_samples(self.net.last(points @ turn, directions @ turn))
        return FieldSamples(found.geometry * inside, found.values)

    def _turn(self, like: Tensor) -> Float[Tensor, "3 3"]:
        return network_from_world(self.net.config.up, like).mT
