"""The network of NeRF: position and view direction to density and colour."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import relu

from .encoding import FrequencyEncoding


class NerfMlp(nn.Module):
    """Encoded position to density, and with the encoded view direction to colour (Mildenhall et al. 2020, figure 7).

    The names of the tensors are those of published checkpoints.

    Args:
        frequencies: of the position, 1, 2, 4 ... radians per unit.
        direction_frequencies: of the view direction.
        depth: layers before the density.
        width: of each of them.
        skip: after this layer, counted from 0, the encoded position is put in front of what the layer gives.
    """

    def __init__(
        self,
        frequencies: int = 10,
        direction_frequencies: int = 4,
        *,
        depth: int = 8,
        width: int = 256,
        skip: int = 4,
    ) -> None:
        super().__init__()
        self.skip = skip
        self.encode = FrequencyEncoding(frequencies, factor=1.0, stored=False)
        self.encode_directions = FrequencyEncoding(direction_frequencies, factor=1.0, stored=False)
        seen = self.encode.output_dimensions
        inputs = [seen, *(width + seen * (layer == skip) for layer in range(depth - 1))]
        self.pts_linears = nn.ModuleList(nn.Linear(size, width) for size in inputs)
        self.alpha_linear = nn.Linear(width, 1)
        self.feature_linear = nn.Linear(width, width)
        self.views_linears = nn.ModuleList([nn.Linear(width + self.encode_directions.output_dimensions, width // 2)])
        self.rgb_linear = nn.Linear(width // 2, 3)

    def forward(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]) -> Float[Tensor, "n 4"]:
        """Colour before its sigmoid and density before its ReLU, seen along unit directions."""
        hidden = self._hidden(points)
        seen = torch.cat((self.feature_linear(hidden), self.encode_directions(directions)), dim=-1)
        for layer in self.views_linears:
            seen = relu(layer(seen))
        return torch.cat((self.rgb_linear(seen), self.alpha_linear(hidden)), dim=-1)

    def density(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density per unit of length; without the part of the network that makes colours."""
        return relu(self.alpha_linear(self._hidden(points))[:, 0])

    def _hidden(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n width"]:
        encoded = self.encode(points)
        hidden = encoded
        for number, layer in enumerate(self.pts_linears):
            hidden = relu(layer(hidden))
            if number == self.skip and number < len(self.pts_linears) - 1:
                hidden = torch.cat((encoded, hidden), dim=-1)
        return hidden
