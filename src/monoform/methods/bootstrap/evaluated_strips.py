"""Strips of random photos of an evaluation, as the release's demonstration of a random batch."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float

from ...devices import device_of
from .evaluated_cameras import SeenFrom
from .evaluated_images import noise_of
from .evaluated_inversions import Explained, InvertedPhotos
from .placed import PlacedObject, Placement
from .strip import Seen, strip, told_photo


@torch.no_grad()
def random_strips(photos: InvertedPhotos, count: int, seed: int) -> Float[np.ndarray, "h w 3"]:
    """Rows of some of the photos, see `strip`: each after the fewest steps and after the most."""
    drawn = torch.randperm(len(photos), generator=torch.Generator().manual_seed(seed))[:count]
    return np.concatenate([_strip(photos, place) for place in sorted(drawn.tolist())])


def _strip(photos: InvertedPhotos, place: int) -> Float[np.ndarray, "h w 3"]:
    net, number = photos.net, int(photos.views.numbers[place])
    config, device = net.config, device_of(net)
    placement = Placement.of(config.scene)
    _, found = photos.inverted(number, place)
    image = photos.compared.photos.photo(number, config.resolution).image[None, :3].to(device)
    told = photos.encoder(image)

    def seen(explained: Explained) -> Seen:
        planes, palette = net.planes(explained.styles, noise=noise_of(net)), net.palette(explained.styles)
        camera = SeenFrom(explained.world_from_camera, explained.focal).camera(config.resolution, device)
        house = placement.camera(camera, corner_pixels=config.compat.corner_pixels)
        return Seen(PlacedObject(net, planes, palette, placement), house)

    rows = [seen(found[steps]) for steps in dict.fromkeys((min(found), max(found)))]
    return strip(rows, told_photo(image[0].permute(1, 2, 0), told, placement))
