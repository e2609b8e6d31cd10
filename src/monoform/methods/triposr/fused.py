"""A photo's volume brought into a world in which the photo's camera is known."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...inversion.silhouette_pose import MaskFit, looking
from ...mesh import Mesh
from ...scene import View
from ...scene.photo_camera import working_camera
from ...scene.placing import placing
from .field import PlacedVolume
from .planes import PlaneVolume

ELEVATIONS = (0.0, 0.2, 0.4)
TURN = 0.15


def placed_in_world(
    volume: PlaneVolume, rotation: Float[Tensor, "3 3"], surface: Mesh, view: View
) -> tuple[PlacedVolume, Float[np.ndarray, "n 3"]]:
    """The volume where the photo's camera sees it as the photo does, and its surface's vertices there.

    The silhouette tells how the object stands before the camera, and the world's origin, which is the object's center,
    how far away and so how large it is.

    Args:
        rotation: that turns the network's axes upright.
        surface: of the volume, in these axes.
        view: photo with its mask, and its camera in the world.
    """
    photo, camera = view.photo, view.camera
    assert photo.mask is not None and camera is not None
    working = working_camera(camera, photo)
    center, size = placing(surface.vertices)
    own = Mesh(size * (surface.vertices - center), surface.faces)
    fit = MaskFit(own, photo.mask > 0.5, working.intrinsics[0].double().numpy())
    turned = fit.best([looking(0.0, height) for height in ELEVATIONS], turn=TURN)
    moved = fit.place(turned)
    world_from_camera = working.world_from_camera[0].double().numpy()
    larger = float(np.linalg.norm(world_from_camera[:3, 3]) / np.linalg.norm(moved))

    # world = turn (own - behind) larger, and own = size (upright - center).
    turn = world_from_camera[:3, :3] @ turned
    offset = larger * world_from_camera[:3, :3] @ moved + world_from_camera[:3, 3]
    scale = larger * size
    vertices = larger * own.vertices @ turn.T + offset
    upright = torch.from_numpy(turn).float() @ rotation
    middle = torch.from_numpy(center - turn.T @ offset / scale).float() @ rotation
    return PlacedVolume(volume, upright, scale, middle), vertices
