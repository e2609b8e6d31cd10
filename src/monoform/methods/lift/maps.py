"""Maps over a crop: looked up at places, and gone on with where nothing is known."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from scipy import ndimage
from torch import Tensor
from torch.nn import functional


def look_up(maps: Float[Tensor, "1 c h w"], uv: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    """Values of maps at places of the crop, -1..1."""
    found = functional.grid_sample(maps, uv[None, None], mode="bilinear", padding_mode="border", align_corners=False)
    return found[0, :, 0].T


def continued(maps: Float[Tensor, "k c h w"], inside: Bool[Tensor, "1 1 h w"]) -> Float[Tensor, "k c h w"]:
    """Maps that go on beyond the mask as they are at its nearest pixel."""
    if not inside.any():
        return maps
    nearest = ndimage.distance_transform_edt(~inside[0, 0].numpy(), return_distances=False, return_indices=True)
    return maps[:, :, torch.from_numpy(nearest[0]), torch.from_numpy(nearest[1])]
