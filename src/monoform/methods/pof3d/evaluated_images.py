"""What an evaluation of PoF3D looks at: photos of a set, and samples from their own and from uniform poses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from ...data.images import ImageSet
from ...data.images.labels import CAMERA
from ...devices import device_of
from ...errors import InputError
from ...metrics.features import as_bytes
from ...metrics.image_blocks import Block
from .discriminator import Pof3dDiscriminator
from .model import Pof3dGenerator
from .poses import camera_poses, within_poles

Poses = Literal["own", "uniform"]
Up = Literal["y", "z"]


def angles_from(
    world_from_camera: Float[Tensor, "n 4 4"], pivot: tuple[float, float, float], up: Up = "y"
) -> Float[Tensor, "n 2"]:
    """Azimuth about the vertical and elevation, radians, of cameras as a pivot sees them; NaN for one that is nowhere.

    Args:
        up: axis of the world that points up.
    """
    place = world_from_camera[:, :3, 3]
    if up == "z":
        place = torch.stack((place[:, 0], place[:, 2], -place[:, 1]), dim=1)
    place = place - torch.tensor(pivot).to(place)
    x, y, z = place.unbind(dim=1)
    angles = torch.stack((torch.atan2(x, z), torch.asin(y / place.norm(dim=1))), dim=1)
    nowhere = world_from_camera.flatten(1).abs().sum(dim=1) == 0
    return torch.where(nowhere[:, None], torch.nan, angles)


class Photos:
    """The photos of a set, with the poses that their labels tell and those that a discriminator tells.

    Args:
        images: the set.
        generator: whose cameras the discriminator knows.
        discriminator: tells poses; None for none.
        up: axis of the labels' world that points up.
        batch: photos at once.
    """

    def __init__(
        self,
        images: ImageSet,
        generator: Pof3dGenerator,
        discriminator: Pof3dDiscriminator | None,
        *,
        up: Up = "y",
        batch: int = 8,
    ) -> None:
        self.images, self.generator, self.discriminator = images, generator, discriminator
        self.up, self.batch = up, batch

    def __len__(self) -> int:
        return len(self.images)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """`pose` and `told`: azimuth and elevation by the labels and by the discriminator, NaN where there are none."""
        for start in range(numbers.start, numbers.stop, self.batch):
            pixels, labels, left_out = [], [], []
            for number in range(start, min(start + self.batch, numbers.stop)):
                try:
                    pixels.append(torch.from_numpy(self.images.image(number)).permute(2, 0, 1))
                except InputError as error:
                    left_out.append(str(error))
                    continue
                labels.append(self.images.label(number))
            if not pixels:
                yield Block(None, left_out=tuple(left_out))
                continue
            images = torch.stack(pixels)
            more = {"pose": self._labeled(labels), "told": self._told(images)}
            yield Block(images, {name: values.numpy() for name, values in more.items()}, tuple(left_out))

    def _labeled(self, labels: list[np.ndarray | None]) -> Float[Tensor, "n 2"]:
        rows = [np.zeros(16) if label is None or len(label) != CAMERA else label[:16] for label in labels]
        world = torch.from_numpy(np.stack(rows)).double().reshape(-1, 4, 4)
        return angles_from(world, self.generator.config.rig.pivot, self.up)

    def _told(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 2"]:
        if self.discriminator is None:
            return torch.full((len(images), 2), torch.nan)
        rig, side = self.generator.config.rig, self.generator.config.rays.raw_resolution
        with torch.inference_mode():
            floats = images.to(device_of(self.discriminator)).float() / 127.5 - 1
            raw = interpolate(floats, (side, side), mode="bilinear", align_corners=False)
            # It looks at groups; where photos do not fill the last one, the first of them do so again.
            group = self.discriminator.config.group
            places = torch.arange(-(-len(floats) // group) * group) % len(floats)
            told = self.discriminator.predict_pose(floats[places], raw[places])[: len(floats)]
            pose = within_poles(told.cpu())[0]
            return angles_from(camera_poses(pose.double(), pivot=rig.pivot, radius=rig.radius), rig.pivot)


class Samples:
    """A generator's samples.

    Args:
        generator: the network.
        count: how many.
        poses: own, those that the generator chooses; uniform, all around at the elevations that it chooses.
        truncation: of the styles.
        random: whether noise and the places of samples along rays are drawn, as published; else they are constant.
        labels: a set whose labels' intrinsics are drawn, as published; None for those of the training.
        seed: of all of it: the latent of a sample is a function of this and of its number.
        batch: samples at once.
    """

    def __init__(
        self,
        generator: Pof3dGenerator,
        count: int,
        *,
        poses: Poses = "own",
        truncation: float = 1.0,
        random: bool = True,
        labels: ImageSet | None = None,
        seed: int = 0,
        batch: int = 8,
    ) -> None:
        self.generator, self.count, self.poses, self.truncation = generator, count, poses, truncation
        self.random, self.seed, self.batch = random, seed, batch
        self.labels = labels if labels is not None and labels.label_size == CAMERA else None

    def __len__(self) -> int:
        return self.count

    def blocks(self, numbers: range) -> Iterator[Block]:
        """`pose`: azimuth and elevation; `outside`: 1 where the elevation was held at a pole."""
        for start in range(numbers.start, numbers.stop, self.batch):
            with torch.inference_mode():
                yield self._block(range(start, min(start + self.batch, numbers.stop)))

    def _block(self, numbers: range) -> Block:
        net, rig, device = self.generator, self.generator.config.rig, device_of(self.generator)
        draws = [torch.Generator().manual_seed(self.seed * 1_000_003 + number) for number in numbers]
        z = torch.stack([torch.randn(net.config.network.z_dim, generator=draw) for draw in draws])
        turns = torch.cat([torch.rand(1, generator=draw) for draw in draws]) * 2 * torch.pi
        labels = torch.cat([torch.rand(1, generator=draw) for draw in draws])
        mapped = net.map(z.to(device), self.truncation, generator=draws[0])
        elevation = mapped.pose[:, 1]
        pose = within_poles(mapped.pose)[0]
        if self.poses == "uniform":
            pose = torch.cat((turns[:, None].to(pose), pose[:, 1:]), dim=1)
        world, intrinsics = net.cameras(pose)
        if self.labels is not None:
            intrinsics = self._drawn(labels).to(intrinsics)
        noise = draws[0] if self.random else None
        seen = net.synthesize(mapped.ws, world, intrinsics, noise=noise or "const", draws=noise)
        finite = torch.isfinite(seen.image).flatten(1).all(dim=1).cpu()
        held = (elevation != pose[:, 1]).cpu()
        more = {"pose": angles_from(world.double().cpu(), rig.pivot), "outside": held.float()}
        bad = [f"sample {numbers[place]} is not finite." for place in torch.nonzero(~finite)[:, 0].tolist()]
        if len(bad) == len(numbers):
            return Block(None, left_out=tuple(bad))
        kept = {name: values[finite].numpy() for name, values in more.items()}
        return Block(as_bytes(seen.image[finite.to(device)]).cpu(), kept, tuple(bad))

    def _drawn(self, shares: Float[Tensor, " n"]) -> Float[Tensor, "n 3 3"]:
        assert self.labels is not None
        labels = [self.labels.label(int(share * len(self.labels))) for share in shares.tolist()]
        return torch.stack([torch.from_numpy(label[16:]) for label in labels if label is not None]).reshape(-1, 3, 3)
