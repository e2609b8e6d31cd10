"""A view with gradients, drawn in as many parts as memory asks for."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ...memory import Portions
from ...render.march import MarchSamples
from .model import RealFusionField
from .rendering import Look, Sampled, Seen, joined, render, unit_light


def render_parts(
    field: RealFusionField,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    look: Look,
    portions: Portions,
) -> tuple[Seen, Sampled]:
    """The same as `render`, for rays in portions."""
    light = unit_light(origins) if look.light is None else look.light

    def part(rays: slice) -> tuple[Seen, Sampled]:
        noise, behind = look.noise, look.background
        own = replace(
            look,
            light=light,
            noise=None if noise is None else noise[rays],
            background=behind[rays] if isinstance(behind, Tensor) else behind,
        )
        return render(field, origins[rays], directions[rays], own)

    found = portions.checkpointed(part, len(origins))
    if len(found) == 1:
        return found[0]
    seen = joined([one for one, _ in found])
    samples = _joined_samples([one.samples for _, one in found])
    rest = ("points", "toward", "density", "normals")
    return seen, Sampled(samples, *(torch.cat([getattr(one, name) for _, one in found]) for name in rest))


def _joined_samples(parts: list[MarchSamples]) -> MarchSamples:
    rays, before = [], 0
    for part in parts:
        rays.append(part.ray + before)
        before += len(part.counts)
    rest = ("counts", "distance", "length", "gap")
    return MarchSamples(torch.cat(rays), *(torch.cat([getattr(part, name) for part in parts]) for name in rest))
