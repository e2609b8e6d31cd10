"""The radiance field: density and albedo from a grid, what is behind it, and where it is empty."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...memory import Portions
from ...nn.encoding import FrequencyEncoding
from ...nn.exponential import limited_exponential
from ...nn.hashgrid import HashGrid
from ...render.occupancy import OccupancyGrid
from .network_config import FieldConfig

RAYS = 4096  # of a picture that are drawn at once


class Perceptron(nn.Module):
    """Linear layers with ReLU between them.

    Args:
        sizes: of the input, of each layer's output.
    """

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([nn.Linear(a, b) for a, b in pairwise(sizes)])

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        """The last layer's output; an input that is narrower than the first layer has zeros for the rest."""
        first = self.net[0]
        out = functional.linear(x, first.weight[:, : x.shape[1]], first.bias)  # type: ignore[index, arg-type]
        for layer in self.net[1:]:
            out = layer(torch.relu(out))
        return out

    def slope(self, x: Float[Tensor, "n i"], ahead: Float[Tensor, "d n i"]) -> Float[Tensor, "d n o"]:
        """Change of the output where the input changes by `ahead`; differentiable in the weights and in `ahead`."""
        out, change = x, ahead
        for number, layer in enumerate(self.net):
            assert isinstance(layer, nn.Linear)
            weight = layer.weight if number else layer.weight[:, : x.shape[1]]
            if number:
                change = change * (out > 0)
                out = torch.relu(out)
            out, change = functional.linear(out, weight, layer.bias), functional.linear(change, weight)
        return change


class RealFusionField(nn.Module):
    """Density, albedo and background of one object; points are in the box, in world units.

    Attributes:
        config: sizes.
        rays: that are drawn at once where there are no gradients.
    """

    hidden_levels: Tensor

    def __init__(self, config: FieldConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = HashGrid(config.grid(), bound=config.bound)
        self.sigma_net = Perceptron(config.grid().width, *[config.hidden] * (config.layers - 1), 4)
        self.waves = FrequencyEncoding(config.background_frequencies, factor=1.0, stored=False)
        self.bg_net: Perceptron | None = None
        if config.background_hidden:
            inner = [config.background_hidden] * (config.background_layers - 1)
            self.bg_net = Perceptron(self.waves.output_dimensions, *inner, 3)
        self.occupancy = OccupancyGrid(config.bound, cells=config.cells, density_threshold=config.density_threshold)
        self.register_buffer("hidden_levels", torch.zeros((), dtype=torch.int64))
        self._hidden = 0
        self.rays = Portions("rays of a picture", RAYS, smallest=16)

    def hide_levels(self, count: int) -> None:
        """Leave the finest levels of the grid out, but never all: their features count as zeros."""
        self._hidden = min(max(count, 0), self.config.levels - 1)
        self.hidden_levels.fill_(self._hidden)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load as usual, then take in which levels are left out and which cells are occupied."""
        result = super().load_state_dict(*args, **kwargs)
        self._hidden = int(self.hidden_levels)
        self.occupancy.unpack()
        return result

    @property
    def shown_levels(self) -> int:
        """Levels of the grid that are not left out."""
        return self.config.levels - self._hidden

    def blob(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """The bump around the origin, added to the logarithm of the density."""
        reach = 2.0 * self.config.blob_radius**2
        return self.config.blob_density * torch.exp(-points.square().sum(dim=-1) / reach)

    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density per world unit."""
        return self._density(self._outputs(points), points)

    def log_slope(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Slope of the density's logarithm; differentiable in the field, not in the points."""
        points, levels = points.detach(), self.shown_levels
        ahead = self.encoder.slopes(points, levels=levels)
        change = self.sigma_net.slope(self.encoder(points, levels=levels), ahead)[..., 0].float()
        bump = -points * (self.blob(points) / self.config.blob_radius**2)[:, None]
        return change.T + bump

    def query(self, points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Density per world unit, and albedo 0..1."""
        found = self._outputs(points)
        return self._density(found, points), torch.sigmoid(found[:, 1:].float())

    def background(self, directions: Float[Tensor, "r 3"]) -> Float[Tensor, "r 3"]:
        """Learned colors behind everything, along ray directions; white where nothing is learned."""
        if self.bg_net is None:
            return torch.ones_like(directions)
        return torch.sigmoid(self.bg_net(self.waves(directions)).float())

    def _outputs(self, points: Tensor) -> Tensor:
        return self.sigma_net(self.encoder(points, levels=self.shown_levels))

    def _density(self, found: Tensor, points: Tensor) -> Tensor:
        return limited_exponential(found[:, 0].float() + self.blob(points), self.config.density_gradient_limit)
