"""From a reconstruction to its textured mesh: surface, parts, faces, colours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import InputError
from ..mesh import Mesh, bake, extract, largest, project_uv, simplify, unwrap

if TYPE_CHECKING:
    from .reconstruction import Reconstruction

MARGIN = 6.0


@dataclass(frozen=True)
class MeshingOptions:
    """Triangles, texture side in pixels, cells along the bounds' longest side."""

    faces: int = 20_000
    texture: int = 1024
    resolution: int = 320

    def __post_init__(self) -> None:
        ranges = {"faces": (100, 2_000_000), "texture": (64, 8192), "resolution": (32, 1024)}
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"The mesh's {name} is {value}; it must lie in {low}..{high}.")


def build_mesh(reconstruction: Reconstruction, options: MeshingOptions) -> Mesh:
    """Extract, keep the object's parts, simplify, and colour."""
    surface = largest(extract(reconstruction.field, resolution=options.resolution), n=reconstruction.parts)
    surface = largest(simplify(surface, options.faces), n=reconstruction.parts)
    painted = _projected if reconstruction.texture == "projected" else _baked
    return _with_confidence(painted(surface, reconstruction, options.texture), reconstruction)


def _with_confidence(mesh: Mesh, reconstruction: Reconstruction) -> Mesh:
    """The field's own confidence at each vertex, 0..1, where it tells one."""
    confidence = getattr(reconstruction.field, "confidence", None)
    if confidence is None:
        return mesh
    with torch.no_grad():
        values = confidence(torch.from_numpy(mesh.vertices).float()).clamp(0, 1).numpy()
    return replace(mesh, vertex_attributes={"confidence": values.astype(np.float32)})


def _projected(surface: Mesh, reconstruction: Reconstruction, side: int) -> Mesh:
    """The photo around the object is the atlas: every vertex takes the place of its pixel."""
    photo = reconstruction.photo
    assert photo.mask is not None
    left, top, width, height = _window(photo.mask)
    sx, sy = photo.scale
    crop = (photo.crop[0] + left / sx, photo.crop[1] + top / sy, width / sx, height / sy)
    filled = photo.filled_window(crop, size=(side, side))
    mesh = project_uv(surface, reconstruction.camera, crop=crop)
    return replace(mesh, texture=np.round(np.clip(filled, 0, 1) * 255).astype(np.uint8))


def _window(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.flatnonzero((mask > 0.5).any(1)), np.flatnonzero((mask > 0.5).any(0))
    left, top = columns[0] - MARGIN, rows[0] - MARGIN
    return left, top, columns[-1] + 1 + MARGIN - left, rows[-1] + 1 + MARGIN - top


def _baked(surface: Mesh, reconstruction: Reconstruction, side: int) -> Mesh:
    """An atlas baked from the field, then from the photo where it sees the surface."""
    mesh = bake.from_field(unwrap(surface, resolution=side), reconstruction.field, side)
    if "camera" not in reconstruction.capabilities:
        return mesh
    photo = reconstruction.photo
    assert photo.mask is not None and mesh.texture is not None
    camera = reconstruction.camera.cropped(*(round(v) for v in photo.crop)).resized(*photo.size)
    return bake.from_photo(mesh, photo.filled(), photo.mask, camera, mesh.texture)
