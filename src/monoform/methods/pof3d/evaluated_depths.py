"""Depth of photos whose true depth is known: each is found among the generator's samples, whose depth is compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...data.images import ImageSet
from ...devices import device_of
from ...errors import InputError
from ...inputs.arrays import read_array
from ...metrics import depth_error, mask_iou
from ...metrics.features import as_bytes
from ...metrics.image_blocks import Block
from .discriminator import Pof3dDiscriminator
from .find_photo import find
from .model import Pof3dGenerator
from .photo_crop import Square
from .poses import camera_poses, intrinsics_of
from .rendering import image_rays

COVERED = 0.5  # alpha from which on there is a surface
STARTS = 4


class Depths:
    """Photos with depth maps.

    Args:
        images: the photos.
        folder: of maps, NAME.npy for NAME.png: depth along z in any unit; 0, infinite or NaN where there is nothing.
        generator: among whose samples they are looked for.
        discriminator: tells where to begin; None for none.
        count: the first so many photos that have a map.
        steps: updates of each photo's styles and pose.
        seed: of the search.

    Raises:
        InputError: no photo has a map.
    """

    def __init__(
        self,
        images: ImageSet,
        folder: Path,
        generator: Pof3dGenerator,
        discriminator: Pof3dDiscriminator | None,
        *,
        count: int,
        steps: int,
        seed: int = 0,
    ) -> None:
        self.images, self.generator, self.discriminator = images, generator, discriminator
        self.steps, self.seed = steps, seed
        places = [(number, folder / Path(images.name(number)).with_suffix(".npy")) for number in range(len(images))]
        self.chosen = [(number, place) for number, place in places if place.is_file()][:count]
        if not self.chosen:
            raise InputError(f"No photo has a depth map in {folder}: {places[0][1]} would be that of the first.")

    def __len__(self) -> int:
        return len(self.chosen)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """`standard` and `scale`: errors of the depth, see `depth_error`; `iou`: of the covered pixels."""
        for number in numbers:
            photo, place = self.chosen[number]
            try:
                yield self._block(number, photo, place)
            except InputError as error:
                yield Block(None, left_out=(str(error),))

    def _block(self, number: int, photo: int, place: Path) -> Block:
        net, rig, size = self.generator, self.generator.config.rig, self.generator.config.resolution
        pixels = torch.from_numpy(self.images.image(photo)).permute(2, 0, 1)
        square = Square(pixels / 127.5 - 1, torch.ones(size, size), (0.0, 0.0, float(size)))
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        tell = None if self.discriminator is None else self.discriminator.predict_pose
        found = find(net, tell, square, rig.focal, steps=self.steps, starts=STARTS, generator=draw)
        with torch.inference_mode():
            device = device_of(net)
            world = camera_poses(found.pose[None].to(device), pivot=rig.pivot, radius=rig.radius)
            intrinsics = intrinsics_of(rig.focal).to(world)
            seen = net.synthesize(found.styles[None].to(device), world, intrinsics)
            depth = depth_along_z(seen.depth[:, 0], world, intrinsics)[0].cpu().numpy()
        true = _sized(read_array(place), len(depth), place)
        there, covered = np.isfinite(true) & (true > 0), seen.alpha[0, 0].cpu().numpy() > COVERED
        both = there & covered
        errors = {
            name: depth_error(depth, np.where(there, true, 0), both, align=name) for name in ("standard", "scale")
        }
        more = errors | {"iou": mask_iou(covered, there)}
        return Block(as_bytes(seen.image).cpu(), {name: np.array([value]) for name, value in more.items()})


def depth_along_z(
    distance: Float[Tensor, "n r r"], world_from_camera: Float[Tensor, "n 4 4"], intrinsics: Float[Tensor, "n 3 3"]
) -> Float[Tensor, "n r r"]:
    """Depth along the cameras' z of distances along rays."""
    _, directions = image_rays(world_from_camera, intrinsics, distance.shape[-1])
    forward = world_from_camera[:, None, :3, 2]
    return distance * (directions * forward).sum(dim=-1).reshape(distance.shape)


def _sized(depth: np.ndarray, size: int, place: Path) -> Float[np.ndarray, "r r"]:
    """A map at another size, each pixel that of the nearest: depths are not averaged over outlines."""
    if depth.ndim != 2 or depth.shape[0] != depth.shape[1] or depth.dtype.kind not in "fiu":
        raise InputError(f"{place} has the shape {depth.shape}; a depth map is square, rows by columns.")
    chosen = ((np.arange(size) + 0.5) * len(depth) / size).astype(int)
    return depth[np.ix_(chosen, chosen)].astype(np.float64)
