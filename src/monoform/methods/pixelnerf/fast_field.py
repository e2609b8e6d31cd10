"""An encoded object's field, rearranged for speed: the same numbers as `PixelNerfNet.query`, without autograd.

What features add to the perceptrons is linear in them (figure 3), and so is looking them up between pixels: it is
applied once to the whole map, and points look the results up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ...errors import InputError
from ...nn.field import FieldSamples
from .config import Precision
from .encoded import Encoded
from .mlp import Residual, ResnetFC, activation
from .model import PixelNerfNet, heads
from .pixels import pool_views

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
ROWS = 4096  # points x views in the perceptrons at once: their activations stay in the processor's caches


@dataclass(frozen=True, eq=False)
class BilinearPixels:
    """The four pixels of the maps around each point.

    Attributes:
        rows: of the views' tables.
        shares: of each pixel in the value at the point, adding up to 1.
    """

    rows: Int[Tensor, "n 4"]
    shares: Float[Tensor, "n 4"]


class FastField:
    """Colour and density of one encoded object.

    Args:
        net: the network; its weights are copied.
        encoded: one object.
        precision: of activations and weights; positions and what comes out are float32 in any case.

    Raises:
        InputError: several objects are encoded.
    """

    def __init__(self, net: PixelNerfNet, encoded: Encoded, *, precision: Precision = "float32") -> None:
        if encoded.objects != 1:
            raise InputError(f"FastField holds one object, not {encoded.objects}: choose one, for instance encoded[0].")
        self.net, self.encoded = net, encoded
        self.views = encoded.views
        network, both = net.config.network, [net.perceptron(fine) for fine in (False, True)]
        looked_up = network.use_features and network.lookup == "bilinear" and network.padding == "border"
        self.plain = not looked_up or any(mlp.config.spade or not len(mlp.lin_z) for mlp in both)
        if not self.plain:
            with torch.no_grad():
                self.coarse, self.fine = (_Perceptron(mlp, encoded, DTYPES[precision]) for mlp in both)

    @torch.no_grad()
    def query(self, points: Float[Tensor, "p 3"], directions: Float[Tensor, "p 3"], *, fine: bool) -> FieldSamples:
        """Density and sRGB 0..1 at world points, seen along unit directions."""
        raw = points.new_empty(len(points), 4)
        size = max(1, ROWS // self.views)
        for start in range(0, len(points), size):
            part = slice(start, start + size)
            raw[part] = self._raw(points[part], directions[part], fine)
        return heads(raw)

    @torch.no_grad()
    def raw_densities(
        self, points: Float[Tensor, "p 3"], directions: Float[Tensor, "p 3"], *, fine: bool
    ) -> Float[Tensor, " p"]:
        """Densities before negative ones become 0."""
        size = max(1, ROWS // self.views)
        parts = zip(points.split(size), directions.split(size), strict=True)
        return torch.cat([self._raw(*part, fine)[:, 3] for part in parts])

    def _raw(self, points: Tensor, directions: Tensor, fine: bool) -> Float[Tensor, "p 4"]:
        inputs, local = self.net.inputs(self.encoded, points[None], directions[None])
        pixels = self.encoded.pixels(local)
        if self.plain:
            features = self.net.features(self.encoded, pixels)
            return self.net.perceptron(fine)(features, inputs, views=self.views)[0]
        perceptron = self.fine if fine else self.coarse
        return perceptron(inputs, bilinear_pixels(self.encoded, pixels))


class _Perceptron:
    """A `ResnetFC` whose features are tables with a row for each pixel of the views' maps."""

    def __init__(self, mlp: ResnetFC, encoded: Encoded, dtype: torch.dtype) -> None:
        self.config, self.dtype = mlp.config, dtype
        latent = encoded.latent.permute(0, 2, 3, 1).flatten(0, 2)
        vectors = (
            None
            if encoded.vectors is None
            else encoded.vectors.repeat_interleave(len(latent) // len(encoded.vectors), 0)
        )
        whole = latent if vectors is None else torch.cat((vectors, latent), dim=1)
        blocks = [cast(Residual, block) for block in mlp.blocks]
        self.tables = []
        for number, layer in enumerate(cast("list[nn.Linear]", list(mlp.lin_z))):
            # Shares of the four pixels add up to 1, so that constants may be in the tables.
            constant = mlp.lin_in.bias if number == 0 else blocks[number - 1].fc_1.bias
            self.tables.append(functional.linear(whole, layer.weight, layer.bias + constant).to(dtype))
        self.enter = mlp.lin_in.weight.t().to(dtype)
        self.blocks = [(*_transposed(block.fc_0, dtype), *_transposed(block.fc_1, dtype)) for block in blocks]
        self.leave = _transposed(mlp.lin_out, dtype)

    def __call__(self, inputs: Float[Tensor, "v p x"], found: BilinearPixels) -> Float[Tensor, "p 4"]:
        views, points = inputs.shape[:2]
        shares = found.shares.to(self.dtype)
        beta, entered = self.config.beta, len(self.tables)
        hidden = self._entering(0, found.rows, shares).addmm_(inputs.flatten(0, 1).to(self.dtype), self.enter)
        for number, (first, bias, second, after) in enumerate(self.blocks):
            if number == self.config.pooled_block and views > 1:
                hidden = pool_views(hidden.reshape(views, points, -1), views, self.config.pooling)[0]
            if 0 < number < entered:
                hidden += self._entering(number, found.rows, shares)
            within = activation(torch.addmm(bias, activation(hidden, beta), first), beta)
            hidden.addmm_(within, second)
            if number >= entered - 1:
                hidden += after
        weight, bias = self.leave
        return torch.addmm(bias, activation(hidden, beta), weight).float()

    def _entering(self, number: int, rows: Tensor, shares: Tensor) -> Float[Tensor, "n w"]:
        return functional.embedding_bag(rows, self.tables[number], mode="sum", per_sample_weights=shares)


def _transposed(layer: nn.Linear, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Weight and bias."""
    return layer.weight.t().to(dtype), layer.bias.to(dtype)


def bilinear_pixels(encoded: Encoded, pixels: Float[Tensor, "v p 2"]) -> BilinearPixels:
    """Where pixels of the source views lie on their feature maps; beyond the last pixel is the border."""
    height, width = encoded.latent.shape[2:]
    scale = pixels.new_tensor([width / encoded.width, height / encoded.height])
    last = pixels.new_tensor([width - 1, height - 1])
    at = torch.minimum((pixels * scale).nan_to_num().clamp_min(0), last)
    low = at.floor()
    share = at - low
    high = torch.minimum(low + 1, last)
    first = torch.arange(len(pixels), device=pixels.device)[:, None] * (height * width)
    (x0, y0), (x1, y1) = low.long().unbind(-1), high.long().unbind(-1)
    (sx, sy) = share.unbind(-1)
    rows = (first + y0 * width + x0, first + y0 * width + x1, first + y1 * width + x0, first + y1 * width + x1)
    shares = ((1 - sy) * (1 - sx), (1 - sy) * sx, sy * (1 - sx), sy * sx)
    return BilinearPixels(torch.stack(rows, -1).flatten(0, 1), torch.stack(shares, -1).flatten(0, 1))
