"""Signed distances of many points of one picture, with what depends on the picture alone done once.

The first layer is linear, as are resizing and looking up: its part for the picture is applied to the maps themselves,
and a point then looks up as many numbers as the layer is wide instead of all channels. So it is with the coarse volumes
of many channels, once for each of a point's seven places. Other volumes are looked up as weighted sums of rows. The
result is that of `ListNet.distances` up to rounding and the level.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import embedding_bag, linear

from .decoder import resized
from .localize import network_query, project
from .model import Encoding, ListNet

CHUNK = 8192  # points at a time: their features stay within the processor's cache
FOLDED_CHANNELS = 64  # from so many on the first layer is applied to a volume, where that takes
FOLDED_NUMBERS = 1 << 24  # no more than so many numbers


class FastDistances:
    """Distances in world units from the surface at the network's `level`, negative inside, at points of the box of one
    picture.

    Args:
        net: in evaluation mode.
        seen: what it has seen.
        which: of its pictures.
        fold: whether the first layer's parts for the picture and the coarse volumes are applied to these; else each
            point's channels are looked up and multiplied.
    """

    @torch.no_grad()
    def __init__(self, net: ListNet, seen: Encoding, which: int = 0, *, fold: bool = True) -> None:
        self.net, self.fold = net, fold
        network, first = net.config.network, net.sdf_decoder.fc["fc_0"]
        self.matrix = seen.matrix[which : which + 1]
        self.side = network.map_side
        assert isinstance(first, nn.Conv1d) and first.bias is not None
        weight = first.weight[..., 0]
        near, local = network.volume_features, network.image_channels
        volumes = [volume[which] for volume in seen.volumes]
        parts = weight[:, :near].split([7 * len(volume) for volume in volumes], dim=1)
        self.volumes = [_Volume(volume, part, fold=fold) for volume, part in zip(volumes, parts, strict=True)]
        self.of_query, self.bias = weight[:, near + local :].mT.contiguous(), first.bias
        maps = [each[which : which + 1] for each in seen.maps]
        self.of_local = weight[:, near : near + local]
        self.map = self._folded(maps) if fold else torch.cat([resized(each, self.side) for each in maps], 1)[0]
        self.map_rows = self.map.flatten(1).mT.contiguous()
        later = [net.sdf_decoder.get_parameter(f"fc.{name}.weight")[..., 0] for name in ("fc_1", "fc_2", "fc_out")]
        biases = [net.sdf_decoder.get_parameter(f"fc.{name}.bias") for name in ("fc_1", "fc_2", "fc_out")]
        self.layers = list(zip(later, biases, strict=True))

    def _folded(self, maps: list[Float[Tensor, "1 _ _ _"]]) -> Float[Tensor, "h s s"]:
        """What the first layer makes of the maps, at each of their pixels."""
        weights = self.of_local.split([each.shape[1] for each in maps], dim=1)
        folded = []
        for each, weight in zip(maps, weights, strict=True):
            small = each if each.shape[-1] <= self.side else resized(each, self.side)
            folded.append(resized(torch.einsum("oc,bchw->bohw", weight, small), self.side)[0])
        return torch.stack(folded).sum(0)

    @torch.no_grad()
    def __call__(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Distances of points of the box."""
        parts = [self._part(part) for part in points.split(CHUNK)]
        return torch.cat(parts) if parts else points.new_zeros(0)

    def _part(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        query = network_query(points, self.net.config.network.half_side)
        coordinates = (query[:, None] + self.net.sdf_decoder.offsets).flatten(0, 1)
        x = torch.addmm(self.bias, query, self.of_query)
        for volume in self.volumes:
            volume.add(x, coordinates)
        pixels = project(query[None], self.matrix)[0].clamp(0, self.side - 1) * (2 / (self.side - 1)) - 1
        local = looked_up(self.map_rows, self.map.shape[1:], pixels)
        x = x.add_(local) if self.fold else x.addmm_(local, self.of_local.mT)
        for weight, bias in self.layers:
            x = linear(x.relu_(), weight, bias)
        config = self.net.config
        return (x[:, 0] - config.level) / config.sdf_scale


class _Volume:
    """A volume (c, x, y, z) and the first layer's part for it, (h, 7 c), channel by channel."""

    def __init__(self, volume: Float[Tensor, "c x y z"], part: Float[Tensor, "h _"], *, fold: bool) -> None:
        self.shape = volume.shape[1:]
        rows, weight = volume.flatten(1).mT, part.unflatten(1, (-1, 7))
        numbers = 7 * len(rows) * len(part)
        self.folded = fold and len(volume) >= FOLDED_CHANNELS and numbers <= FOLDED_NUMBERS
        if self.folded:
            # Rows of one node for its seven parts, one after the other.
            self.rows = torch.einsum("mc,hck->mkh", rows, weight).flatten(0, 1)
        else:
            # A point's row holds its seven places one after the other.
            self.rows, self.weight = rows.contiguous(), weight.mT.flatten(1).mT.contiguous()

    def add(self, x: Float[Tensor, "n h"], coordinates: Float[Tensor, "seven_n 3"]) -> None:
        """Add to the first layer's result what n points, at seven places each, take from this volume."""
        if not self.folded:
            x.addmm_(looked_up(self.rows, self.shape, coordinates).view(len(x), -1), self.weight)
            return
        index, weight = _corners(self.shape, coordinates)
        index = (7 * index).view(len(x), 7, -1) + torch.arange(7, device=index.device)[:, None]
        x += embedding_bag(index.flatten(1), self.rows, per_sample_weights=weight.view(len(x), -1), mode="sum")


def looked_up(
    rows: Float[Tensor, "m c"], shape: torch.Size | tuple[int, ...], coordinates: Float[Tensor, "n d"]
) -> Float[Tensor, "n c"]:
    """Rows of a grid between whose nodes places lie, weighted; -1..1 spans the nodes, beyond them the border counts.

    Args:
        rows: one for each node, the last axis of the grid running fastest.
        coordinates: last axis of the grid first.
    """
    index, weight = _corners(shape, coordinates)
    return embedding_bag(index, rows, per_sample_weights=weight, mode="sum")


def _corners(
    shape: torch.Size | tuple[int, ...], coordinates: Float[Tensor, "n d"]
) -> tuple[Int[Tensor, "n k"], Float[Tensor, "n k"]]:
    """The 2^d nodes around each place and their weights."""
    index = torch.zeros(len(coordinates), 1, dtype=torch.long, device=coordinates.device)
    weight = torch.ones(len(coordinates), 1, dtype=coordinates.dtype, device=coordinates.device)
    for axis, count in enumerate(shape):
        at = ((coordinates[:, -1 - axis] + 1) * (0.5 * (count - 1))).clamp(0, count - 1)
        low = at.floor().clamp(max=max(count - 2, 0))
        share = (at - low)[:, None]
        before = low.long()[:, None]
        after = (before + 1).clamp(max=count - 1)
        index = torch.cat((index * count + before, index * count + after), dim=1)
        weight = torch.cat((weight * (1 - share), weight * share), dim=1)
    return index, weight
