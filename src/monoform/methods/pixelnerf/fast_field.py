"""An encoded object's field, rearranged for speed: the same numbers as `PixelNerfNet.query`, without autograd.

What features add to the perceptrons is linear in them (figure 3), and so is looking them up between pixels: it is
applied once to the whole map, and points look the results up.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ...errors import InputError
from ...nn.field import FieldSamples
from .config import Network, Precision
from .encoded import Encoded
from .model import PixelNerfNet, heads
from .quick_perceptron import Entering, QuickPerceptron

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
        self.plain = not bilinear(network) or any(mlp.config.spade or not len(mlp.lin_z) for mlp in both)
        if not self.plain:
            with torch.no_grad():
                self.coarse, self.fine = (Tabled(QuickPerceptron(mlp, DTYPES[precision]), encoded) for mlp in both)

    @torch.no_grad()
    def query(self, points: Float[Tensor, "p 3"], directions: Float[Tensor, "p 3"], *, fine: bool) -> FieldSamples:
        """Density and sRGB 0..1 at world points, seen along unit directions."""
        return heads(self.raw(points, directions, fine=fine))

    @torch.no_grad()
    def raw(
        self, points: Float[Tensor, "p 3"], directions: Float[Tensor, "p 3"], *, fine: bool
    ) -> Float[Tensor, "p 4"]:
        """Colors and densities before the heads."""
        raw = points.new_empty(len(points), 4)
        size = max(1, ROWS // self.views)
        for start in range(0, len(points), size):
            part = slice(start, start + size)
            raw[part] = self._raw(points[part], directions[part], fine)
        return raw

    def _raw(self, points: Tensor, directions: Tensor, fine: bool) -> Float[Tensor, "p 4"]:
        inputs, local = self.net.inputs(self.encoded, points[None], directions[None])
        pixels = self.encoded.pixels(local)
        if self.plain:
            features = self.net.features(self.encoded, pixels)
            return self.net.perceptron(fine)(features, inputs, views=self.views)[0]
        tabled = self.fine if fine else self.coarse
        return tabled.perceptron(inputs, tabled.entering(pixels))


class Tabled:
    """What features add to a perceptron, in tables with a row for each pixel of the views' maps."""

    def __init__(self, perceptron: QuickPerceptron, encoded: Encoded) -> None:
        self.perceptron, self.encoded = perceptron, encoded
        latent = encoded.latent.permute(0, 2, 3, 1).flatten(0, 2)
        vectors = encoded.vectors
        if vectors is not None:
            latent = torch.cat((vectors.repeat_interleave(len(latent) // len(vectors), 0), latent), dim=1)
        # Shares of the four pixels add up to 1, so that constants may be in the tables.
        self.tables = [perceptron.added(number, latent) for number in range(perceptron.entered)]

    def entering(self, pixels: Float[Tensor, "v p 2"]) -> Entering:
        """What they add at pixels of the source views."""
        found = bilinear_pixels(self.encoded, pixels)
        shares = found.shares.to(self.perceptron.dtype)

        def added(number: int) -> Tensor:
            return functional.embedding_bag(found.rows, self.tables[number], mode="sum", per_sample_weights=shares)

        return added


def bilinear(network: Network) -> bool:
    """Whether features are looked up as `bilinear_pixels` does."""
    return network.use_features and network.lookup == "bilinear" and network.padding == "border"


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
