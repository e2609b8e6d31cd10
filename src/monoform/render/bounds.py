"""Where rays enter and leave a box or a sphere."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def ray_box(
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    bounds: Float[Tensor, "2 3"],
    *,
    backwards: bool = False,
    reciprocal: bool = False,
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"], Bool[Tensor, " r"]]:
    """Distances at which rays enter and leave an axis-aligned box (Kay and Kajiya 1986, slabs), and who hits it.

    An origin inside the box enters at 0; a miss has near = far = 0. Distances are in lengths of `directions`.

    Args:
        backwards: whether rays reach behind their origins, too, at distances below 0.
        reciprocal: multiply by 1 / direction instead of dividing, as many programs do: the last bit decides whether the
            point where a ray enters lies in the box.
    """
    parallel = directions == 0
    safe = torch.where(parallel, torch.ones_like(directions), directions)
    offsets = bounds.to(origins)[:, None] - origins
    crossings = offsets * (1 / safe) if reciprocal else offsets / safe
    inside = (origins >= bounds.to(origins)[0]) & (origins <= bounds.to(origins)[1])
    # A ray parallel to a slab is inside it for ever or never.
    for_ever = torch.where(inside, torch.inf, -torch.inf).to(origins)
    enter = torch.where(parallel, -for_ever, crossings.amin(dim=0)).amax(dim=-1)
    enter = enter if backwards else enter.clamp_min(0.0)
    leave = torch.where(parallel, for_ever, crossings.amax(dim=0)).amin(dim=-1)
    return _keep_hits(enter, leave, leave > enter)


def ray_sphere(
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    radius: float,
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"], Bool[Tensor, " r"]]:
    """Distances at which rays of unit direction enter and leave a sphere, and who hits it.

    An origin inside enters at 0; a miss has near = far = 0.
    """
    offset = origins - origins.new_tensor(center)
    middle = -(offset * directions).sum(dim=-1)
    # The closest approach as a vector loses fewer digits than |offset|^2 - middle^2.
    closest = offset + middle[:, None] * directions
    squared = radius**2 - closest.square().sum(dim=-1)
    half_chord = squared.clamp_min(0.0).sqrt()
    enter, leave = (middle - half_chord).clamp_min(0.0), middle + half_chord
    return _keep_hits(enter, leave, (squared > 0) & (leave > enter))


def _keep_hits(
    enter: Float[Tensor, " r"], leave: Float[Tensor, " r"], hit: Bool[Tensor, " r"]
) -> tuple[Float[Tensor, " r"], Float[Tensor, " r"], Bool[Tensor, " r"]]:
    zero = torch.zeros_like(enter)
    return torch.where(hit, enter, zero), torch.where(hit, leave, zero), hit
