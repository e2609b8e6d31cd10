"""The interface of anything that renders rays, all that pose estimation needs of a scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from ..devices import to_device
from ..nn.field import Field
from .sampling import RaySampling
from .volume import render_rays


@dataclass(frozen=True, eq=False)
class RayColors:
    """What rays see.

    Attributes:
        rgb: sRGB 0..1, on the renderer's background.
        alpha: coverage 0..1.
        distance: mean distance along the ray of what is seen, in world units; 0 where nothing is.
    """

    rgb: Float[Tensor, "r 3"]
    alpha: Float[Tensor, " r"]
    distance: Float[Tensor, " r"]


@runtime_checkable
class RayRenderer(Protocol):
    """Colour and coverage of rays in the world; differentiable in origins and directions where autograd is on.

    The same at every call without a generator. Sample positions along a ray may be constants for autograd; `rgb` and
    `alpha` carry the graph, `distance` may be without one. A renderer tells its plain background, sRGB 0..1, as an
    attribute `background`, None where it is not plain; one without the attribute is taken to draw on white.
    """

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors: ...


@dataclass(frozen=True, eq=False)
class FieldRenderer:
    """A `RayRenderer` of any `Field`, by `render_rays`.

    Attributes:
        field: what is seen.
        sampling: samples per ray and background; None: the defaults.
    """

    field: Field
    sampling: RaySampling | None = None

    @property
    def background(self) -> tuple[float, float, float]:
        """sRGB 0..1."""
        return (self.sampling or RaySampling()).background

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        seen = render_rays(self.field, origins, directions, self.sampling, generator=generator)
        return RayColors(seen.rgb, seen.alpha, seen.distance.detach())


@dataclass(frozen=True, eq=False)
class HostRenderer:
    """A `RayRenderer` of another device, of rays of any: what they see is where they are.

    Attributes:
        renderer: of the other device.
        device: where it computes.
    """

    renderer: RayRenderer
    device: torch.device

    @property
    def background(self) -> tuple[float, float, float] | None:
        """sRGB 0..1; None where it is not plain."""
        return background_of(self.renderer)

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        seen = self.renderer(origins.to(self.device), directions.to(self.device), generator=generator)
        return to_device(seen, origins.device)


def background_of(renderer: object) -> tuple[float, float, float] | None:
    """Plain background of a renderer, sRGB 0..1; white where it declares none, None where it is not plain."""
    return getattr(renderer, "background", (1.0, 1.0, 1.0))
