"""A crop of the object to signed distance and colour at points: pixel-aligned features and a global code.

Points are in the crop's own frame: x right, y down, z away from the camera, the object's centre at the origin and the
crop's half side, at the centre's depth, as unit. `uv` are their places in the crop, in -1..1, found by the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...nn.encoding import FrequencyEncoding
from .config import LiftConfig

INPUTS = 6  # red, green, blue, mask, distance to the outline, half thickness of the inflated outline
SHARPNESS = 40.0  # logit of being inside, per unit of distance


@dataclass(frozen=True)
class Features:
    """What the encoder makes of a batch of crops."""

    fine: Float[Tensor, "b c h w"]
    middle: Float[Tensor, "b m hm wm"]
    code: Float[Tensor, "b k"]


class Block(nn.Module):
    """Residual block of two 3 x 3 convolutions with group normalisation (He et al. 2016; Wu and He 2018)."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.norm_in, self.norm = nn.GroupNorm(8, channels_in), nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels_in, channels, 3, stride, 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)
        self.skip = nn.Conv2d(channels_in, channels, 1, stride)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d hd wd"]:
        hidden = self.first(functional.silu(self.norm_in(x)))
        return self.skip(x) + self.second(functional.silu(self.norm(hidden)))


class Encoder(nn.Module):
    """A U-shaped network (Ronneberger et al. 2015): half-size features for look-up, and one code for the whole."""

    def __init__(self, config: LiftConfig) -> None:
        super().__init__()
        self.stem = nn.Conv2d(INPUTS, 24, 5, 2, 2)
        self.down = nn.ModuleList([Block(24, 48, 2), Block(48, 96, 2), Block(96, 160, 2), Block(160, 224, 2)])
        self.up = nn.ModuleList([Block(224 + 160, 128), Block(128 + 96, 96), Block(96 + 48, 64)])
        self.middle = nn.Conv2d(96, config.middle, 1)
        self.fine = nn.Conv2d(64 + 24, config.fine, 3, 1, 1)
        self.code = nn.Sequential(nn.Linear(224, config.code), nn.SiLU(), nn.Linear(config.code, config.code))

    def forward(self, crops: Float[Tensor, "b 6 s s"]) -> Features:
        levels = [self.stem(crops)]
        for block in self.down:
            levels.append(block(levels[-1]))
        code = self.code(levels[-1].mean(dim=(2, 3)))
        hidden, middle = levels[-1], None
        for block, level in zip(self.up, reversed(levels[1:-1]), strict=True):
            hidden = block(torch.cat((_enlarged(hidden, level), level), dim=1))
            if hidden.shape[1] == 96:
                middle = self.middle(hidden)
        assert middle is not None
        fine = self.fine(torch.cat((_enlarged(hidden, levels[0]), levels[0]), dim=1))
        return Features(fine, middle, code)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)


class LiftNet(nn.Module):
    """Signed distance (in half sides of the crop) and colour at points, and the camera's elevation.

    The half thickness h of the inflated outline at a point's pixel enters with its z: what the network learns is
    where the true solid differs from the round one.
    """

    def __init__(self, config: LiftConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LiftConfig()
        self.encoder = Encoder(config)
        self.encoding = FrequencyEncoding(config.octaves, 3, factor=torch.pi / 2)
        inputs = config.fine + config.middle + 3 * (1 + 2 * config.octaves) + 3
        self.enter = nn.Linear(inputs, config.width)
        self.of_code = nn.Linear(config.code, config.width)
        self.blocks = nn.ModuleList([PointBlock(config.width) for _ in range(config.blocks)])
        self.leave = nn.Linear(config.width, 4)
        self.elevation = nn.Linear(config.code, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def encode(self, crops: Float[Tensor, "b 6 s s"]) -> Features:
        """Features of crops whose channels are those of `lift.crop`."""
        return self.encoder(crops)

    def forward(
        self,
        features: Features,
        crops: Float[Tensor, "b 6 s s"],
        points: Float[Tensor, "b n 3"],
        uv: Float[Tensor, "b n 2"],
    ) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n 3"]]:
        """Signed distance, negative inside, and colour in 0..1."""
        aligned = [_look_up(maps, uv) for maps in (features.fine, features.middle)]
        outline = _look_up(crops[:, 4:6], uv).float()
        height = outline[..., 1]
        # How far the point is inside the inflated solid, along the ray.
        round_solid = points[..., 2].abs() - height
        prior = torch.stack((outline[..., 0], height, round_solid), dim=-1)
        hidden = self.enter(
            torch.cat((*aligned, self.encoding(points.flatten(0, 1)).unflatten(0, points.shape[:2]), prior), dim=-1)
        )
        hidden = hidden + self.of_code(features.code)[:, None]
        for block in self.blocks:
            hidden = block(hidden)
        out = self.leave(functional.silu(hidden)).float()
        base = torch.maximum(round_solid, -outline[..., 0])
        return 0.5 * base.clamp(-0.5, 0.5) + out[..., 0], torch.sigmoid(out[..., 1:])

    def elevations(self, features: Features) -> Float[Tensor, " b"]:
        """Angle of the camera above the horizon of the object, in radians."""
        return self.elevation(features.code)[:, 0].float()


class PointBlock(nn.Module):
    """Residual block of two linear layers; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b n w"]) -> Float[Tensor, "b n w"]:
        return x + self.second(functional.silu(self.first(functional.silu(x))))


def _look_up(maps: Float[Tensor, "b c h w"], uv: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n c"]:
    sampled = functional.grid_sample(
        maps.float(), uv[:, :, None].float(), mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[..., 0].transpose(1, 2)
