"""Maps of an object that `bootstrap` has made: coordinates, normals, palette; and the strip that papers show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from ...camera import Camera, orbit
from ...errors import InputError
from ...outputs.atomic import atomic_file
from ...render.chunks import slices
from ...render.ray_renderer import HostRenderer
from ...scene import Reconstruction
from .placed import FAINT, PlacedObject, PlacedRays
from .rendering import Maps

RAYS = 8192
HEIGHT = 128
"""Of a strip's pictures at the most."""


@dataclass(frozen=True, eq=False)
class ObjectMaps:
    """What one camera sees of an object, in the house's world.

    Attributes:
        rgb: sRGB 0..1, on the generator's background.
        alpha: coverage 0..1.
        coordinates: of what is seen, world units; 0 where nothing is.
        normals: unit vectors; 0 where nothing is.
        palette: share of each of the palette's colors, in sum the coverage; none of a generator without palette.
    """

    rgb: Float[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]
    coordinates: Float[np.ndarray, "h w 3"]
    normals: Float[np.ndarray, "h w 3"]
    palette: Float[np.ndarray, "h w k"]


@torch.no_grad()
def maps_of(made: Reconstruction, camera: Camera) -> ObjectMaps:
    """All maps of a reconstruction or a sample from one camera.

    Raises:
        InputError: another method has made it, or it was read from a folder, where the network is not.
    """
    placed, placement = _placed(made), _placed(made).placement
    origins, directions = (rays[0].to(placed.planes) for rays in camera.rays())
    wanted, parts = Maps(palette=True, coordinates=True, normals=True), []
    for part in slices(len(origins), RAYS):
        seen = placed.seen(origins[part], directions[part], maps=wanted)
        assert seen.coordinates is not None and seen.normals is not None
        alpha = seen.alpha[0, :, None]
        shown = (alpha > FAINT).to(alpha)
        rotation = placement.rotation(alpha)
        coordinates = placement.scale * shown * seen.coordinates[0] / alpha.clamp_min(FAINT) @ rotation.mT
        inside = seen.normals[0] - placed.net.config.scene.background * (1 - alpha)
        normals = shown * torch.nn.functional.normalize(inside, dim=1) @ rotation.mT
        palette = alpha[:, :0] if seen.palette is None else seen.palette[0]
        rgb = ((seen.rgb[0] + 1) / 2).clamp(0, 1)
        parts.append(torch.cat((rgb, alpha, coordinates, normals, palette), dim=1).cpu())
    whole = torch.cat(parts).unflatten(0, (camera.height, camera.width)).numpy()
    return ObjectMaps(whole[..., :3], whole[..., 3], whole[..., 4:7], whole[..., 7:10], whole[..., 10:])


def strip(made: Reconstruction, other: Camera | None = None) -> Float[np.ndarray, "h w 3"]:
    """The photo, coordinates, render and normals in its camera, then render and normals from another one; sRGB 0..1.

    Args:
        made: of a photo, with its camera, or a sample.
        other: camera of the last two; None: one to the side.
    """
    pictures = []
    if made.has_camera:
        camera = made.camera
        height = min(HEIGHT, camera.height)
        camera = camera.resized(max(1, round(camera.width * height / camera.height)), height)
        photo = Image.fromarray(np.uint8(np.rint(255 * made.photo.rgb))).resize((camera.width, camera.height))
        seen = maps_of(made, camera)
        pictures = [np.asarray(photo) / 255.0, _shifted(seen.coordinates, seen.alpha)]
        pictures += [seen.rgb, _shifted(seen.normals / 2, seen.alpha)]
    else:
        height = HEIGHT
    beside = other or orbit(8, elevation=0.25, distance=2.2, fov_y=0.5, width=height, height=height)[1]
    beside = beside.resized(max(1, round(beside.width * height / beside.height)), height)
    seen = maps_of(made, beside)
    return np.concatenate([*pictures, seen.rgb, _shifted(seen.normals / 2, seen.alpha)], axis=1)


def write_maps(made: Reconstruction, camera: Camera, file: str | Path) -> Path:
    """The maps of one camera as arrays in an .npz file; one that is there is not replaced.

    Raises:
        InputError: the name has another ending, or the file is there.
    """
    place = _free(file, ".npz")
    found = vars(maps_of(made, camera))
    with atomic_file(place) as new, new.open("wb") as stream:
        np.savez_compressed(stream, **found)
    return place


def write_strip(made: Reconstruction, file: str | Path, other: Camera | None = None) -> Path:
    """The strip as a PNG file; one that is there is not replaced.

    Raises:
        InputError: the name has another ending, or the file is there.
    """
    place = _free(file, ".png")
    picture = Image.fromarray(np.uint8(np.rint(255 * strip(made, other).clip(0, 1))))
    with atomic_file(place) as new, new.open("wb") as stream:
        picture.save(stream, format="PNG")
    return place


def _free(file: str | Path, ending: str) -> Path:
    place = Path(file)
    if place.suffix != ending:
        raise InputError(f"{place} does not end in {ending}: give a name that does.")
    if place.exists() or place.is_symlink():
        raise InputError(f"{place} is there already: give another name.")
    return place


def _placed(made: Reconstruction) -> PlacedObject:
    renderer = made.renderer.renderer if isinstance(made.renderer, HostRenderer) else made.renderer
    if not isinstance(renderer, PlacedRays):
        raise InputError("Maps of coordinates and palettes are of what bootstrap has just made: give such a result.")
    return renderer.made


def _shifted(values: Float[np.ndarray, "h w 3"], alpha: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Numbers of -0.5..0.5 as colors, gray where nothing is."""
    return 0.5 + values * alpha[..., None]
