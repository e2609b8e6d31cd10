"""The discriminator: it tells the pose of an image, then judges the image under that pose (section 3.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ...nn.stylegan2.discriminator import Epilogue, ResidualTrunk, projected
from ...nn.stylegan2.linear import EqualizedLinear
from ...nn.stylegan2.mapping import MappingNetwork
from .inputs import stacked

PoseCoding = Literal["angles", "circle"]


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Sizes and options of the discriminator.

    Attributes:
        resolution: of the images in pixels, a power of two.
        dual: judge the raw image beside the image; else the image alone.
        pose_coding: how poses are told and taken: angles, yaw and elevation as numbers (published); circle, cosine and
            sine of the yaw, so that 0 and a whole turn are the same.
        channel_base: channels of a block are channel_base / its resolution,
        channel_max: and no more than this.
        group: images of a minibatch deviation.
        clamp: of the activations; none for none.
        mapping_layers: of the pose as a condition.
        linear_pose: tell the pose by one layer instead of two.
        unconditional: give the score without a condition, too (published as nocond_output).
        pose_noise: noise on the pose that an image is judged under, as a share of its deviation in the batch.
        frozen: layers that do not learn, from the images on (Freeze-D).
        half: how many of the highest resolutions are computed in float16 on CUDA.
    """

    resolution: int = field(default=256, metadata={"derived": True})  # a training takes the generator's
    dual: bool = True
    pose_coding: PoseCoding = "circle"
    channel_base: int = 32768
    channel_max: int = 512
    group: int = 4
    clamp: float | None = 256.0
    mapping_layers: int = 8
    linear_pose: bool = False
    unconditional: bool = False
    pose_noise: float = 0.0
    frozen: int = 0
    half: int = 4

    def __post_init__(self) -> None:
        if not 8 <= self.resolution <= 4096 or self.resolution & (self.resolution - 1):
            raise InputError(f"The discriminator's resolution is {self.resolution}; give a power of two, 8 to 4096.")
        for name, most in (("channel_base", 2**20), ("channel_max", 4096), ("group", 256)):
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"The discriminator's {name} is {getattr(self, name)}; it must be 1 to {most}.")
        if self.channel_base < self.resolution:
            raise InputError(
                f"The discriminator's channel_base is {self.channel_base}; it must be at least the resolution, "
                f"{self.resolution}."
            )
        for name, most in (("mapping_layers", 64), ("frozen", 64), ("half", 16)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f"The discriminator's {name} is {getattr(self, name)}; it must be 0 to {most}.")
        if not 0 <= self.pose_noise <= 100:
            raise InputError(f"The discriminator's pose_noise is {self.pose_noise}; it must be 0 to 100.")
        if self.clamp is not None and not 0 < self.clamp < math.inf:
            raise InputError(f"The discriminator's clamp is {self.clamp}; it must be positive, or none.")
        if self.pose_coding not in ("angles", "circle"):
            raise InputError(f"The discriminator's pose_coding is {self.pose_coding!r}; give angles or circle.")


class Judgement(NamedTuple):
    """What the discriminator says of images.

    Attributes:
        score: above 0 for real, under the condition.
        pose: as the discriminator codes it, see `coded` and `angles_of`.
        unconditional: scores without a condition, one for each direction; None where they are not asked for.
    """

    score: Float[Tensor, "n 1"]
    pose: Float[Tensor, "n c"]
    unconditional: Float[Tensor, "n w"] | None = None


class PoseEpilogue(Epilogue):
    """The end of the discriminator, with layers that tell the pose."""

    def __init__(self, channels: int, config: DiscriminatorConfig) -> None:
        super().__init__(channels, channels, group=config.group, clamp=config.clamp)
        width, numbers = channels * 16, pose_numbers(config.pose_coding)
        self.linear_pose = config.linear_pose
        if config.linear_pose:
            self.cam_out = EqualizedLinear(width, numbers)
        else:
            self.cam_out1 = EqualizedLinear(width, width // 2, activation="lrelu")
            self.cam_out2 = EqualizedLinear(width // 2, numbers)

    def pose(self, flat: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """Poses, coded."""
        found: Tensor = self.cam_out(flat) if self.linear_pose else self.cam_out2(self.cam_out1(flat))
        return found


class Pof3dDiscriminator(ResidualTrunk):
    """Image and raw image to a pose and a score under a pose.

    Parameters have the names of the published checkpoints.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__(
            config.resolution,
            6 if config.dual else 3,
            channel_base=config.channel_base,
            channel_max=config.channel_max,
            clamp=config.clamp,
            frozen=config.frozen,
            half=config.half,
        )
        self.config = config
        numbers = pose_numbers(config.pose_coding)
        self.mapping = MappingNetwork(0, self.channels, layers=config.mapping_layers, c_dim=numbers, average_decay=None)
        self.b4 = PoseEpilogue(self.channels, config)

    def forward(
        self,
        image: Float[Tensor, "n 3 h w"],
        image_raw: Float[Tensor, "n 3 g v"],
        pose: Float[Tensor, "n c"] | None = None,
    ) -> Judgement:
        """Judge images, -1..1, by one pass through the trunk.

        Args:
            image_raw: what was rendered; not looked at by a discriminator that is not dual.
            pose: coded, to judge them under; None for what it tells of them itself, without gradients.
        """
        flat = self.flat(image, image_raw)
        told = self.b4.pose(flat)
        return self.judged(flat, told, told.detach() if pose is None else pose)

    def flat(self, image: Float[Tensor, "n 3 h w"], image_raw: Float[Tensor, "n 3 g v"]) -> Float[Tensor, "n d"]:
        """What poses and scores are made of."""
        return self.b4.flat(self.features(stacked(image, image_raw) if self.config.dual else image))

    def judged(self, flat: Float[Tensor, "n d"], told: Float[Tensor, "n c"], pose: Float[Tensor, "n c"]) -> Judgement:
        """Scores under given poses."""
        if self.config.pose_noise > 0:
            pose = pose + torch.randn_like(pose) * pose.std(dim=0) * self.config.pose_noise
        score = self.b4.score(flat)
        extra = score if self.config.unconditional else None
        return Judgement(projected(score, self.mapping(c=pose)), told, extra)

    def predict_pose(
        self, image: Float[Tensor, "n 3 h w"], image_raw: Float[Tensor, "n 3 g v"]
    ) -> Float[Tensor, "n 2"]:
        """(yaw, elevation parameter) of images, radians; see `methods.pof3d.poses`."""
        return angles_of(self.b4.pose(self.flat(image, image_raw)), self.config.pose_coding)


def pose_numbers(coding: PoseCoding) -> int:
    """How many numbers code a pose."""
    return {"angles": 2, "circle": 3}[coding]


def coded(angles: Float[Tensor, "n 2"], coding: PoseCoding) -> Float[Tensor, "n c"]:
    """(yaw, elevation parameter) as the discriminator takes them."""
    if coding == "angles":
        return angles
    yaw, elevation = angles.unbind(dim=1)
    return torch.stack([yaw.cos(), yaw.sin(), elevation], dim=1)


def angles_of(pose: Float[Tensor, "n c"], coding: PoseCoding) -> Float[Tensor, "n 2"]:
    """(yaw, elevation parameter) of what the discriminator tells; the yaw of a coding as a circle is 0..2 pi."""
    if coding == "angles":
        return pose
    yaw = torch.atan2(pose[:, 1], pose[:, 0]).remainder(2 * math.pi)
    return torch.stack([yaw, pose[:, 2]], dim=1)
