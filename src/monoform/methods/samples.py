"""What a generator's samples are made of and how their pictures are taken, the same for every generator."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ..camera import Camera, look_at, spherical_position
from ..errors import InputError
from ..ranges import require_range

WOBBLE = (0.35, 0.15)  # radians to either side, and up and down
STEEPEST = math.radians(85)


@dataclass(frozen=True, eq=False)
class Styles:
    """What a latent is made into before there is an object; between two of them lie others.

    Attributes:
        layers: one row for each layer of the network, coarse to fine; a generator without layers has one, the latent.
        pose: numbers from which the generator makes the camera that it predicts; None where it predicts none.
        notices: what a user should know of this sample, a sentence each.
    """

    layers: Float[Tensor, "l d"]
    pose: Float[Tensor, " p"] | None = None
    notices: tuple[str, ...] = ()

    def toward(self, other: Styles, share: float) -> Styles:
        """On the straight way to others, 0..1; the pose goes along."""
        pose = self.pose
        if pose is not None and other.pose is not None:
            pose = torch.lerp(pose, other.pose, share)
        notices = tuple(dict.fromkeys((*self.notices, *other.notices)))
        return Styles(torch.lerp(self.layers, other.layers, share), pose, notices)

    def mixed(self, other: Styles, count: float) -> Styles:
        """With the `count` finest layers of others, the last of them in part; the pose stays.

        Raises:
            InputError: there is one layer only.
        """
        layers = len(self.layers)
        if layers < 2:
            raise InputError("This generator's samples have one layer of styles: there is nothing to mix.")
        place = torch.arange(layers, 0, -1).to(self.layers)  # from the finest, 1
        share = (count - place + 1).clamp(0.0, 1.0)[:, None]
        return replace(self, layers=torch.lerp(self.layers, other.layers, share))


@dataclass(frozen=True)
class Studio:
    """How a generator's pictures are taken: by upright cameras around a center, that look at a pivot.

    Attributes:
        pivot: what they look at, in the world.
        center: what they go around.
        distance: from the center, in world units.
        fov_y: vertical field of view, radians.
        size: side of a picture in pixels.
        raw_size: side of the picture of the rays themselves, where the method's own is made of it; None: there is none.
        azimuth: of the fixed camera, radians about +y from +z towards +x.
        elevation: of the fixed camera and of an orbit, radians.
    """

    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    center: tuple[float, float, float] = (0.0, 0.0, 0.0)
    distance: float = 2.2
    fov_y: float = math.radians(28)
    size: int = 384
    raw_size: int | None = None
    azimuth: float = 0.0
    elevation: float = math.radians(15)

    def fixed(self) -> Camera:
        """The one camera that is the same for all samples."""
        return self.orbit(1)

    def orbit(self, count: int) -> Camera:
        """Cameras all around, from the fixed one on."""
        turn = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        return self._at(self.azimuth + turn, torch.full_like(turn, self.elevation))

    def wobble(self, count: int, camera: Camera | None = None) -> Camera:
        """Cameras on a small ellipse around a camera, or around the fixed one."""
        middle = self.fixed() if camera is None else camera
        offset = middle.position[0].double() - torch.tensor(self.center, dtype=torch.float64)
        distance = offset.norm()
        turn = 2 * math.pi * torch.arange(count, dtype=torch.float64) / count
        azimuth = torch.atan2(offset[0], offset[2]) + WOBBLE[0] * turn.sin()
        elevation = torch.asin((offset[1] / distance).clamp(-1, 1)) + WOBBLE[1] * turn.cos()
        made = self._at(azimuth, elevation.clamp(-STEEPEST, STEEPEST), float(distance))
        return replace(
            made,
            intrinsics=middle.intrinsics.expand(count, 3, 3).to(made.intrinsics),
            width=middle.width,
            height=middle.height,
            model=middle.model,
        )

    def _at(
        self, azimuth: Float[Tensor, " n"], elevation: Float[Tensor, " n"], distance: float | None = None
    ) -> Camera:
        center = torch.tensor(self.center, dtype=torch.float64)
        eye = center + spherical_position(azimuth, elevation, self.distance if distance is None else distance)
        return Camera.from_fov(look_at(eye, self.pivot).float(), self.fov_y, self.size, self.size)


@dataclass(frozen=True)
class PublishedSamples:
    """What the authors' program is asked for.

    Attributes:
        shapes: "none", or the format of a volume or mesh for each seed: "mrc" or "ply".
        shape_resolution: points along a side of the volume.
        overwrite: replace files that are there.
    """

    shapes: Literal["none", "mrc", "ply"] = "none"
    shape_resolution: int = 512
    overwrite: bool = False

    def __post_init__(self) -> None:
        require_range("--shape-resolution", self.shape_resolution, 8, 1024)


def label_of(camera: Camera, scale: float = 1.0) -> list[float]:
    """One camera as the 25 numbers of EG3D's dataset.json: world_from_camera, then intrinsics of a picture of side 1.

    Args:
        scale: units of the label's world in one of the camera's.

    Raises:
        InputError: the camera is orthographic, which the numbers cannot say.
    """
    if camera.model != "pinhole":
        raise InputError(
            "dataset.json has no numbers for orthographic cameras: leave out --labels, or see the samples with "
            "--cameras fixed."
        )
    pose = camera.world_from_camera[0].detach().cpu().double().clone()
    pose[:3, 3] *= scale
    size = pose.new_tensor([camera.width, camera.height, 1.0])
    intrinsics = camera.intrinsics[0].detach().cpu().double() / size[:, None]
    return [*pose.flatten().tolist(), *intrinsics.flatten().tolist()]
