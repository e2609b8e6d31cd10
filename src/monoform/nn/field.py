"""What every representation of an object offers: geometry and colour at points, and where it lives."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Field(Protocol):
    """A volume with a shape and a colour, in world coordinates.

    Attributes:
        kind: "density" (per world unit, >= 0) or "sdf" (signed distance in world units, negative inside).
        bounds: lower and upper corner of the world box outside which there is nothing.
        representative_direction: unit direction that meshing uses where geometry or colour depends on the view
            direction; None where it does not matter.
    """

    @property
    def kind(self) -> Literal["density", "sdf"]: ...

    @property
    def bounds(self) -> Float[Tensor, "2 3"]: ...

    @property
    def representative_direction(self) -> Float[Tensor, " 3"] | None: ...

    def geometry(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
        """Density or signed distance, as `kind` says."""
        ...

    def color(self, points: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"] | None) -> Float[Tensor, "n 3"]:
        """sRGB in 0..1, as seen along unit `directions`; None asks for the representative direction."""
        ...
