"""A crop of the object to volumes of signed distance, uncertainty and colour behind its pixels.

The frame: x right, y down, z away from the camera, the object's centre at the origin and the crop's half side, at the
centre's depth, as unit. A point's place in a volume is its pixel in the crop (`uv`, in -1..1) and its z: the channels
of a two-dimensional network are the cells along the line of sight (as in Richter and Roth 2018), so one pass gives the
whole solid and looking up a point costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from .config import LiftConfig

INPUTS = 6  # red, green, blue (0 off the mask), mask, distance to the outline, half thickness of the round solid
BAND = 0.3
FIELDS = ("signed", "scale", "colour", "camera")
SCALES = (0.01, 0.4)  # smallest and largest uncertainty of a distance


@dataclass(frozen=True)
class Volumes:
    """What the network says of every place behind the crops.

    Attributes:
        signed: distance to the surface in half sides of the crop, negative inside.
        scale: of the Laplace distribution of its error.
        colour: 0..1.
        camera: elevation in radians, and the logarithm of the crop's half side over the focal length.
        reach: half the depth of the volumes.
    """

    signed: Float[Tensor, "b d h w"]
    scale: Float[Tensor, "b e h w"]
    colour: Float[Tensor, "b 3 e h w"]
    camera: Float[Tensor, "b 2"]
    reach: float

    def signed_at(self, points: Float[Tensor, "b n 3"], uv: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n"]:
        """Signed distance; beyond the volume's ends it grows by the way to them."""
        beyond = (points[..., 2].abs() - self.reach).clamp_min(0)
        return self._look_up(self.signed[:, None], points, uv)[..., 0] + beyond

    def scale_at(self, points: Float[Tensor, "b n 3"], uv: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n"]:
        """Scale of the distance's error."""
        return self._look_up(self.scale[:, None], points, uv)[..., 0]

    def colour_at(self, points: Float[Tensor, "b n 3"], uv: Float[Tensor, "b n 2"]) -> Float[Tensor, "b n 3"]:
        """Colour in 0..1."""
        return self._look_up(self.colour, points, uv)

    def mirrored(self) -> Volumes:
        """The volumes of the crops' mirror images."""
        return replace(self, signed=self.signed.flip(-1), scale=self.scale.flip(-1), colour=self.colour.flip(-1))

    def __getitem__(self, index: int) -> Volumes:
        """The volumes of one crop, with their batch axis."""
        one = slice(index, index + 1)
        return replace(self, **{name: getattr(self, name)[one] for name in FIELDS})

    def _look_up(self, volume: Tensor, points: Tensor, uv: Tensor) -> Float[Tensor, "b n c"]:
        places = torch.cat((uv, points[..., 2:] / self.reach), dim=-1)[:, :, None, None]
        sampled = functional.grid_sample(
            volume, places.to(volume.dtype), mode="bilinear", padding_mode="border", align_corners=False
        )
        return sampled[..., 0, 0].transpose(1, 2)


def mean_of(first: Volumes, second: Volumes) -> Volumes:
    """The mean of two answers about the same crops."""
    return replace(first, **{name: 0.5 * (getattr(first, name) + getattr(second, name)) for name in FIELDS})


def round_solid(crops: Float[Tensor, "b 6 s s"], depths: int, reach: float) -> Float[Tensor, "b d h w"]:
    """About the signed distance of the solid that is as thick behind a pixel as the round solid in the outline."""
    distance, height = functional.avg_pool2d(crops[:, 4:], 2).split(1, dim=1)
    z = ((torch.arange(depths, device=crops.device) + 0.5) * 2 / depths - 1) * reach
    return torch.maximum(z.abs()[:, None, None] - height, -distance)


class Block(nn.Module):
    """Residual block of two 3 x 3 convolutions with group normalisation (He et al. 2016; Wu and He 2018)."""

    def __init__(self, channels_in: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.norm_in, self.norm = nn.GroupNorm(8, channels_in), nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels_in, channels, 3, stride, 1)
        self.second = nn.Conv2d(channels, channels, 3, 1, 1)
        plain = channels_in == channels and stride == 1
        self.skip = nn.Identity() if plain else nn.Conv2d(channels_in, channels, 1, stride)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d hd wd"]:
        hidden = self.first(functional.silu(self.norm_in(x)))
        return self.skip(x) + self.second(functional.silu(self.norm(hidden)))


class Transformer(nn.Module):
    """Self-attention between all cells of a map, then a perceptron at each (Vaswani et al. 2017, normalised first)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_out = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.project, self.merge = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.perceptron = nn.Sequential(nn.Linear(channels, 2 * channels), nn.SiLU(), nn.Linear(2 * channels, channels))

    def forward(self, x: Float[Tensor, "b t c"]) -> Float[Tensor, "b t c"]:
        query, key, value = self.project(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.merge(seen.transpose(1, 2).flatten(2))
        return x + self.perceptron(self.norm_out(x))


class LiftNet(nn.Module):
    """A U-shaped network (Ronneberger et al. 2015) whose output channels are cells along the line of sight.

    What it learns is where the true solid differs from the round one inside the same outline.
    """

    def __init__(self, config: LiftConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or LiftConfig()
        fine, *_, coarse = widths = tuple(config.channels)
        self.stem = nn.Conv2d(INPUTS, fine, 4, 2, 1)
        self.down = nn.ModuleList([Block(fine, fine)])
        for before, after in pairwise(widths):
            self.down.append(nn.Sequential(Block(before, after, 2), Block(after, after)))
        side = config.image_size // 2 ** len(widths)
        self.places = nn.Parameter(0.02 * torch.randn(1, coarse, side, side))
        self.attention = nn.ModuleList([Transformer(coarse, config.heads) for _ in range(config.attention)])
        self.up = nn.ModuleList()
        for before, after in reversed(list(pairwise(widths))):
            more = [] if before == fine else [Block(before, before)]
            self.up.append(nn.Sequential(Block(after + before, before), *more))
        self.leave = nn.Sequential(nn.GroupNorm(8, fine), nn.SiLU())
        self.signed = nn.Conv2d(fine, config.depths, 3, 1, 1)
        self.rest = nn.Conv2d(fine, 4 * config.colour_depths, 3, 1, 1)
        self.camera = nn.Sequential(nn.Linear(coarse, coarse), nn.SiLU(), nn.Linear(coarse, 2))
        self.drop = nn.Dropout2d(config.dropout)
        nn.init.zeros_(self.signed.weight)

    def forward(self, crops: Float[Tensor, "b 6 s s"]) -> Volumes:
        """Volumes behind crops whose channels are those of `lift.crop`."""
        return self.decode(self.encode(crops), crops)

    def encode(self, crops: Float[Tensor, "b 6 s s"]) -> list[Tensor]:
        """Feature maps from fine to coarse, the coarsest after attention: what refinement changes."""
        levels = [self.stem(crops)]
        for block in self.down:
            levels.append(block(levels[-1]))
        levels.pop(0)
        coarse = levels[-1]
        places = functional.interpolate(self.places, size=coarse.shape[2:], mode="bilinear", align_corners=False)
        tokens = (coarse + places).flatten(2).transpose(1, 2)
        for block in self.attention:
            tokens = block(tokens)
        levels[-1] = self.drop(tokens.transpose(1, 2).unflatten(2, coarse.shape[2:]))
        return levels

    def dropped(self, level: Float[Tensor, "b c h w"], generator: torch.Generator) -> Float[Tensor, "b c h w"]:
        """A coarsest map without random channels, as in training: another guess (Gal and Ghahramani 2016)."""
        kept = 1 - self.config.dropout
        mask = torch.rand(len(level), level.shape[1], 1, 1, generator=generator) < kept
        return level * mask.to(level) / kept

    def decode(self, levels: list[Tensor], crops: Float[Tensor, "b 6 s s"]) -> Volumes:
        """Volumes from feature maps."""
        config, hidden = self.config, levels[-1]
        camera = self.camera(hidden.mean(dim=(2, 3))).float()
        for block, level in zip(self.up, reversed(levels[:-1]), strict=True):
            hidden = block(torch.cat((functional.interpolate(hidden, scale_factor=2.0, mode="bilinear"), level), dim=1))
        hidden = self.leave(hidden)
        scale, colour = self.rest(hidden).float().split((config.colour_depths, 3 * config.colour_depths), dim=1)
        low, high = SCALES
        # Most things have the same paint behind a pixel as on it.
        seen = functional.avg_pool2d(crops[:, :3] / crops[:, 3:4].clamp_min(0.05), 2).clamp(0, 1)
        return Volumes(
            round_solid(crops, config.depths, config.reach).clamp(-BAND, BAND) + 0.2 * self.signed(hidden).float(),
            low + (high - low) * torch.sigmoid(scale - 1),
            (seen[:, :, None] + 0.3 * colour.unflatten(1, (3, -1))).clamp(0, 1),
            camera,
            config.reach,
        )
