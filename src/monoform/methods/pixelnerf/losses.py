"""What pixelNeRF's training makes small."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ...render import RayRender


def color_loss(
    rendered: RayRender, colors: Float[Tensor, "b r 3"], *, absolute: bool
) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean differences of the coarse and the fine colors to the true ones, together (Yu et al. 2021, equation 7).

    Args:
        absolute: whether differences count as they are, or squared.

    Returns:
        the loss, and for the record its parts and the PSNR.
    """
    parts = {}
    for name, seen in (("coarse", rendered.coarse), ("fine", rendered.fine)):
        if seen is not None:
            difference = seen.rgb - colors
            parts[name] = difference.abs().mean() if absolute else difference.square().mean()
    measures = {name: value.detach() for name, value in parts.items()}
    measures["psnr"] = -10 * torch.log10((rendered.best.rgb.detach() - colors).square().mean())
    return torch.stack(list(parts.values())).sum(), measures
