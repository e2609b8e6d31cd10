"""A photo on the surface that it shows, whose colors go on over what it does not show."""

from __future__ import annotations

import math
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

_GRAZING, _FRONTAL = 0.08, 0.3  # cosine between surface and view below which a photo says nothing, above which all
_MIXED = 2.0  # pixels from the outline that are mixed with the background
_TINGED = 0.005  # how far from it they may be tinged by it: share of the photo's longer side
_LARGE = 0.04  # of what goes on into what is hidden, against the size of the object in the photo
_REACH = 0.08  # how far colors go on, against the surface's extent
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

    Over all that the photo does not show what is large of its colors goes on smoothly; far from it they are drawn to
    those of `guess`, of which only what is large comes through.

    Args:
        rgb: the photo, sRGB 0..1, of the camera's size; beyond the mask as the object goes on.
        mask: the object in the photo, bool or 0..1.
        guess: colors, sRGB 0..1, at points of the surface.
        resolution: texels along a side of the texture.
    """
    atlas = photo_atlas(mesh, camera, resolution=resolution)
    welded, inside = atlas.merged(), np.asarray(mask) > 0.5
    extent = float(np.linalg.norm(welded.bounds[1] - welded.bounds[0]))
    shown = _shown(welded, camera, _SLACK * extent)
    clean = _within(inside, max(_MIXED, _TINGED * max(inside.shape)))
    known = _continuing(rgb, clean, _pixels(welded.vertices, camera), len(welded.faces), shown[:, None])
    hidden = diffused(welded, known, shown, guess(welded.vertices), _REACH * extent)
    where, index = texels(atlas, resolution), atlas.merged_index
    pixels = _pixels(where.interpolate(atlas, atlas.vertices), camera)
    colors = colors_at(rgb, _within(inside, _MIXED), pixels, where, atlas)
    rest = where.interpolate(atlas, hidden[index])
    mixed = rest + where.interpolate(atlas, shown[index][:, None]) * (colors - rest)
    return replace(atlas, texture=to_bytes(where.image(mixed.astype(np.float32))))


def _pixels(points: Float[np.ndarray, "n 3"], camera: Camera) -> Float[np.ndarray, "n 2"]:
    return camera.to("cpu", torch.float64).project(torch.from_numpy(points)[None])[0][0].numpy()


def _shown(mesh: Mesh, camera: Camera, slack: float) -> Float[np.ndarray, " v"]:
    """How much the photo tells of the color at each vertex, 0..1: nothing of what is seen from its edge or hidden."""
    facing = facing_of(mesh.vertices, mesh.normals, camera)
    share = ((facing - _GRAZING) / (_FRONTAL - _GRAZING)).clip(0, 1)
    pixels = torch.from_numpy(_pixels(mesh.vertices, camera))
    origins, directions = (rays[0].numpy() for rays in camera.to("cpu", torch.float64).rays(pixels[None]))
    along = np.einsum("ij,ij->i", mesh.vertices - origins, directions)
    share[caster_of(mesh).cast(origins, directions).t < along - slack] = 0
    return share * share * (3 - 2 * share)


def _within(inside: Bool[np.ndarray, "h w"], distance: float) -> Bool[np.ndarray, "h w"]:
    """Pixels of the object that are further from its outline, and the middles of what is thin."""
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)
    middle = depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8))
    return inside & ((depth > distance) | middle)


def _at(image: Shaped[np.ndarray, "h w *c"], pixels: Float[np.ndarray, "n 2"]) -> Shaped[np.ndarray, n * c]:
    column, row = pixels.astype(np.int64).T.clip(0, np.array(image.shape[1::-1])[:, None] - 1)
    return image[row, column]


def _continuing(
    rgb: np.ndarray, inside: Bool[np.ndarray, "h w"], pixels: Float[np.ndarray, "v 2"], faces: int, shown: np.ndarray
) -> Float[np.ndarray, "v 3"]:
    """Colors of the object around pixels: within about the size of the faces in the photo; where little is shown only
    what is large there, lest what is small goes on in stripes."""
    area = float(inside.sum())
    fine = _around_pixels(rgb, inside, pixels, max(1.0, math.sqrt(2 * area / max(faces, 1))))
    coarse = _around_pixels(rgb, inside, pixels, _LARGE * math.sqrt(area))
    return coarse + shown * (fine - coarse)


def _around_pixels(
    rgb: np.ndarray, inside: Bool[np.ndarray, "h w"], pixels: Float[np.ndarray, "v 2"], size: float
) -> Float[np.ndarray, "v 3"]:
    """Mean colors of the object around pixels, weighted by a Gaussian of `size` pixels."""
    weight = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), size)
    blurred = cv2.GaussianBlur(np.where(inside[..., None], rgb, 0).astype(np.float32), (0, 0), size)
    share = _at(weight, pixels)[:, None]
    return np.where(share > 1e-3, _at(blurred, pixels) / share.clip(1e-3), _at(rgb, pixels))
