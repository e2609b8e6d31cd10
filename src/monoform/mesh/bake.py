"""Colours onto a mesh's texture: from a field, from a photo, from another mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import scipy  # whose parts load when they are used
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8

from ..errors import InputError
from ..nn.field import Field
from .closest import closest_points
from .mesh import Mesh
from .raster import cover
from .raycast import caster_of
from .texture import fill_gutters, surface_colors, to_bytes
from .unwrap import unwrap

if TYPE_CHECKING:
    from ..camera import Camera

_GRAZING = 0.15  # cosine between surface and view below which a photo says nothing about the colour
_FRONTAL = 0.6  # cosine from which it counts in full
_MASK_BORDER = 2.0  # photo pixels at the mask's edge that are mixed with the background
_PREFERRED = 4  # power of the weights of several photos that see the same
_TRUSTED = 20_000  # texels among which the colours of hidden vertices are looked up


@dataclass(frozen=True, eq=False)
class Texels:
    """The texels whose centers lie on the surface.

    Attributes:
        painted: which texels of the image.
        face: triangle of each painted texel, row-major.
        barycentric: weights of the triangle's corners at each painted texel.
    """

    painted: Bool[np.ndarray, "h w"]
    face: Int[np.ndarray, " n"]
    barycentric: Float[np.ndarray, "n 3"]

    def interpolate(self, mesh: Mesh, values: Float[np.ndarray, "v c"]) -> Float[np.ndarray, "n c"]:
        """Values given at vertices, at the texels."""
        one, two, three = mesh.faces.take(self.face, axis=0).T
        weights = self.barycentric.T[..., None]
        return weights[0] * values[one] + weights[1] * values[two] + weights[2] * values[three]

    def image(self, values: Shaped[np.ndarray, "n c"]) -> Shaped[np.ndarray, "h w c"]:
        """Values of the texels as an image, continued into the gutters."""
        image = np.zeros((*self.painted.shape, values.shape[1]), values.dtype)
        image[self.painted] = values
        return fill_gutters(image, self.painted)


def texels(mesh: Mesh, resolution: int) -> Texels:
    """Find the surface point of each texel of a square texture with `resolution` texels a side.

    Raises:
        InputError: the mesh has no texture coordinates, or they leave 0..1.
    """
    if mesh.uv is None:
        raise InputError("The mesh has no texture coordinates; call `unwrap` first.")
    if resolution < 1:
        raise InputError(f"Texture resolution is {resolution}; it must be 1 or more.")
    corners = mesh.uv[mesh.faces]
    if len(corners) and (corners.min() < -1e-9 or corners.max() > 1 + 1e-9):
        raise InputError("The texture coordinates leave 0..1, so texels are shared; call `unwrap` first.")
    flat = np.stack([corners[..., 0], 1.0 - corners[..., 1]], axis=-1) * resolution
    found = cover(flat, resolution, resolution).first_of_each()
    painted = np.zeros(resolution * resolution, bool)
    painted[found.texel] = True
    return Texels(painted.reshape(resolution, resolution), found.face, found.barycentric)


def from_field(mesh: Mesh, field: Field, resolution: int = 1024, *, chunk: int = 1 << 18) -> Mesh:
    """Paint `mesh` with the field's colour at each texel; a mesh without coordinates is unwrapped first.

    A field whose colour depends on the view direction is asked for its representative direction.
    """
    mesh = mesh if mesh.uv is not None else unwrap(mesh, resolution=resolution)
    where = texels(mesh, resolution)
    points = where.interpolate(mesh, mesh.vertices)
    place = field.bounds
    colors = np.zeros((len(points), 3), np.float32)
    with torch.no_grad():
        for start in range(0, len(points), chunk):
            part = torch.from_numpy(points[start : start + chunk]).to(place.device, torch.float32)
            colors[start : start + chunk] = field.values(part)[:, :3].float().cpu().numpy()
    return replace(mesh, texture=to_bytes(where.image(colors)))


def from_mesh(target: Mesh, source: Mesh, resolution: int = 1024) -> Mesh:
    """Paint `target` with the colour of the closest point of `source` that looks the same way.

    A target without coordinates is unwrapped first.
    """
    target = target if target.uv is not None else unwrap(target, resolution=resolution)
    where = texels(target, resolution)
    normals = where.interpolate(target, target.normals)
    near = closest_points(source, where.interpolate(target, target.vertices), normals=normals)
    return replace(target, texture=to_bytes(where.image(surface_colors(source, near.face, near.barycentric))))


def from_photo(
    mesh: Mesh,
    rgb: Float[np.ndarray, "h w 3"],
    mask: Shaped[np.ndarray, "rows columns"],
    camera: Camera,
    base: UInt8[np.ndarray, "s s 3"] | None = None,
    *,
    resolution: int | None = None,
) -> Mesh:
    """Paint the photo on what `camera` sees of `mesh`, over the `base` texture.

    Each texel is a mean of the photo and `base`, weighted by how frontally the camera sees it; hidden texels and those
    outside the mask keep `base`. Without a base they take the colours of the closest painted points, looked up at the
    vertices and blended across the faces.

    Args:
        rgb: the photo, sRGB 0..1, of the camera's size.
        mask: the object in the photo, bool or 0..1.
        base: square texture in the mesh's coordinates to paint over, for example `mesh.texture`.
        resolution: of the new texture; None means that of `base`, or 1024.

    Raises:
        InputError: sizes do not agree, or the camera sees nothing of the mesh within the mask.
    """
    side = resolution or (base.shape[0] if base is not None else 1024)
    where = texels(mesh, side)
    weight, pixels = _photo_weights(mesh, where, rgb, mask, camera)
    painted = weight > 0
    if not painted.any():
        raise InputError("The camera sees nothing of the mesh within the mask; check that camera and photo agree.")
    colors = colors_at(rgb, np.asarray(mask) > 0.5, pixels, where, mesh)
    if base is not None:
        sheet = base if base.shape[0] == side else cv2.resize(base, (side, side), interpolation=cv2.INTER_AREA)
        under = sheet[where.painted].astype(np.float32) / np.float32(255)
    else:
        under = where.interpolate(mesh, _nearest_painted(mesh, where, colors, weight))
    mixed = weight[:, None] * colors + (1 - weight[:, None]) * under
    return replace(mesh, texture=to_bytes(where.image(mixed.astype(np.float32))))


def from_photos(
    mesh: Mesh,
    photos: Sequence[tuple[Float[np.ndarray, "_ _ 3"], Shaped[np.ndarray, "_ _"], Camera]],
    base: UInt8[np.ndarray, "s s 3"],
) -> Mesh:
    """Paint several photos (colors, mask, camera) over the `base` texture, as `from_photo` does with one.

    Where several see a texel, the one that sees it most frontally counts by far the most.

    Raises:
        InputError: sizes do not agree.
    """
    where = texels(mesh, base.shape[0])
    under = base[where.painted].astype(np.float32) / np.float32(255)
    seen, total, most = np.zeros_like(under), np.full(len(under), 1e-12), np.zeros(len(under), np.float32)
    for rgb, mask, camera in photos:
        weight, pixels = _photo_weights(mesh, where, rgb, mask, camera)
        share = weight.astype(np.float64) ** _PREFERRED
        seen += share[:, None] * colors_at(rgb, np.asarray(mask) > 0.5, pixels, where, mesh)
        total += share
        most = np.maximum(most, weight)
    mixed = most[:, None] * (seen / total[:, None]) + (1 - most[:, None]) * under
    return replace(mesh, texture=to_bytes(where.image(mixed.astype(np.float32))))


def _nearest_painted(mesh: Mesh, where: Texels, colors: np.ndarray, weight: np.ndarray) -> Float[np.ndarray, "v 3"]:
    """For each vertex the mean colour of the closest texels that the photo paints well."""
    trusted = np.nonzero(weight > 0.5 * weight.max())[0]
    trusted = trusted[:: max(1, len(trusted) // _TRUSTED)]
    points = where.interpolate(mesh, mesh.vertices)[trusted]
    welded = mesh.merged()
    nearest = scipy.spatial.cKDTree(points).query(welded.vertices, k=min(4, len(points)), workers=-1)[1]
    means = colors[trusted][nearest.reshape(len(welded.vertices), -1)].mean(axis=1)
    return means[mesh.merged_index]


def photo_weights(
    mesh: Mesh,
    rgb: Float[np.ndarray, "h w 3"],
    mask: Shaped[np.ndarray, "rows columns"],
    camera: Camera,
    resolution: int = 1024,
) -> Float[np.ndarray, "t t"]:
    """How much of each texel `from_photo` takes from the photo, 0..1."""
    where = texels(mesh, resolution)
    image = np.zeros(where.painted.shape, np.float32)
    image[where.painted] = _photo_weights(mesh, where, rgb, mask, camera)[0]
    return image


def _photo_weights(
    mesh: Mesh, where: Texels, rgb: np.ndarray, mask: np.ndarray, camera: Camera
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 2"]]:
    """Weights of the texels and the pixels they are seen at."""
    if len(camera) != 1:
        raise InputError(f"from_photo takes one camera, not {len(camera)}; choose one, for example camera[0].")
    size = (camera.height, camera.width)
    if rgb.shape[:2] != size or mask.shape != size:
        raise InputError(
            f"Photo {rgb.shape[:2]}, mask {mask.shape} and camera {size} differ in size; resize the camera."
        )
    points = where.interpolate(mesh, mesh.vertices)
    camera = camera.to("cpu", torch.float64)
    pixels, depth = (values[0].numpy() for values in camera.project(torch.from_numpy(points)[None]))
    pixels = np.nan_to_num(pixels, nan=-1.0, posinf=-1.0, neginf=-1.0)
    in_front = depth > 0 if camera.model == "pinhole" else np.ones(len(depth), bool)
    inside = in_front & ((pixels > 0) & (pixels < size[::-1])).all(axis=1)
    weight = np.zeros(len(points), np.float32)
    chosen = np.nonzero(inside)[0]
    origins, directions = (rays[0].numpy() for rays in camera.rays(torch.from_numpy(pixels[chosen])[None]))
    normals = where.interpolate(mesh, mesh.normals)[chosen]
    facing = -np.einsum("ij,ij->i", normals, directions) / np.linalg.norm(normals, axis=1).clip(1e-9)
    towards = -np.einsum("ij,ij->i", mesh.face_normals[where.face[chosen]], directions) > 0
    frontal = np.where(towards, (facing - _GRAZING) / (_FRONTAL - _GRAZING), 0.0).clip(0, 1)
    hits = caster_of(mesh).cast(origins, directions)
    along = np.einsum("ij,ij->i", points[chosen] - origins, directions)
    slack = 2e-3 * float(np.linalg.norm(mesh.bounds[1] - mesh.bounds[0]))
    visible = (hits.face == where.face[chosen]) | (np.abs(hits.t - along) < slack)
    depth_in_mask = cv2.distanceTransform((np.asarray(mask) > 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    column, row = pixels[chosen].astype(np.int64).T
    in_mask = (depth_in_mask[row, column] / _MASK_BORDER).clip(0, 1)
    smooth = frontal * frontal * (3 - 2 * frontal)
    weight[chosen] = np.where(visible, smooth * in_mask, 0.0)
    return weight, pixels


def colors_at(
    rgb: np.ndarray, inside: np.ndarray, pixels: np.ndarray, where: Texels, mesh: Mesh
) -> Float[np.ndarray, "n 3"]:
    """Photo colours at pixels; colours of the object are continued past the mask, so the background cannot bleed in."""
    photo = fill_gutters(np.ascontiguousarray(rgb, np.float32), inside) if inside.any() else rgb
    scale = 1.0 / max(1.0, _pixels_per_texel(pixels, where, mesh))
    if scale < 0.75:  # a fine photo on a coarse texture: average instead of picking single pixels
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    ratio = np.array([photo.shape[1] / rgb.shape[1], photo.shape[0] / rgb.shape[0]])
    x, y = (pixels * ratio - 0.5).astype(np.float32).T
    columns = 4096
    rows = -(-len(x) // columns)
    grids = [np.pad(values, (0, rows * columns - len(x))).reshape(rows, columns) for values in (x, y)]
    colors = cv2.remap(photo, grids[0], grids[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return colors.reshape(-1, 3)[: len(x)]


def _pixels_per_texel(pixels: np.ndarray, where: Texels, mesh: Mesh) -> float:
    """Typical distance in the photo between neighbouring texels."""
    number = np.zeros(where.painted.shape, np.int64)
    number[where.painted] = np.arange(len(pixels))
    same = where.painted[:, 1:] & where.painted[:, :-1]
    across, down = (pixels[number[:, 1:][same]] - pixels[number[:, :-1][same]]).T
    return float(np.median(np.hypot(across, down))) if len(across) else 1.0
