"""Maps of an object that `bootstrap` has made, as arrays and pictures: depth, coordinates, normals, palette."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...mesh.texture import to_bytes
from ...outputs import atomic_file, save_picture
from ...render.chunks import slices
from ...render.map_pictures import depth_picture, normals_picture
from ...scene import Reconstruction
from .palette import painted
from .placed import FAINT, PlacedObject
from .rendering import Maps, limits

RAYS = 8192
SWATCH = 16
"""Height of a color of the palette in its picture and its least width, pixels."""


@dataclass(frozen=True, eq=False)
class ObjectMaps:
    """What one camera sees of an object, in the house's world.

    Attributes:
        rgb: sRGB 0..1, on the generator's background.
        alpha: coverage 0..1.
        depth: along the camera's z axis, world units; inf where nothing is.
        coordinates: of what is seen, world units; 0 where nothing is.
        normals: unit vectors; 0 where nothing is.
        palette: share of each of the palette's colors, in sum the coverage; none of a generator without palette.
        colors: of the palette, sRGB 0..1.
    """

    rgb: Float[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    coordinates: Float[np.ndarray, "h w 3"]
    normals: Float[np.ndarray, "h w 3"]
    palette: Float[np.ndarray, "h w k"]
    colors: Float[np.ndarray, "k 3"]

    def pictures(self) -> Iterator[tuple[str, Float[np.ndarray, "h w *c"]]]:
        """Name and picture 0..1 of each map; that of the palette in colors that tell its own apart, which it lists."""
        yield "opacity", self.alpha
        hit = self.alpha >= 0.5
        yield "depth", depth_picture(np.where(hit, self.depth, np.inf))
        yield "coordinates", shifted(self.coordinates, self.alpha)
        yield "normals", normals_picture(self.normals, hit)
        if len(self.colors):
            yield "palette", self._palette_picture()

    def _palette_picture(self) -> Float[np.ndarray, "h w 3"]:
        """The map; below it, from left to right, how each color of the palette is shown and what it is."""
        shown = painted(torch.from_numpy(self.palette)).numpy() + (1 - self.palette.sum(axis=2, keepdims=True))
        count = len(self.colors)
        legend = np.stack([painted(torch.eye(count)).numpy(), self.colors])
        wide = max(shown.shape[1], SWATCH * count)
        rows = cv2.resize(legend.astype(np.float32), (wide, 2 * SWATCH), interpolation=cv2.INTER_NEAREST)
        margin = np.ones((len(shown), wide - shown.shape[1], 3), np.float32)
        return np.concatenate([np.concatenate([shown, margin], axis=1), rows])


def maps_of(made: Reconstruction, camera: Camera) -> ObjectMaps:
    """All maps of a reconstruction or a sample from one camera.

    Raises:
        InputError: another method has made it, or it was read from a folder, where the network is not.
    """
    placed = getattr(made.own_files, "made", None)
    if not isinstance(placed, PlacedObject):
        raise InputError("Maps of coordinates and palettes are of what bootstrap has just made: give such a result.")
    return maps_of_object(placed, camera)


@torch.no_grad()
def maps_of_object(placed: PlacedObject, camera: Camera) -> ObjectMaps:
    """The same of an object; rays that miss its cube are not followed."""
    origins, directions = (rays[0].to(placed.planes) for rays in camera.rays())
    config, placement = placed.net.config, placed.placement
    ours = placement.points(origins)[None], placement.directions(directions)[None]
    hit = limits(*ours, config.scene.half_side)[2][0].nonzero()[:, 0]
    colors = placed.palette
    count = 0 if colors is None else colors.shape[1]
    found = origins.new_zeros(len(origins), 10 + count)
    found[:, :3] = (config.scene.background + 1) / 2
    for part in slices(len(hit), RAYS):
        rays = hit[part]
        found[rays] = _seen(placed, origins[rays], directions[rays])
    whole = found.cpu().unflatten(0, (camera.height, camera.width)).numpy()
    alpha, coordinates = whole[..., 3], whole[..., 4:7]
    eye, forward = camera.position[0].cpu().numpy(), camera.world_from_camera[0, :3, 2].cpu().numpy()
    depth = np.where(alpha > FAINT, (coordinates - eye) @ forward, np.inf).astype(np.float32)
    own = np.zeros((0, 3), np.float32) if colors is None else ((colors[0] + 1) / 2).clamp(0, 1).cpu().numpy()
    return ObjectMaps(whole[..., :3], alpha, depth, coordinates, whole[..., 7:10], whole[..., 10:], own)


def write_maps(made: Reconstruction, camera: Camera, file: str | Path) -> Path:
    """The maps of one camera as arrays in an .npz file; one that is there is not replaced.

    Raises:
        InputError: the name has another ending, or the file is there.
    """
    place = _free(file, ".npz")
    save_maps(maps_of(made, camera), place)
    return place


def write_strip(made: Reconstruction, file: str | Path) -> Path:
    """The strip of a photo or of a sample that `bootstrap` has just made, as a PNG file; none is replaced.

    Raises:
        InputError: another method has made it; the name has another ending; or the file is there.
    """
    place, picture = _free(file, ".png"), getattr(made.own_files, "strip", None)
    if picture is None:
        raise InputError("A strip is of what bootstrap has just made: give such a result.")
    save_picture(Image.fromarray(to_bytes(picture())), place)
    return place


def save_maps(maps: ObjectMaps, file: Path) -> None:
    """The arrays in an .npz file."""
    with atomic_file(file) as new, new.open("wb") as stream:
        np.savez_compressed(stream, **vars(maps))


def shifted(values: Float[np.ndarray, "h w 3"], alpha: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Numbers of -0.5..0.5 as colors, gray where nothing is."""
    return 0.5 + values * alpha[..., None]


def _seen(placed: PlacedObject, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"]) -> Tensor:
    """Color, coverage, coordinates, normals and palette of rays, side by side; normals are those at the coordinates."""
    placement = placed.placement
    seen = placed.seen(origins, directions, maps=Maps(palette=True, coordinates=True))
    assert seen.coordinates is not None
    alpha = seen.alpha[0, :, None]
    shown = (alpha > FAINT).to(alpha)
    places = shown * seen.coordinates[0] / alpha.clamp_min(FAINT)
    normals = placed.net.objects(placed.planes).normals(places[None])[0]
    turned = shown * normals @ placement.rotation(alpha).mT
    palette = alpha[:, :0] if seen.palette is None else seen.palette[0]
    return torch.cat((((seen.rgb[0] + 1) / 2).clamp(0, 1), alpha, placement.placed(places), turned, palette), dim=1)


def _free(file: str | Path, ending: str) -> Path:
    place = Path(file)
    if place.suffix != ending:
        raise InputError(f"{place} does not end in {ending}: give a name that does.")
    if place.exists() or place.is_symlink():
        raise InputError(f"{place} is there already: give another name.")
    return place
