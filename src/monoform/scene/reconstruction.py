"""What a method gives back: a field, the views it explains, and a mesh on demand."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ..camera import Camera
from ..devices import CPU, hosted
from ..errors import InputError
from ..mesh import Mesh
from ..mesh.texture import to_bytes
from ..nn.field import HostField
from ..outputs.notebook import pictures_html
from ..render.camera_render import CameraRender, ImageRenderer, camera_colors, render_camera
from ..render.mesh import Shading, around_mesh, render_mesh
from ..render.mesh_rays import MeshRenderer
from ..render.ray_renderer import FieldRenderer, HostRenderer, RayRenderer, background_of
from .meshing import MeshingOptions, build_mesh
from .reconstructed import ReconstructedObject
from .result_files import SavedResult, save


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction(ReconstructedObject):
    """One object that can be meshed, drawn and saved; see `ReconstructedObject` for what it is made of.

    Attributes:
        surface: the mesh, where it is already known (a loaded result).
        alternatives: further hypotheses about the same photo, the better first.
        renderer: the method's own, of rays; None: the field's volume rendering where it has densities and color, else
            the mesh.
        image: the method's own pictures of whole cameras, where these are more than their rays (super-resolved), or
            quicker.
    """

    surface: Mesh | None = None
    alternatives: tuple[Reconstruction, ...] = ()
    renderer: RayRenderer | None = None
    image: ImageRenderer | None = None
    _meshes: dict[MeshingOptions, Mesh] = dataclasses.field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        device = self.field.bounds.device
        if device == CPU:
            return
        # What was computed on another device answers on that of the points, rays and cameras it is asked for.
        home: dict[str, Any] = {"field": HostField(self.field)}
        home["renderer"] = None if self.renderer is None else HostRenderer(self.renderer, device)
        home["image"] = None if self.image is None else hosted(self.image, device)
        for name, value in home.items():
            object.__setattr__(self, name, value)

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

    def _repr_html_(self) -> str:
        """For notebooks: the photo, and the mesh from four sides where it has been made."""
        pictures = [to_bytes(self.photo.rgb)] if self.has_photo else []
        made = self.surface or next(iter(self._meshes.values()), None)
        return pictures_html([*pictures, *(around_mesh(made) if made else [])], repr(self))

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
        return save(self, self.mesh(), folder)
