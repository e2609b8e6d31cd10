"""From a reconstruction to its textured mesh: surface, parts, faces, colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from ..mesh import Mesh, bake, continued_photo, extract, largest, project_uv, simplify, unwrap
from ..mesh.texture import to_bytes
from ..ranges import require_ranges
from .photo_camera import working_camera
from .photo_colors import PhotoColored
from .reconstructed import ReconstructedObject
from .silhouette import mask_box

MARGIN = 6.0  # pixels of the photo around the object in a projected texture


@dataclass(frozen=True)
class MeshingOptions:
    """How a field becomes a mesh.

    Attributes:
        faces: triangles at most.
        texture: side of the texture in pixels.
        resolution: cells along the longest side of the bounds.
    """

    faces: int = 20_000
    texture: int = 1024
    resolution: int = 320

    def __post_init__(self) -> None:
        require_ranges(self, "The mesh's", faces=(100, 2_000_000), texture=(64, 8192), resolution=(32, 1024))


def build_mesh(reconstruction: ReconstructedObject, options: MeshingOptions) -> Mesh:
    """Extract, keep the object's parts, simplify, and colour."""
    found = extract(reconstruction.field, resolution=options.resolution, level=reconstruction.level)
    surface = largest(found, n=reconstruction.parts)
    surface = largest(simplify(surface, options.faces), n=reconstruction.parts)
    if reconstruction.texture == "vertices":
        painted = _colored
    elif not reconstruction.can_be_overlaid:
        painted = _baked if "color" in reconstruction.capabilities else _unpainted
    else:
        ways = {"projected": _projected, "continued": _continued, "front_back": _continued, "sheets": _continued}
        painted = ways.get(reconstruction.texture, _baked)
    return _with_confidence(painted(surface, reconstruction, options.texture), reconstruction)


def _with_confidence(mesh: Mesh, reconstruction: ReconstructedObject) -> Mesh:
    """The mesh with the field's confidence at each vertex, 0..1, where the field has one."""
    confidence = getattr(reconstruction.field, "confidence", None)
    if confidence is None:
        return mesh
    with torch.no_grad():
        values = confidence(torch.from_numpy(mesh.vertices).float()).clamp(0, 1).numpy()
    return replace(mesh, vertex_attributes={"confidence": values.astype(np.float32)})


def _projected(surface: Mesh, reconstruction: ReconstructedObject, side: int) -> Mesh:
    """The photo around the object is the atlas: every vertex takes the place of its pixel."""
    photo = reconstruction.photo
    assert photo.mask is not None
    crop = photo.in_original(*_window(photo.mask))
    filled = photo.filled_window(crop, size=(side, side))
    mesh = project_uv(surface, reconstruction.camera, crop=crop)
    return replace(mesh, texture=to_bytes(np.clip(filled, 0, 1)))


def _continued(surface: Mesh, reconstruction: ReconstructedObject, side: int) -> Mesh:
    """The photo where it sees the surface; its colors go on over the rest, drawn to the field's."""
    field, photo = reconstruction.field, reconstruction.photo
    assert photo.mask is not None

    def guess(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        with torch.no_grad():
            return field.values(torch.from_numpy(points).float())[:, :3].numpy()

    camera = working_camera(reconstruction.camera, photo)
    return continued_photo(surface, photo.filled(), photo.mask, camera, guess, resolution=side)


def _window(mask: np.ndarray) -> tuple[float, float, float, float]:
    left, top, right, bottom = mask_box(mask > 0.5)
    return left - MARGIN, top - MARGIN, right - left + 2 * MARGIN, bottom - top + 2 * MARGIN


def _baked(surface: Mesh, reconstruction: ReconstructedObject, side: int) -> Mesh:
    """An atlas baked from the field, then from the photo where it sees the surface.

    A field without color has that of the photo on all sides.
    """
    field, mesh = reconstruction.field, unwrap(surface, resolution=side)
    if not reconstruction.can_be_overlaid or reconstruction.texture == "field":
        return bake.from_field(mesh, field, side)
    photo = reconstruction.photo
    camera = working_camera(reconstruction.camera, photo)
    if "color" not in reconstruction.capabilities:
        field = PhotoColored(field, photo, camera)
    mesh = bake.from_field(mesh, field, side)
    assert photo.mask is not None and mesh.texture is not None
    known = [(view.photo, view.camera) for view in reconstruction.views if view.camera and view.photo.mask is not None]
    if len(known) > 1:
        shots = [(one.filled(), one.mask, working_camera(its, one)) for one, its in known if one.mask is not None]
        return bake.from_photos(mesh, shots, mesh.texture)
    return bake.from_photo(mesh, photo.filled(), photo.mask, camera, mesh.texture)


def _colored(surface: Mesh, reconstruction: ReconstructedObject, side: int) -> Mesh:
    """The field's color at each vertex."""
    del side
    with torch.no_grad():
        colors = reconstruction.field.values(torch.from_numpy(surface.vertices).float())[:, :3]
    return replace(surface, vertex_colors=to_bytes(colors.clamp(0, 1).numpy()))


def _unpainted(surface: Mesh, reconstruction: ReconstructedObject, side: int) -> Mesh:
    """The surface alone, of a shape that nothing gives a color."""
    del reconstruction, side
    return surface
