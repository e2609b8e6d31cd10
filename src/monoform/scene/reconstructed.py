"""One object as a method gives it back: its field, the views it explains, and where it comes from."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ..camera import Camera
from ..errors import InputError
from ..nn import Field
from .photo import Photo

CAPABILITIES = ("geometry", "color", "camera")
# Writes into a result's folder what a method alone has, as one camera sees it where there is one; tells what is in
# each file, by its name.
OwnFiles = Callable[[Path, Camera | None], Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class View:
    """A photo of the object.

    Attributes:
        photo: the photo.
        camera: that took it, in pixels of the original photo; None where it is not known.
        covariance: of a motion in the camera's axes, rotation in radians before translation in world units, where the
            camera was fitted to what has residuals; else a sentence that says why there is none.
    """

    photo: Photo
    camera: Camera | None = None
    covariance: Float[Tensor, "6 6"] | str = "The method tells none."

    def __repr__(self) -> str:
        return f"<View of {self.photo!r} by {self.camera!r}>"

    @property
    def spread(self) -> list[list[float]] | None:
        """The covariance as plain numbers; None where there is none."""
        return None if isinstance(self.covariance, str) else self.covariance.tolist()


@dataclass(frozen=True)
class Provenance:
    """Where a reconstruction comes from.

    Attributes:
        method: its name.
        config: options of the method.
        seed: of all randomness.
        weights: which weights were used; None for none.
        citation: BibTeX of what is to be cited.
        fit: how well the reconstruction fits its photo, by measure; None where it was not measured.
    """

    method: str
    config: Any = None
    seed: int = 0
    weights: Mapping[str, Any] | None = None
    citation: tuple[str, ...] = ()
    fit: Mapping[str, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for result.json."""
        config = asdict(self.config) if is_dataclass(self.config) and not isinstance(self.config, type) else self.config
        return {
            "method": self.method,
            "config": config or {},
            "seed": self.seed,
            "weights": dict(self.weights) if self.weights else None,
            "citation": list(self.citation),
            "fit": dict(self.fit) if self.fit else None,
            "versions": versions(),
        }


@dataclass(frozen=True, eq=False, repr=False)
class ReconstructedObject:
    """One object: its field, the photos that show it with their cameras, and where it comes from.

    Attributes:
        field: geometry and color at points of the world.
        views: the photos and their cameras; the first one's photo gives the texture. None for a sample.
        provenance: method, options, seed, weights.
        parts: number of separate solids that the object has.
        texture: "projected": the photo is the atlas of front and back; "continued" (also "front_back"): an atlas of its
            own, with the photo where it sees the surface, its colors continued over the rest and drawn to the field's;
            "baked": an atlas is unwrapped and baked from the photo where it sees the surface and from the field
            elsewhere; "field": baked from the field alone, as always without a photo; "vertices": no atlas, a color of
            the field for each vertex.
        level: density per world unit at which the surface lies; None: the house's, 10, and 0 for a signed distance.
        capabilities: which of "geometry", "color" and "camera" the method itself has given; what it has not is added
            from the photo, or stays away. None: geometry, color, and the camera where the first photo has one.
        own_files: what the method alone has for a result's folder; None: nothing.
    """

    field: Field
    views: tuple[View, ...] = ()
    provenance: Provenance = Provenance("unknown")
    parts: int = 1
    texture: str = "baked"
    level: float | None = None
    capabilities: frozenset[str] = frozenset()
    own_files: OwnFiles | None = None

    def __post_init__(self) -> None:
        names = self.capabilities or (CAPABILITIES if self.has_camera else CAPABILITIES[:2])
        for name in names:
            if name not in CAPABILITIES:
                raise InputError(f"{name!r} is no capability; choose from {', '.join(CAPABILITIES)}.")
        if "camera" in names and not self.has_camera:
            raise InputError("A reconstruction without a camera in its first view cannot have the capability camera.")
        object.__setattr__(self, "capabilities", frozenset(names))

    def __repr__(self) -> str:
        of = f" of {self.photo.name}" if self.has_photo else ""
        return f"<{type(self).__name__}{of} by {self.provenance.method}: {', '.join(sorted(self.capabilities))}>"

    @property
    def camera(self) -> Camera:
        """The camera of the first photo, in its original pixels.

        Raises:
            InputError: it is not known.
        """
        if not self.views or self.views[0].camera is None:
            raise InputError("This reconstruction has no camera: its method estimates none.")
        return self.views[0].camera

    @property
    def has_camera(self) -> bool:
        """Whether the camera of a photo is known, from the method or beforehand."""
        return bool(self.views) and self.views[0].camera is not None

    @property
    def photo(self) -> Photo:
        """The first photo.

        Raises:
            InputError: there is none.
        """
        if not self.views:
            raise InputError("This reconstruction was made without a photo.")
        return self.views[0].photo

    @property
    def has_photo(self) -> bool:
        """Whether it was made from a photo."""
        return bool(self.views)

    @property
    def can_be_overlaid(self) -> bool:
        """Whether there are a photo, its mask and its camera: what painting from the photo and an overlay need."""
        return self.has_camera and self.photo.mask is not None


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    found = {"python": platform.python_version()}
    for name in ("monoform", "torch", "numpy", "scipy", "scikit-image", "trimesh", "embreex"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
