"""The unit box of an object, and the projection of its points by a known camera: the localization network's target."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .config import Network


@dataclass(frozen=True, eq=False)
class BoxFrame:
    """box = rotation (world - centre) / scale: axis by axis within +-half_side, the longest side filling it.

    Attributes:
        rotation: box-from-world.
        center: of the object's box, in the world.
        scale: world units per unit of the box.
    """

    rotation: Float[Tensor, "b 3 3"]
    center: Float[Tensor, "b 3"]
    scale: Float[Tensor, " b"]

    def into(self, world: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """Points of the world in the box."""
        return (world - self.center[:, None]) @ self.rotation.mT / self.scale[:, None, None]

    def out_of(self, box: Float[Tensor, "b n 3"]) -> Float[Tensor, "b n 3"]:
        """Points of the box in the world."""
        return self.scale[:, None, None] * box @ self.rotation + self.center[:, None]


def turned_to(
    world_from_camera: Float[Tensor, "b 4 4"], surface: Float[Tensor, "b n 3"], half_side: float = 0.5
) -> BoxFrame:
    """The box of objects turned about the vertical so that the camera stands in front, on the +z side."""
    eye = world_from_camera[:, :3, 3]
    turn = torch.atan2(eye[:, 0], eye[:, 2])
    cosine, sine, zero, one = turn.cos(), turn.sin(), torch.zeros_like(turn), torch.ones_like(turn)
    rows = (cosine, zero, -sine), (zero, one, zero), (sine, zero, cosine)
    rotation = torch.stack([torch.stack(row, 1) for row in rows], 1)
    turned = surface @ rotation.mT
    low, high = turned.amin(1), turned.amax(1)
    center = (0.5 * (low + high))[:, None] @ rotation
    return BoxFrame(rotation, center[:, 0], (high - low).amax(1) / (2 * half_side))


def map_matrix(
    world_from_camera: Float[Tensor, "b 4 4"],
    intrinsics: Float[Tensor, "b 3 3"],
    windows: Float[Tensor, "b 3"],
    frame: BoxFrame,
    image_size: int,
    network: Network,
) -> Float[Tensor, "b 4 3"]:
    """The matrix that projects a query as the camera does, to the map of the picture cut out by `windows`.

    Args:
        intrinsics: in pixels.
        windows: left, top and side of the cut in pixels.
    """
    rotation, eye = world_from_camera[:, :3, :3], world_from_camera[:, :3, 3]
    left, top, side = windows.unbind(1)
    # A pixel of the cut counts from its centre, and the map's corners are the centres of the corner pixels.
    step = (network.map_side - 1) / (image_size - 1)
    to_map = torch.zeros_like(intrinsics)
    to_map[:, 0, 0] = to_map[:, 1, 1] = step * image_size / side
    to_map[:, 0, 2] = -step * (image_size * left / side + 0.5)
    to_map[:, 1, 2] = -step * (image_size * top / side + 0.5)
    to_map[:, 2, 2] = 1.0
    camera_from_world = rotation.mT
    linear = to_map @ intrinsics @ camera_from_world
    of_box = linear @ (frame.rotation.mT * frame.scale[:, None, None])
    constant = linear @ (frame.center - eye)[..., None]
    of_query = network.half_side * of_box.flip(-1)
    return torch.cat((of_query, constant), dim=2).mT
