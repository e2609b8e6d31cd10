"""What a method gives back: a field, the views it explains, and a mesh on demand."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..camera import Camera
from ..errors import InputError
from ..mesh import Mesh
from ..nn import Field
from ..render.mesh import MeshRender, Shading, render_mesh
from .meshing import MeshingOptions, build_mesh
from .photo import Photo

if TYPE_CHECKING:
    from .result import SavedResult


@dataclass(frozen=True, eq=False)
class View:
    """A photo, and the camera that took it where it is known (in pixels of the original photo)."""

    photo: Photo
    camera: Camera | None = None


@dataclass(frozen=True)
class Provenance:
    """Where a reconstruction comes from: method, options, seed, weights, what to cite; how well it fits its photo."""

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


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One object: its field, the photos that show it with their cameras, and where it comes from.

    Attributes:
        field: geometry and colour at points of the world.
        views: the photos and their cameras; the first one's photo gives the texture.
        provenance: method, options, seed, weights.
        parts: number of separate solids that the object has.
        texture: "projected": the photo is the atlas, front and back alike; "sheets": the photo and, beside it, what the
            field says is behind (`TwoSided`), an image twice as wide as high; "baked": an atlas is unwrapped and baked
            from the photo where it sees the surface and from the field elsewhere.
        level: density per world unit at which the surface lies; None: the house's, 10, and 0 for a signed distance.
        surface: the mesh, where it is already known (a loaded result).
        alternatives: further hypotheses about the same photo, the better first.
    """

    field: Field
    views: tuple[View, ...]
    provenance: Provenance
    parts: int = 1
    texture: str = "baked"
    level: float | None = None
    surface: Mesh | None = None
    alternatives: tuple[Reconstruction, ...] = ()
    _meshes: dict[MeshingOptions, Mesh] = dataclasses.field(default_factory=dict, repr=False)

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
    def photo(self) -> Photo:
        """The first photo."""
        if not self.views:
            raise InputError("This reconstruction was made without a photo.")
        return self.views[0].photo

    @property
    def capabilities(self) -> frozenset[str]:
        """Which of "geometry", "colour" and "camera" the method itself has given."""
        found = {"geometry", "colour"}
        if self.views and self.views[0].camera is not None:
            found.add("camera")
        return frozenset(found)

    def mesh(self, *, faces: int = 20_000, texture: int = 1024, resolution: int = 320) -> Mesh:
        """The textured mesh; made once for each set of options.

        Args:
            faces: number of triangles, met within one percent when the surface has that many.
            texture: side of the texture in pixels.
            resolution: cells along the longest side of the bounds at which the surface is extracted.
        """
        if self.surface is not None:
            return self.surface
        options = MeshingOptions(faces=faces, texture=texture, resolution=resolution)
        if options not in self._meshes:
            self._meshes[options] = build_mesh(self, options)
        return self._meshes[options]

    def render(
        self,
        camera: Camera,
        *,
        shading: Shading = "texture",
        background: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> MeshRender:
        """The object from `camera` (one): colours, mask, depth and normals of its mesh, by ray casting."""
        return render_mesh(self.mesh(), camera, shading=shading, background=background)

    def save(self, folder: str | Path) -> SavedResult:
        """Write mesh.glb, camera.json, mask.png, photo.jpg and result.json as a result folder; see `load`."""
        from .result import save

        return save(self, folder)


def versions() -> dict[str, str]:
    """Versions of what computes the numbers."""
    found = {"python": platform.python_version()}
    for name in ("monoform", "torch", "numpy", "scipy", "scikit-image", "trimesh", "embreex"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
