"""A fit that begins with another method's result: the field is first brought to its shape and colors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...camera import Camera
from ...errors import InputError
from ...mesh import sample_surface
from ...scene import Photo, load
from ...scene.mesh_field import MeshField
from .model import RealFusionField
from .optimizing import BETAS, EPSILON
from .photo_square import PhotoSquare

POINTS = 1 << 15  # of which half are near the surface
BATCH, STEPS, RATE = 4096, 300, 1e-2
COLOR = 10.0  # weight of the squared difference of the colors, beside that of the logarithm of the density
NEAR = 0.05  # shares of the box's half side: spread of the points near the surface,
SOFT = 0.02  # and the way over which the density changes by a factor of e
REACH = (-5.0, 3.0)  # logarithm of the density far outside and deep inside, from that of the surface


@dataclass(frozen=True, eq=False)
class Start:
    """A result, and the way from the fit's box to it: the same pixel, and as deep from its middle as it is wide.

    Attributes:
        mesh: of the result.
        camera: that took the photo, in the result's world.
        square: the photo's square in the box.
    """

    mesh: MeshField
    camera: Camera
    square: PhotoSquare

    @property
    def middle(self) -> float:
        """Depth of the object's middle from the result's camera."""
        depths = self.camera.project(torch.from_numpy(self.mesh.mesh.used_vertices).float()[None])[1]
        if float(depths.min()) <= 0:
            raise InputError("The result's camera stands within its object: give another one as start.")
        return 0.5 * float(depths.min() + depths.max())

    @property
    def unit(self) -> float:
        """Units of the result's world in a unit of the box."""
        pixels = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
        ends = self.camera.unproject(pixels, torch.full((1, 2), self.middle))[0]
        return float((ends[1] - ends[0]).norm() * self.square.intrinsics()[0, 0] / self._far)

    @property
    def _far(self) -> Tensor:
        return self.square.pose[:3, 3].norm()

    def outward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points of the box in the result's world."""
        local = (points - self.square.pose[:3, 3]) @ self.square.pose[:3, :3]
        depth = local[:, 2].clamp_min(1e-3)
        pixels = (local[:, :2] / depth[:, None]) @ self.square.intrinsics()[:2, :2].T + self.square.intrinsics()[:2, 2]
        return self.camera.unproject(pixels[None], (self.middle + (depth - self._far) * self.unit)[None])[0]

    def inward(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
        """Points of the result's world in the box."""
        pixels, depths = (found[0] for found in self.camera.project(points[None]))
        depth = self._far + (depths - self.middle) / self.unit
        matrix = self.square.intrinsics()
        plane = (pixels - matrix[:2, 2]) / matrix.diagonal()[:2]
        local = torch.cat((plane, torch.ones_like(plane[:, :1])), dim=1) * depth[:, None]
        return local @ self.square.pose[:3, :3].T + self.square.pose[:3, 3]

    def points(self, bound: float, generator: torch.Generator) -> Float[Tensor, "n 3"]:
        """Points of the box, evenly and near the surface."""
        even = (2.0 * torch.rand(POINTS // 2, 3, generator=generator) - 1.0) * bound
        surface = torch.from_numpy(np.asarray(sample_surface(self.mesh.mesh, POINTS // 2, seed=0)[0])).float()
        spread = NEAR * bound * torch.randn(len(surface), 3, generator=generator)
        return torch.cat((even, (self.inward(surface) + spread).clamp(-bound, bound)))


def open_start(folder: str, photo: Photo, square: PhotoSquare) -> Start:
    """A result folder of the same photo.

    Raises:
        InputError: it is none, has no camera, or is of a photo of another size.
    """
    result = load(folder)
    if not result.has_camera:
        raise InputError(f"{folder} has no camera: give as start the result of a method that gives one, such as lift.")
    camera, field = result.camera, result.field
    assert isinstance(field, MeshField)
    if (camera.width, camera.height) != (photo.width, photo.height):
        raise InputError(
            f"{folder} is of a photo of {camera.width} x {camera.height} pixels and this one has {photo.width} x "
            f"{photo.height}: give as start a result of the same photo."
        )
    return Start(field, camera, square)


def begin_with(net: RealFusionField, start: Start, hidden_levels: int, seed: int) -> None:
    """Bring a field to a result's shape and colors: its density at the surface is that from which cells are occupied.

    Args:
        net: the field; its levels that are left out at first learn nothing.
        seed: of the points.
    """
    generator = torch.Generator().manual_seed(seed)
    config, place = net.config, net.encoder.embeddings.device
    points = start.points(config.bound, generator)
    there = start.outward(points)
    soft = SOFT * config.bound
    depth = -start.mesh.geometry(there) / start.unit / soft
    level = float(np.log(config.density_threshold))
    wanted, near = (level + depth.clamp(*REACH)).to(place), (depth.abs() < -REACH[0]).float().to(place)
    colors, points = start.mesh.values(there).to(place), points.to(place)
    net.hide_levels(hidden_levels)
    optimizer = torch.optim.Adam(net.parameters(), RATE, betas=BETAS, eps=EPSILON)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        pick = torch.randint(len(points), (BATCH,), generator=generator).to(place)
        density, albedo = net.query(points[pick])
        shape = functional.smooth_l1_loss(density.clamp_min(1e-30).log(), wanted[pick])
        color = ((albedo - colors[pick]).square().sum(dim=1) * near[pick]).mean()
        optimizer.zero_grad(set_to_none=True)
        (shape + COLOR * color).backward()
        optimizer.step()
        schedule.step()
