"""The interface of every representation of an object: geometry and values at points, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from ..devices import CPU, hosted, to_device


@dataclass(frozen=True, eq=False)
class FieldSamples:
    """What a field holds at points.

    Attributes:
        geometry: density per world unit, >= 0, or signed distance in world units, negative inside.
        values: the first three are sRGB in 0..1; what follows is the field's own (features, normals, coordinates).
    """

    geometry: Float[Tensor, ...]
    values: Float[Tensor, "... c"]

    @property
    def rgb(self) -> Float[Tensor, "*n 3"]:
        """sRGB in 0..1."""
        return self.values[..., :3]


@runtime_checkable
class Field(Protocol):
    """A volume with a shape and values, in world coordinates.

    A class that derives from it says `query`, or `geometry` and `values` where these share no work. Points may have any
    leading dimensions, for instance one for several objects.

    Attributes:
        kind: whether geometry is a "density" or an "sdf".
        bounds: lower and upper corner of the world box outside which there is nothing.
        representative_direction: unit direction that meshing uses where geometry or values depend on the view
            direction; None where it does not matter.
    """

    def __repr__(self) -> str:
        low, high = (", ".join(f"{each:.3g}" for each in corner) for corner in self.bounds.tolist())
        return f"<{type(self).__name__}: {self.kind} from ({low}) to ({high})>"

    @property
    def kind(self) -> Literal["density", "sdf"]: ...

    @property
    def bounds(self) -> Float[Tensor, "2 3"]: ...

    @property
    def representative_direction(self) -> Float[Tensor, " 3"] | None:
        """None, unless a class says otherwise."""
        return None

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Geometry and values as seen along unit `directions`; None asks for the representative direction."""
        return FieldSamples(self.geometry(points), self.values(points, directions))

    def geometry(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """Signed distance or density alone, for users that need no values."""
        return self.query(points, None).geometry

    def values(
        self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None
    ) -> Float[Tensor, "*n c"]:
        """The values alone, for what colors a known surface."""
        return self.query(points, directions).values


class HostField(Field):
    """A field of another device that answers on the device of the points: what it has besides does, too."""

    def __init__(self, field: Field) -> None:
        self.inner = field
        self._device = field.bounds.device

    @property
    def kind(self) -> Literal["density", "sdf"]:
        """Of the field."""
        return self.inner.kind

    @property
    def bounds(self) -> Float[Tensor, "2 3"]:
        """Of the field, on the CPU."""
        return self.inner.bounds.cpu()

    @property
    def representative_direction(self) -> Float[Tensor, " 3"] | None:
        """Of the field, on the CPU."""
        return to_device(self.inner.representative_direction, CPU)

    def query(self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None) -> FieldSamples:
        """Geometry and values of the field."""
        return hosted(self.inner.query, self._device)(points, directions)

    def geometry(self, points: Float[Tensor, "*n 3"]) -> Float[Tensor, "*n"]:
        """The geometry alone."""
        return hosted(self.inner.geometry, self._device)(points)

    def values(
        self, points: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"] | None = None
    ) -> Float[Tensor, "*n c"]:
        """The values alone."""
        return hosted(self.inner.values, self._device)(points, directions)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "inner":
            raise AttributeError(name)
        found = getattr(self.inner, name)
        return hosted(found, self._device) if callable(found) else to_device(found, CPU)
