"""What a step of training sees: a picture of each object, and patches of other views as rays with their true colors."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...data.packs.dataset import PackedObjects
from ...mesh.texture import to_bytes
from .cameras import DISTANCE, FOV, WORLD_FROM_NETWORK
from .photo_square import network_picture

FILLED = 0.85  # of the picture's side, by the sphere in which the objects lie, before the usual camera
RADIUS = 0.5  # of that sphere in the packs' world
ON_OBJECT = 0.8  # of the patches have their middle on the object
SCALE = DISTANCE * math.sin(math.atan(FILLED * math.tan(math.radians(0.5 * FOV)))) / RADIUS
"""Units of the network for one of the packs' world."""


def network_from_world(camera: Float[Tensor, "4 4"]) -> Float[Tensor, "3 3"]:
    """Rotation into the network's axes: the camera's azimuth becomes 0, up stays up."""
    azimuth = math.atan2(float(camera[0, 3]), float(camera[2, 3]))
    back = torch.tensor(
        [
            [math.cos(azimuth), 0.0, -math.sin(azimuth)],
            [0.0, 1.0, 0.0],
            [math.sin(azimuth), 0.0, math.cos(azimuth)],
        ]
    )
    return torch.tensor(WORLD_FROM_NETWORK).mT @ back


def training_batch(
    objects: PackedObjects,
    indices: Tensor,
    generator: torch.Generator,
    *,
    views: int,
    patch: int,
    image_size: int,
    ratio: float = FILLED,
) -> dict[str, Tensor]:
    """A picture of each object, and a patch of each of several views, that of the picture first.

    Args:
        views: whose patches are seen.
        patch: side of one in pixels.
        image_size: side of the network's pictures.
        ratio: the object's longer side in sides of the picture.

    Returns:
        pictures (b 3 s s); origins and unit directions (b v p p 3) of rays in the network's world; rgb (b v p p 3) on
        white and alpha (b v p p), what they should see.
    """
    packed = objects.batch(indices, generator, points=0, surface=0, views=views, maps=False)
    found: dict[str, list[Tensor]] = {name: [] for name in ("pictures", "origins", "directions", "rgb", "alpha")}
    for number in range(len(indices)):
        images, poses = packed["images"][number], packed["world_from_camera"][number]
        found["pictures"].append(network_picture(to_bytes(images[0].numpy()), ratio, image_size)[0])
        turn = network_from_world(poses[0])
        for view in range(views):
            camera = Camera(poses[view][None], packed["intrinsics"][number, view][None], *images.shape[2:0:-1])
            rows, columns = _patch(images[view, ..., 3], patch, generator)
            pixels = torch.stack((columns, rows), -1).reshape(1, -1, 2) + 0.5
            origins, directions = (rays[0] @ turn.mT for rays in camera.rays(pixels))
            seen = images[view][rows, columns]
            found["origins"].append(SCALE * origins.reshape(patch, patch, 3))
            found["directions"].append(directions.reshape(patch, patch, 3))
            found["rgb"].append(seen[..., :3] * seen[..., 3:] + 1 - seen[..., 3:])
            found["alpha"].append(seen[..., 3])
    made = {name: torch.stack(values) for name, values in found.items()}
    return {name: each if name == "pictures" else each.unflatten(0, (-1, views)) for name, each in made.items()}


def _patch(alpha: Float[Tensor, "h w"], side: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows and columns (side side) of a patch within an image, mostly on the object."""
    height, width = alpha.shape
    on_object = (alpha > 0.5).nonzero()
    if len(on_object) and float(torch.rand((), generator=generator)) < ON_OBJECT:
        middle = on_object[int(torch.randint(len(on_object), (), generator=generator))]
    else:
        middle = (torch.rand(2, generator=generator) * torch.tensor([height, width])).long()
    first = [int(min(max(int(at) - side // 2, 0), size - side)) for at, size in zip(middle, alpha.shape, strict=True)]
    rows, columns = (torch.arange(start, start + side) for start in first)
    return torch.meshgrid(rows, columns, indexing="ij")  # type: ignore[return-value]
