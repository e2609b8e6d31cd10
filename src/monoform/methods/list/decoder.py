"""From features of picture and volumes at a point to its signed distance (Arshad and Beksi 2023, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

Maps = Sequence[Float[Tensor, "b _ _ _"]]
Volumes = Sequence[Float[Tensor, "b _ _ _ _"]]


def resized(image_map: Float[Tensor, "b c _ _"], side: int) -> Float[Tensor, "b c s s"]:
    """A map at `side` x `side` pixels, its corner pixels staying corners."""
    return interpolate(image_map, (side, side), mode="bilinear", align_corners=True)


def pooled(maps: Maps, pixels: Float[Tensor, "b n 2"], side: int) -> Float[Tensor, "b f n"]:
    """Features of all maps at pixels (column, row) of a map of `side` pixels; pixels beyond it count as its border."""
    return torch.cat([at_pixels(resized(each, side), pixels) for each in maps], dim=1)


def at_pixels(image_map: Float[Tensor, "b c s s"], pixels: Float[Tensor, "b n 2"]) -> Float[Tensor, "b c n"]:
    """Features of one map at its own pixels, between them bilinear."""
    last = image_map.shape[-1] - 1
    coordinates = pixels.clamp(0, last) * (2 / last) - 1
    return grid_sample(image_map, coordinates[:, :, None], align_corners=True)[..., 0]


def gathered(volumes: Volumes, query: Float[Tensor, "b n 3"], offsets: Float[Tensor, "k 3"]) -> Float[Tensor, "b f n"]:
    """Features of all volumes at each query and its neighbours: volumes one after the other, in them channel outer and
    offset inner; beyond a volume its border counts."""
    coordinates = (query[:, None] + offsets[:, None])[:, :, :, None]
    found = [grid_sample(each, coordinates, padding_mode="border", align_corners=True) for each in volumes]
    return torch.cat([each[..., 0].flatten(1, 2) for each in found], dim=1)


def neighbor_offsets(distance: float) -> Float[Tensor, "7 3"]:
    """No step, then a step back and one ahead along each of a query's coordinates."""
    steps = torch.zeros(7, 3)
    for axis in range(3):
        steps[1 + 2 * axis, axis], steps[2 + 2 * axis, axis] = -distance, distance
    return steps


class SdfDecoder(nn.Module):
    """Four layers from all features of a point to its signed distance times the scale.

    Args:
        features: of the volumes at a point and its neighbours, of the maps, and 3.
        hidden: width; the first layer is twice as wide.
        offset: of the neighbours, in half sides of the box.
    """

    def __init__(self, features: int, hidden: int = 256, *, offset: float = 0.0722) -> None:
        super().__init__()
        widths = (features, 2 * hidden, hidden, hidden, 1)
        layers = [nn.Conv1d(before, after, 1) for before, after in pairwise(widths)]
        self.fc = nn.ModuleDict(dict(zip(("fc_0", "fc_1", "fc_2", "fc_out"), layers, strict=True)))
        self.register_buffer("offsets", neighbor_offsets(offset), persistent=False)
        self.offsets: Tensor

    def forward(
        self, volumes: Volumes, image: Float[Tensor, "b i n"], query: Float[Tensor, "b n 3"]
    ) -> Float[Tensor, "b n"]:
        """Scaled signed distances.

        Args:
            volumes: with axes x, y, z.
            image: local features of the picture.
            query: as `network_query` gives it.
        """
        x = torch.cat((gathered(volumes, query, self.offsets), image, query.mT), dim=1)
        return self.after_first(self.fc["fc_0"](x))

    def after_first(self, x: Float[Tensor, "b h n"]) -> Float[Tensor, "b n"]:
        """The layers behind the first, from its result before the activation."""
        x = self.fc["fc_1"](torch.relu(x))
        x = self.fc["fc_2"](torch.relu(x))
        return self.fc["fc_out"](torch.relu(x))[:, 0]
