"""Rendering whole images quickly: the numbers of `render`, without what cannot be seen.

Three things are left out, and what that changes is bounded:

- samples in cells that `skipping` finds empty: as if the density were 0 there. Where it is nowhere above `d` in what
  is left out, a pixel changes by at most 1 - exp(-d (far - near)) in each pass; a structure that is thinner than the
  probes' distance and of which no probe sees a trace can be missed altogether.
- samples behind what is opaque: where less than `opaque` of a ray passes, the rest of it changes a pixel by less.
- digits, where `precision` is bfloat16.

With `skip` off and `opaque` 0 nothing is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...errors import InputError
from ...nn.field import FieldSamples
from ...render import RaySampleNoise, render_passes
from ...render.chunks import slices as pieces
from ...render.intervals import lengths_to_next
from ...render.passes import SampleRays
from .config import Precision, Sampling
from .encoded import Encoded
from .fast_field import FastField
from .model import PixelNerfNet
from .render import as_rays
from .skipping import Occupancy, probe

Change = Callable[[Tensor, FieldSamples], FieldSamples]
SEGMENT = 16  # samples of a ray between two looks at how much still passes
BYTES_PER_SAMPLE = 160


@dataclass(frozen=True)
class FastOptions:
    """What is left out of an image, and in what it is computed.

    Attributes:
        precision: of the networks.
        skip: whether samples in empty cells are left out.
        block: pixels between the rays that are probed for empty cells.
        slices: depths probed along each of these rays.
        margin: by how much of the probes' spread a cell has to be below 0 to be empty.
        opaque: a ray ends where less than this passes.
        memory_bytes: about what the samples of rays may use at once, besides the networks.
    """

    precision: Precision = "float32"
    skip: bool = True
    block: int = 4
    slices: int = 48
    margin: float = 0.5
    opaque: float = 1e-3
    memory_bytes: int = 1 << 28

    def __post_init__(self) -> None:
        if self.block < 1 or self.slices < 2 or self.margin < 0 or not 0 <= self.opaque < 1 or self.memory_bytes < 1:
            raise InputError(
                f"Skipping needs blocks of at least 1 pixel, 2 slices, a margin from 0, an opaqueness in 0..1 and "
                f"memory; it got {self.block}, {self.slices}, {self.margin}, {self.opaque} and {self.memory_bytes}."
            )


EVERYTHING = FastOptions(skip=False, opaque=0.0)


@dataclass(frozen=True, eq=False)
class FastImage:
    """An image of one object.

    Attributes:
        rgb: on the background, 0..1.
        depth: sum of weight x distance along the unit rays.
        alpha: coverage 0..1.
        evaluations: how often a network was asked, probes included.
    """

    rgb: Float[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]
    alpha: Float[Tensor, "h w"]
    evaluations: int


@torch.no_grad()
def render_image(
    net: PixelNerfNet,
    encoded: Encoded | FastField,
    rays: Float[Tensor, "h w 8"],
    *,
    sampling: Sampling | None = None,
    noise: RaySampleNoise | None = None,
    generator: torch.Generator | None = None,
    options: FastOptions | None = None,
    change: Change | None = None,
) -> FastImage:
    """Render the rays (origin, unit direction, near, far) of an image of one object.

    Args:
        encoded: the object, or its `FastField` when several images of it are rendered.
        sampling: as of `render`.
        noise: as of `render`, which gives the same image from the same noise.
        generator: as of `render`.
        change: of what the field says at points; it may only take density away.
    """
    options, sampling = options or FastOptions(), sampling or net.config.sampling
    field = encoded if isinstance(encoded, FastField) else FastField(net, encoded, precision=options.precision)
    height, width = rays.shape[:2]
    noise = noise or RaySampleNoise.draw(height * width, sampling.rays, generator)
    occupancy = None
    if options.skip:
        occupancy = probe(field, rays, sampling, block=options.block, slices=options.slices, margin=options.margin)
    drawing = _Drawing(field, sampling, options.opaque, occupancy, change)
    flat, noise = rays.reshape(-1, 8), noise.to(rays)
    numbers = torch.arange(len(flat), device=rays.device)
    rgb = torch.full_like(flat[:, :3], 1.0 if sampling.white else 0.0)
    depth, alpha = torch.zeros_like(flat[:, 0]), torch.zeros_like(flat[:, 0])
    seen = drawing.hits(numbers, width).nonzero()[:, 0]
    size = max(1, options.memory_bytes // (BYTES_PER_SAMPLE * (sampling.coarse + sampling.fine)))
    for part in pieces(len(seen), size):
        chosen = seen[part]
        rgb[chosen], depth[chosen], alpha[chosen] = drawing.rays(flat[chosen], noise[chosen], chosen, width)
    shape = (height, width)
    evaluations = drawing.evaluations + (2 * occupancy.probes if occupancy is not None else 0)
    return FastImage(rgb.reshape(*shape, 3), depth.reshape(shape), alpha.reshape(shape), evaluations)


class _Drawing:
    """Renderer of pieces of an image in two passes."""

    def __init__(
        self,
        field: FastField,
        sampling: Sampling,
        opaque: float,
        occupancy: Occupancy | None,
        change: Change | None = None,
    ) -> None:
        self.field, self.sampling, self.opaque, self.occupancy = field, sampling, opaque, occupancy
        self.change = change
        self.evaluations = 0

    def hits(self, numbers: Int[Tensor, " r"], width: int) -> Bool[Tensor, " r"]:
        """Which pixels have a cell that is not empty."""
        if self.occupancy is None:
            return torch.ones_like(numbers, dtype=torch.bool)
        both = [self.occupancy.columns(numbers // width, numbers % width, fine=fine) for fine in (False, True)]
        return (both[0] | both[1]).any(dim=1)

    def rays(
        self, rays: Float[Tensor, "r 8"], noise: RaySampleNoise, numbers: Int[Tensor, " r"], width: int
    ) -> tuple[Float[Tensor, "r 3"], Float[Tensor, " r"], Float[Tensor, " r"]]:
        """Colour, depth and coverage of rays."""

        def sampler(fine: bool) -> SampleRays:
            def sample(distances: Tensor) -> FieldSamples:
                return self._samples(rays, distances, self._wanted(rays, distances, numbers, width, fine), fine)

            return sample

        seen = render_passes(as_rays(rays), self.sampling.rays, noise, sampler(False), sampler(True)).best
        return seen.rgb, seen.depth, seen.alpha

    def _samples(
        self, rays: Tensor, distances: Float[Tensor, "r k"], wanted: Bool[Tensor, "r k"], fine: bool
    ) -> FieldSamples:
        """The field at wanted samples that something still passes to; nothing elsewhere."""
        density, rgb = torch.zeros_like(distances), distances.new_zeros(*distances.shape, 3)
        lengths = lengths_to_next(distances, rays[:, 7:8], "far")
        passing = torch.ones_like(distances[:, 0])
        segment = SEGMENT if self.opaque > 0 else distances.shape[1]
        for start in range(0, distances.shape[1], segment):
            part = slice(start, start + segment)
            ray, sample = (wanted[:, part] & (passing > self.opaque)[:, None]).nonzero(as_tuple=True)
            if len(ray) == 0:
                continue
            sample = sample + start
            directions = rays[ray, 3:6]
            points = rays[ray, :3] + distances[ray, sample, None] * directions
            found = self.field.query(points, directions, fine=fine)
            found = found if self.change is None else self.change(points, found)
            density[ray, sample], rgb[ray, sample] = found.geometry, found.values
            self.evaluations += len(ray)
            passing = passing * torch.exp(-(lengths[:, part] * density[:, part]).sum(dim=1))
        return FieldSamples(density, rgb)

    def _wanted(
        self, rays: Tensor, distances: Float[Tensor, "r k"], numbers: Tensor, width: int, fine: bool
    ) -> Bool[Tensor, "r k"]:
        if self.occupancy is None:
            return torch.ones_like(distances, dtype=torch.bool)
        cells = self.occupancy.columns(numbers // width, numbers % width, fine=fine)
        near, far = rays[:, 6:7], rays[:, 7:8]
        fraction = (distances - near) / (far - near)
        if self.sampling.linear_disparity:
            fraction = (1 / distances - 1 / near) / (1 / far - 1 / near)
        return cells.gather(1, (fraction * cells.shape[1]).long().clamp(0, cells.shape[1] - 1))
