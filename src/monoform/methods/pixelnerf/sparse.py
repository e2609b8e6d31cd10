"""The field for training: gradients of those samples alone that have one.

A sample whose density is 0 has no weight in its pixel, and ReLU passes nothing on: what a loss makes of the pixel does
not reach the network there. Most of space is empty, so that most samples of a step are such. Of them nothing is kept
for the backward pass, which saves its time and its memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...devices import full_precision
from ...nn.field import FieldSamples
from .encoded import Encoded
from .fast_field import ROWS, Tabled, bilinear
from .model import PixelNerfNet, heads
from .quick_perceptron import Kept, QuickPerceptron


class SparseQuery:
    """`PixelNerfNet.query` of b encoded objects: the same numbers and gradients up to rounding, once differentiable.

    Under `torch.autocast` the perceptrons are in its precision; positions and what comes out are float32.

    Args:
        net: a network that `SparseQuery.knows`.
        encoded: what is learned from.
        points: about as many are going to be asked of each object: tables pay where they are more than the pixels of
            the maps.
    """

    def __init__(self, net: PixelNerfNet, encoded: Encoded, points: int) -> None:
        self.net, self.encoded = net, encoded
        place = encoded.latent.device.type
        dtype = torch.get_autocast_dtype(place) if torch.is_autocast_enabled(place) else encoded.latent.dtype
        with torch.no_grad(), full_precision(encoded.latent):
            self.objects = [encoded.detach()[number] for number in range(encoded.objects)]
            self.perceptrons = [QuickPerceptron(net.perceptron(fine), dtype) for fine in (False, True)]
            self.tables: list[list[Tabled]] = [[], []]
            if bilinear(net.config.network) and points > encoded.latent[0, 0].numel():
                self.tables = [[Tabled(one, each) for each in self.objects] for one in self.perceptrons]

    @staticmethod
    def knows(net: PixelNerfNet) -> bool:
        """Whether the network is one whose features enter by addition, and whose views are averaged."""
        both = [net.perceptron(fine) for fine in (False, True)]
        return all(len(mlp.lin_z) and not mlp.config.spade and mlp.config.pooling == "average" for mlp in both)

    def __call__(
        self, points: Float[Tensor, "b p 3"], directions: Float[Tensor, "b p 3"], *, fine: bool
    ) -> FieldSamples:
        """Density per world unit and sRGB 0..1 at world points, seen along unit directions."""
        names, weights = zip(*self.net.perceptron(fine).named_parameters(), strict=True)
        latent, vectors = self.encoded.latent, self.encoded.vectors
        return heads(_Raw.apply(self, fine, names, directions, points, latent, vectors, *weights))

    def asked(self, points: Tensor, directions: Tensor, fine: bool, pieces: list[_Piece]) -> Float[Tensor, "b p 4"]:
        """Color and density before the heads; what the backward pass needs goes to `pieces`."""
        found = points.new_empty(*points.shape[:2], 4)
        perceptron, tables = self.perceptrons[fine], self.tables[fine]
        for number, encoded in enumerate(self.objects):
            for rows in torch.arange(points.shape[1], device=points.device).split(max(1, ROWS // encoded.views)):
                inputs, local = self.net.inputs(encoded, points[number, rows][None], directions[number, rows][None])
                pixels = encoded.pixels(local)
                if tables:
                    entering = tables[number].entering(pixels)
                else:
                    features = self.net.features(encoded, pixels).flatten(0, 1)
                    entering = partial(perceptron.added, features=features)
                kept = Kept(encoded.views)
                raw = found[number, rows] = perceptron(inputs, entering, kept)
                dense = (raw[:, 3] > 0).nonzero()[:, 0]
                pieces.append(_Piece(number, rows[dense], kept.of(dense, len(raw))))
        return found


@dataclass(frozen=True, eq=False)
class _Piece:
    """Samples of one object that may have a gradient.

    Attributes:
        number: of the object.
        rows: its points.
        kept: of their forward pass.
    """

    number: int
    rows: Int[Tensor, " p"]
    kept: Kept


class _Raw(torch.autograd.Function):
    """Color and density before the heads."""

    @staticmethod
    def forward(
        ctx: Any,
        query: SparseQuery,
        fine: bool,
        names: tuple[str, ...],
        directions: Tensor,
        points: Tensor,
        *given: Any,
    ) -> Tensor:
        ctx.query, ctx.fine, ctx.names, ctx.pieces = query, fine, names, []
        ctx.save_for_backward(directions, points, *given)
        with full_precision(points):
            return query.asked(points, directions, fine, ctx.pieces)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        directions, points, latent, vectors, *weights = ctx.saved_tensors
        query: SparseQuery = ctx.query
        sums = {name: torch.zeros_like(weight) for name, weight in zip(ctx.names, weights, strict=True)}
        looked = [
            torch.zeros_like(one) if yes else None
            for one, yes in zip((points, latent, vectors), ctx.needs_input_grad[4:7], strict=True)
        ]
        with full_precision(points):
            for piece in ctx.pieces:
                number, views = piece.number, query.encoded.views
                of_views = slice(number * views, (number + 1) * views)
                places: tuple[Any, ...] = ((number, piece.rows), of_views, of_views)
                given = (points, latent, vectors)
                leaves = [
                    None if one is None else one[place].detach().requires_grad_(total is not None)
                    for one, place, total in zip(given, places, looked, strict=True)
                ]
                seen = _looked_up(query, number, leaves, directions[number, piece.rows])
                perceptron = query.perceptrons[ctx.fine]
                own = gradient[number, piece.rows]
                back = perceptron.backward(
                    own, piece.kept, *(one.detach().flatten(0, 1) for one in seen), sums, asked=seen[1].requires_grad
                )
                for total, place, part in zip(looked, places, _back(seen, back, leaves), strict=True):
                    if total is not None and part is not None:
                        total[place] += part
        return None, None, None, None, *looked, *sums.values()


def _looked_up(query: SparseQuery, number: int, leaves: Sequence[Tensor | None], directions: Tensor) -> list[Tensor]:
    """The inputs of the perceptrons, with a record of how they come from points, maps and vectors."""
    points, latent, vectors = leaves
    assert points is not None and latent is not None
    with torch.enable_grad():
        encoded = replace(query.objects[number], latent=latent, vectors=vectors)
        inputs, local = query.net.inputs(encoded, points[None], directions[None])
        return [inputs, query.net.features(encoded, encoded.pixels(local))]


def _back(seen: Sequence[Tensor], gradients: Sequence[Tensor], leaves: Sequence[Tensor | None]) -> list[Tensor | None]:
    """What comes back to the leaves that ask for it."""
    asking = [leaf for leaf in leaves if leaf is not None and leaf.requires_grad]
    pairs = [(one, own.reshape(one.shape)) for one, own in zip(seen, gradients, strict=True) if one.requires_grad]
    if not pairs:
        return [None] * len(leaves)
    outputs, owns = zip(*pairs, strict=True)
    found = iter(torch.autograd.grad(outputs, asking, owns, allow_unused=True))
    return [next(found) if leaf is not None and leaf.requires_grad else None for leaf in leaves]
