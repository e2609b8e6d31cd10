"""A photo on the surface that it shows, whose colors go on over what it does not show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped

from .bake import colors_at, texels
from .diffusion import diffused
from .mesh import Mesh
from .photo_atlas import facing_of, photo_atlas
from .raycast import caster_of
from .texture import to_bytes

if TYPE_CHECKING:
    from ..camera import Camera

_GRAZING, _FRONTAL = 0.12, 0.35  # cosine between surface and view below which a photo says nothing, above which all
_REACH = 0.12  # how far colors go on, against the surface's extent
_SLACK = 4e-3  # of what counts as visible, against the surface's extent


def continued_photo(
    mesh: Mesh,
    rgb: Float[np.ndarray, "h w 3"],
    mask: Shaped[np.ndarray, "rows columns"],
    camera: Camera,
    guess: Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n 3"]],
    *,
    resolution: int = 1024,
) -> Mesh:
    """The mesh in an atlas of its own (`photo_atlas`), with the photo where `camera` sees it.

    Over all that the photo does not show its colors go on smoothly; far from it they are drawn to those of `guess`, of
    which only what is large comes through.

    Args:
        rgb: the photo, sRGB 0..1, of the camera's size; beyond the mask as the object goes on.
        mask: the object in the photo, bool or 0..1.
        guess: colors, sRGB 0..1, at points of the surface.
        resolution: texels along a side of the texture.
    """
    atlas = photo_atlas(mesh, camera, resolution=resolution)
    welded, inside = atlas.merged(), np.asarray(mask) > 0.5
    extent = float(np.linalg.norm(welded.bounds[1] - welded.bounds[0]))
    seen = _seen(welded, camera, _SLACK * extent)
    known = _around_pixels(rgb, inside, _pixels(welded.vertices, camera), len(welded.faces))
    hidden = diffused(welded, known, seen, guess(welded.vertices), _REACH * extent)
    where, index = texels(atlas, resolution), atlas.merged_index
    pixels = _pixels(where.interpolate(atlas, atlas.vertices), camera)
    colors = colors_at(rgb, inside, pixels, where, atlas)
    rest = where.interpolate(atlas, hidden[index])
    mixed = rest + where.interpolate(atlas, seen[index][:, None]) * (colors - rest)
    return replace(atlas, texture=to_bytes(where.image(mixed.astype(np.float32))))


def _pixels(points: Float[np.ndarray, "n 3"], camera: Camera) -> Float[np.ndarray, "n 2"]:
    return camera.to("cpu", torch.float64).project(torch.from_numpy(points)[None])[0][0].numpy()


def _seen(mesh: Mesh, camera: Camera, slack: float) -> Float[np.ndarray, " v"]:
    """How much the photo says of the color at each vertex, 0..1: nothing of what is hidden or seen from its edge."""
    facing = facing_of(mesh.vertices, mesh.normals, camera)
    share = ((facing - _GRAZING) / (_FRONTAL - _GRAZING)).clip(0, 1)
    asked = np.nonzero(share)[0]
    pixels = torch.from_numpy(_pixels(mesh.vertices[asked], camera))[None]
    origins, directions = (rays[0].numpy() for rays in camera.to("cpu", torch.float64).rays(pixels))
    along = np.einsum("ij,ij->i", mesh.vertices[asked] - origins, directions)
    share[asked[caster_of(mesh).cast(origins, directions).t < along - slack]] = 0
    return share * share * (3 - 2 * share)


def _around_pixels(
    rgb: np.ndarray, inside: Bool[np.ndarray, "h w"], pixels: Float[np.ndarray, "v 2"], faces: int
) -> Float[np.ndarray, "v 3"]:
    """Mean colors of the object around pixels, within about the size of the faces in the photo."""
    size = max(1.0, float(np.sqrt(2 * inside.sum() / max(faces, 1))))
    weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), size)
    blurred = cv2.GaussianBlur(np.where(inside[..., None], rgb, 0).astype(np.float32), (0, 0), size)
    column, row = pixels.astype(np.int64).T.clip(0, np.array(inside.shape[::-1])[:, None] - 1)
    return np.where(
        weight[row, column, None] > 1e-3, blurred[row, column] / weight[row, column, None].clip(1e-3), rgb[row, column]
    )
