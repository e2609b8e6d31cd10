"""What a method gives back: a field, the views it explains, and a mesh on demand."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..camera import Camera
from ..errors import InputError
from ..mesh import Mesh
from ..nn import Field
from ..render.camera_render import CameraRender, ImageRenderer, camera_colors, render_camera
from ..render.mesh import Shading, render_mesh
from ..render.mesh_rays import MeshRenderer
from ..render.ray_renderer import FieldRenderer, RayRenderer, background_of
from .meshing import MeshingOptions, build_mesh
from .photo import Photo

if TYPE_CHECKING:
    from .result import SavedResult


CAPABILITIES = ("geometry", "color", "camera")


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
        field: geometry and color at points of the world.
        views: the photos and their cameras; the first one's photo gives the texture. None for a sample.
        provenance: method, options, seed, weights.
        parts: number of separate solids that the object has.
        texture: "projected": the photo is the atlas, front and back alike; "sheets": the photo and, beside it, what the
            field says is behind (`TwoSided`), an image twice as wide as high; "baked": an atlas is unwrapped and baked
            from the photo where it sees the surface and from the field elsewhere. Without a photo all are "baked".
        level: density per world unit at which the surface lies; None: the house's, 10, and 0 for a signed distance.
        surface: the mesh, where it is already known (a loaded result).
        alternatives: further hypotheses about the same photo, the better first.
        renderer: the method's own, of rays; None: the field's volume rendering where it has densities and color, else
            the mesh.
        image: the method's own pictures of whole cameras, where these are more than their rays (super-resolved), or
            quicker.
        capabilities: which of "geometry", "color" and "camera" the method itself has given; what it has not is added
            from the photo, or stays away. None told: geometry, color, and the camera where the first photo has one.
    """

    field: Field
    views: tuple[View, ...] = ()
    provenance: Provenance = Provenance("unknown")
    parts: int = 1
    texture: str = "baked"
    level: float | None = None
    surface: Mesh | None = None
    alternatives: tuple[Reconstruction, ...] = ()
    renderer: RayRenderer | None = None
    image: ImageRenderer | None = None
    capabilities: frozenset[str] = frozenset()
    _meshes: dict[MeshingOptions, Mesh] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        told = self.capabilities or (CAPABILITIES if self.has_camera else CAPABILITIES[:2])
        for name in told:
            if name not in CAPABILITIES:
                raise InputError(f"{name!r} is no capability; choose from {', '.join(CAPABILITIES)}.")
        if "camera" in told and not self.has_camera:
            raise InputError("A reconstruction without a camera in its first view cannot have the capability camera.")
        object.__setattr__(self, "capabilities", frozenset(told))

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

    @property
    def draws_itself(self) -> bool:
        """Whether the method's own pictures are other than those of the mesh: a radiance field's, a generator's."""
        if self.renderer is not None or self.image is not None:
            return True
        return self._is_radiance

    @property
    def _is_radiance(self) -> bool:
        return self.surface is None and self.field.kind == "density" and "color" in self.capabilities

    def ray_renderer(self) -> RayRenderer:
        """What rays see, differentiable: the method's own renderer, else the radiance field, else the mesh."""
        if self.renderer is not None:
            return self.renderer
        return FieldRenderer(self.field) if self._is_radiance else MeshRenderer(self.mesh())

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
        what: Literal["field", "mesh"] | None = None,
        shading: Shading = "texture",
        background: tuple[float, float, float] | None = None,
    ) -> CameraRender:
        """The object from `camera` (one): colors, mask, coverage, depth and normals.

        Args:
            what: "field": the method's own picture of it; "mesh": its mesh, by ray casting. None: the field where it
                draws itself (`draws_itself`) and no other shading is wanted, else the mesh.
            shading: of the mesh; see `render_mesh`.
            background: sRGB 0..1; None: the method's own, and white around a mesh.

        Raises:
            InputError: more than one camera; or "field" of what draws no pictures, or with a shading.
        """
        if what not in (None, "field", "mesh"):
            raise InputError(f"what is {what!r}; choose field or mesh.")
        plain = shading == "texture"
        if what == "mesh" or (what is None and not (self.draws_itself and plain)):
            return render_mesh(self.mesh(), camera, shading=shading, background=background or (1.0, 1.0, 1.0))
        if not self.draws_itself:
            raise InputError(f"{self.provenance.method} gives no radiance field to draw: choose its mesh.")
        if not plain:
            raise InputError(f"The shading {shading!r} is one of meshes: choose the mesh, or leave it out.")
        image = self.image or partial(camera_colors, self.ray_renderer())
        own = background_of(self.renderer or self.image or self.ray_renderer())
        return render_camera(image, camera, self.field, own=own, background=background)

    def save(self, folder: str | Path) -> SavedResult:
        """Write mesh.glb, result.json, and camera.json, mask.png and photo.jpg where there are such; see `load`.

        The folder holds the mesh: what draws itself is drawn by its mesh when it is loaded.
        """
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
