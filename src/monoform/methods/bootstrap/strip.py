"""The strip that the paper shows: photo, predicted coordinates, render, normals, and both from another side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from .encoder import Encoded
from .maps import maps_of_object, shifted
from .placed import PlacedObject, Placement

HEIGHT = 128
"""Of a strip's pictures at the least; networks of more pixels draw as many as they have."""
ASIDE = math.radians(60)
"""How far around the object the other camera stands."""
Picture = Float[np.ndarray, "s s 3"]


@dataclass(frozen=True, eq=False)
class Seen:
    """An object and who sees it.

    Attributes:
        made: the object.
        camera: a square one of the house's.
    """

    made: PlacedObject
    camera: Camera


@dataclass(frozen=True, eq=False)
class EncodedPhoto:
    """What the encoder was shown, what it told, and what came of that.

    Attributes:
        rgb: the square that it was shown, sRGB 0..1.
        coordinates: that it told, in the house's world.
        mask: that it told, 0..1.
        predicted: object and camera as predicted, before any refinement; None where there was none.
    """

    rgb: Float[np.ndarray, "s s 3"]
    coordinates: Float[np.ndarray, "s s 3"]
    mask: Float[np.ndarray, "s s"]
    predicted: Seen | None = None


def told_photo(
    rgb: Float[Tensor, "s s 3"], told: Encoded, placement: Placement, predicted: Seen | None = None
) -> EncodedPhoto:
    """What the encoder was shown, -1..1, and told."""
    assert told.coordinates is not None and told.mask is not None
    points = placement.placed(told.coordinates[0]).clamp(-0.5, 0.5).cpu().numpy()
    return EncodedPhoto((rgb.cpu().numpy() + 1) / 2, points, told.mask[0].cpu().numpy(), predicted)


def strip(rows: Sequence[Seen], photo: EncodedPhoto | None = None) -> Float[np.ndarray, "h w 3"]:
    """A row of square pictures, sRGB 0..1, of each object: photo and predicted coordinates where there is a photo;
    render, normals; and both once more from a camera to the side.

    Args:
        rows: for instance before and after refinement.
    """
    size = max(HEIGHT, rows[0].made.net.config.resolution)
    return np.concatenate([np.concatenate(list(_row(seen, photo, size)), axis=1) for seen in rows])


def around(camera: Camera, angle: float) -> Camera:
    """A camera that has gone around the world's y axis."""
    turn = torch.eye(4).to(camera.world_from_camera)
    sine, cosine = math.sin(angle), math.cos(angle)
    turn[0, 0], turn[0, 2], turn[2, 0], turn[2, 2] = cosine, sine, -sine, cosine
    return replace(camera, world_from_camera=turn @ camera.world_from_camera)


def _row(seen: Seen, photo: EncodedPhoto | None, size: int) -> Iterator[Picture]:
    if photo is not None:
        yield cv2.resize(photo.rgb, (size, size), interpolation=cv2.INTER_LINEAR).clip(0, 1)
        yield cv2.resize(shifted(photo.coordinates, photo.mask), (size, size), interpolation=cv2.INTER_NEAREST)
    camera = seen.camera.resized(size, size)
    for each in (camera, around(camera, ASIDE)):
        found = maps_of_object(seen.made, each)
        yield found.rgb
        yield shifted(found.normals / 2, found.alpha)
