"""The air between front and back, which the network tells, as something that is cut out of the solid.

It never reaches the front or the back, so the solid covers its mask as before; and it leaves each part of the mask in
one piece, since it is cut only where columns beside it stay whole.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from ...scene.outline import signed_distance
from .maps import continued, look_up

LIKELY = 0.5  # probability from which a hollow is cut
WALL = 0.06  # half sides of the crop that stay before and behind it
LEAST = 0.05  # half sides; what is free for less is left
WHOLE = 0.1  # share of a part of the mask that must stay whole


@dataclass(frozen=True, eq=False)
class Hollow:
    """Where the hollow is.

    Attributes:
        maps: z where it begins and ends, and the distance to its outline in half sides of the crop, positive inside.
    """

    maps: Float[Tensor, "1 3 f f"]

    @classmethod
    def of(
        cls, told: Float[Tensor, "1 3 h w"], depths: Float[Tensor, "1 2 f f"], outline: Float[Tensor, "1 1 t t"]
    ) -> Hollow | None:
        """The hollow that the network tells between these depths of front and back; None where there is none."""
        size = depths.shape[2:]
        fine = functional.interpolate(told, size, mode="bilinear", align_corners=False)
        mask = functional.interpolate(outline, size, mode="area") > 0
        begin, end = (depths[:, :1] + share * (depths[:, 1:] - depths[:, :1]) for share in fine[:, 1:].split(1, dim=1))
        begin, end = torch.maximum(begin, depths[:, :1] + WALL), torch.minimum(end, depths[:, 1:] - WALL)
        probability = torch.sigmoid(fine[:, :1]) * (end - begin > LEAST)
        kept = mask & _beside_whole_columns(mask, probability > LIKELY)
        if not (kept & (probability > LIKELY)).any():
            return None
        probability = probability * kept
        within = torch.from_numpy(signed_distance(probability[0, 0].numpy())).float()[None, None] * (2 / size[-1])
        ends = continued(torch.cat((begin, end), 1), probability > LIKELY)
        return cls(torch.cat((ends, within), 1))

    def depth_within(self, z: Float[Tensor, " n"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, " n"]:
        """About the distance to the hollow's border, positive in it."""
        begin, end, within = look_up(self.maps, uv).unbind(dim=1)
        return torch.minimum(torch.minimum(z - begin, end - z), within)


def _beside_whole_columns(mask: Bool[Tensor, "1 1 f f"], hollow: Bool[Tensor, "1 1 f f"]) -> Bool[Tensor, "1 1 f f"]:
    """The parts of the mask of which enough is not hollow to hold front and back together."""
    labels, count = ndimage.label(mask[0, 0].numpy())
    parts = range(1, count + 1)
    share = ndimage.mean(hollow[0, 0].numpy(), labels, parts)
    held = [part for part, cut in zip(parts, share, strict=True) if cut < 1 - WHOLE]
    return torch.isin(torch.from_numpy(labels), torch.tensor(held, dtype=torch.int32))[None, None]
