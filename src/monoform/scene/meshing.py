"""From a reconstruction to its textured mesh: surface, parts, faces, colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..mesh import Mesh, bake, extract, front_back_atlas, largest, project_uv, simplify, unwrap
from ..mesh.texture import to_bytes
from ..ranges import require_ranges
from .photo_camera import working_camera
from .photo_colors import PhotoColored
from .reconstructed import ReconstructedObject
from .silhouette import mask_box

MARGIN = 6.0  # pixels of the photo around the object in a projected texture
EDGE_ON = 0.15  # cosine between a face and the line of sight
INWARD = 4  # pixels


@runtime_checkable
class TwoSided(Protocol):
    """A field that one photo covers twice: by what it shows, and by what is behind."""

    def behind(self, points: Float[Tensor, "n 3"]) -> Bool[Tensor, " n"]:
        """Whether points of the surface lie on the side that the photo does not show."""
        ...

    def back_color(self, pixels: Float[Tensor, "n 2"]) -> Float[Tensor, "n 3"]:
        """Colour, 0..1, of the back behind pixels of the working image."""
        ...


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
    if not reconstruction.can_be_overlaid:
        painted = _baked if "color" in reconstruction.capabilities else _unpainted
    else:
        atlases = {"projected": _projected, "front_back": _front_back_atlas, "sheets": _front_back_atlas}  # sheets: old
        painted = atlases.get(reconstruction.texture, _baked)
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


def _front_back_atlas(surface: Mesh, reconstruction: ReconstructedObject, side: int) -> Mesh:
    """The photo around the object is the left half of the atlas; the right half is what the field says is behind it."""
    field, photo = reconstruction.field, reconstruction.photo
    assert isinstance(field, TwoSided) and photo.mask is not None
    front = _projected(surface, reconstruction, side)
    left, top, width, height = _window(photo.mask)
    rows, columns = np.mgrid[0:side, 0:side] + 0.5
    pixels = np.stack([left + columns * width / side, top + rows * height / side], -1).reshape(-1, 2)
    with torch.no_grad():
        back = field.back_color(torch.from_numpy(pixels).float()).reshape(side, side, 3).numpy()
        behind = field.behind(torch.from_numpy(surface.triangles.mean(axis=1)).float()).numpy()
    assert front.texture is not None and front.uv is not None
    atlas = front_back_atlas(
        front,
        behind,
        walls=~behind & _seen_from_the_edge(surface, reconstruction.camera.position[0].numpy()),
        wall_uv=_drawn_in(front.uv, photo.mask),
    )
    return replace(atlas, texture=np.concatenate([front.texture, to_bytes(back)], axis=1))


def _seen_from_the_edge(mesh: Mesh, eye: Float[np.ndarray, " 3"]) -> Bool[np.ndarray, " f"]:
    """Faces that are nearly parallel to the line of sight."""
    sight = mesh.triangles.mean(axis=1) - eye
    return np.abs(np.einsum("ij,ij->i", mesh.face_normals, sight)) < EDGE_ON * np.linalg.norm(sight, axis=1)


def _drawn_in(uv: Float[np.ndarray, "v 2"], mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "v 2"]:
    """Places in the window around the mask, moved by up to `INWARD` pixels away from its outline, up to the middle of
    what is thinner: the outline's own pixels are mixed with the background."""
    left, top, width, height = _window(mask)
    depth = cv2.GaussianBlur(cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 5), (0, 0), 0.7)
    down, across = np.gradient(depth)
    pixels = np.stack([left + uv[:, 0] * width, top + (1 - uv[:, 1]) * height], axis=1)
    for _ in range(INWARD):
        column, row = pixels.astype(np.int64).T.clip(0, np.array(mask.shape[::-1])[:, None] - 1)
        pixels = pixels + np.stack([across[row, column], down[row, column]], axis=1).clip(-1, 1)
    return np.stack([(pixels[:, 0] - left) / width, 1 - (pixels[:, 1] - top) / height], axis=1)


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
    return bake.from_photo(mesh, photo.filled(), photo.mask, camera, mesh.texture)


def _unpainted(surface: Mesh, reconstruction: ReconstructedObject, side: int) -> Mesh:
    """The surface alone, of a shape that nothing gives a color."""
    del reconstruction, side
    return surface
