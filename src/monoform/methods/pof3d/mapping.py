"""From a latent to a style and a camera pose (section 3.1)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...nn.stylegan2 import EqualizedLinear, MappingNetwork
from .config import POLE, Network, PoseHead

UNIFORM_ELEVATION = math.pi / 8


@dataclass(frozen=True, eq=False)
class Mapped:
    """What a latent stands for.

    Attributes:
        ws: one style for each slot of the networks.
        pose: yaw, elevation parameter, and a learned radius (world units) or field of view (degrees); see `poses`.
        w: the style before truncation.
    """

    ws: Float[Tensor, "n slots w"]
    pose: Float[Tensor, "n k"]
    w: Float[Tensor, "n w"]


class PoseMapping(MappingNetwork):
    """The mapping network, and layers that tell a pose from its style.

    Args:
        network: sizes.
        head: how the pose is told.
        third_mean: what a learned radius or field of view begins around.
        linear_means: see `Compat`.
    """

    def __init__(
        self, network: Network, head: PoseHead, *, third_mean: float = 0.0, linear_means: bool = False
    ) -> None:
        super().__init__(
            network.z_dim, network.w_dim, layers=network.mapping_layers, lr_multiplier=network.mapping_rate
        )
        self.head = head
        width = network.w_dim
        self.means = [math.pi / 2 if head.linear and linear_means else head.yaw_mean, head.elevation_mean, third_mean]
        outputs = head.size + (head.yaw == "circle")
        if head.linear:
            self.affine_layer = EqualizedLinear(width, outputs, lr_multiplier=head.rate)
        else:
            self.affine_layer1 = EqualizedLinear(width, width, activation="lrelu", lr_multiplier=head.rate)
            self.affine_layer2 = EqualizedLinear(width, outputs, lr_multiplier=head.rate)

    def pose(self, w: Float[Tensor, "n w"], generator: torch.Generator | None = None) -> Float[Tensor, "n k"]:
        """The pose of untruncated styles.

        Args:
            generator: of poses that are drawn instead of learned; None draws none: they are the means.
        """
        w = w.detach() if self.head.detached else w
        told = self.affine_layer(w) if self.head.linear else self.affine_layer2(self.affine_layer1(w))
        if self.head.yaw == "circle":  # relative to the mean, which lies at (1, 0) before anything is told
            offset = torch.atan2(told[:, :1], 1 + told[:, 1:2])
            told = torch.cat((offset, told[:, 2:]), dim=1)
        if self.head.uniform:
            told = 0 * told
        elevation = told[:, 1:2]
        if self.head.elevation == "bounded":
            half = self.head.reach - POLE  # whatever it is, a network begins in the middle of it and not at its ends
            elevation = half * torch.tanh(elevation / (math.pi / 2 - POLE))
        pose = torch.cat((told[:, :1], elevation, told[:, 2:]), dim=1) + told.new_tensor(self.means[: told.shape[1]])
        if self.head.uniform and generator is not None:
            pose = pose + self._drawn(pose, generator)
        return self._clamped(pose)

    def _drawn(self, pose: Tensor, generator: torch.Generator) -> Tensor:
        """Offsets of poses whose yaw lies anywhere and whose elevation is near the equator."""
        drawn = torch.rand(len(pose), 2, generator=generator, device=generator.device).to(pose)
        yaw = 2 * math.pi * drawn[:, :1] - self.means[0]
        elevation = UNIFORM_ELEVATION * (2 * drawn[:, 1:] - 1)
        return torch.cat((yaw, elevation, torch.zeros_like(pose[:, 2:])), dim=1)

    def _clamped(self, pose: Tensor) -> Tensor:
        yaw, elevation = pose[:, :1], pose[:, 1:2]
        if self.head.clamp_yaw is not None:
            yaw = yaw.clamp(*self.head.clamp_yaw)
        if self.head.clamp_elevation is not None:
            elevation = elevation.clamp(*self.head.clamp_elevation).clamp(POLE, math.pi - POLE)
        return torch.cat((yaw, elevation, pose[:, 2:]), dim=1)
