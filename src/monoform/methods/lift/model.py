"""A crop of the object to two depth maps: where each pixel's ray enters the object first and leaves it last.

The frame: x right, y down, z away from the camera, the object's centre at the origin and the crop's half side, at the
centre's depth, as unit. A place is its pixel in the crop (`uv`, in -1..1) and its z. Between front and back the object
is solid but for one hollow, the longest free stretch of the ray between them: air between legs, the inside of a cup.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...nn.efficientnet_lite import WIDTHS, EfficientNetLite0
from ...nn.quick_linear import QuickLinear
from .config import LiftConfig

INPUTS = 6  # red, green, blue (0 off the mask), mask, distance to the outline, half thickness of the round solid
SCALES = (0.005, 0.5)  # smallest and largest uncertainty of a depth
THINNEST = 0.02
FIXED = 2  # levels of the backbone that do not learn
SCARCE = -3.0  # logit of a hollow and of a mirror before anything is learned


@dataclass(frozen=True)
class Surfaces:
    """What the network says of every pixel of the crops, in half sides of the crop.

    Attributes:
        front: z of the first surface.
        back: z of the last surface, above `front`.
        scale: of the Laplace distributions of their errors.
        color: of the back, 0..1.
        normal: of the front, unit vectors that look towards the camera (z < 0).
        elevation: of the camera above the object, in radians.
        hollow: logit that there is a free stretch between front and back, and at which shares of the way from front to
            back it begins and ends.
        mirror: logits that the object is its own image in upright planes; the normal of plane i is turned by i half
            turns over their number from the camera's right towards what is behind.
    """

    front: Float[Tensor, "b h w"]
    back: Float[Tensor, "b h w"]
    scale: Float[Tensor, "b 2 h w"]
    color: Float[Tensor, "b 3 h w"]
    normal: Float[Tensor, "b 3 h w"]
    elevation: Float[Tensor, " b"]
    hollow: Float[Tensor, "b 3 h w"]
    mirror: Float[Tensor, "b m"]


def turned_over(mirror: Float[Tensor, "b m"]) -> Float[Tensor, "b m"]:
    """What `Surfaces.mirror` is of a crop whose left and right are exchanged."""
    return torch.cat((mirror[:, :1], mirror[:, 1:].flip(1)), dim=1)


def without_hollow(depth: Float[Tensor, "b h w"]) -> Float[Tensor, "b 3 h w"]:
    """What `Surfaces.hollow` is of objects that are solid, for maps of this size."""
    return depth.new_tensor([-20.0, 0.5, 0.5])[:, None, None].expand(len(depth), 3, *depth.shape[1:])


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
        self.project, self.merge = QuickLinear(channels, 3 * channels), QuickLinear(channels, channels)
        self.perceptron = nn.Sequential(
            QuickLinear(channels, 2 * channels), nn.SiLU(), QuickLinear(2 * channels, channels)
        )

    def forward(self, x: Float[Tensor, "b t c"]) -> Float[Tensor, "b t c"]:
        query, key, value = self.project(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.merge(seen.transpose(1, 2).flatten(2))
        return x + self.perceptron(self.norm_out(x))


def _silent(channels_in: int, channels: int) -> nn.Conv2d:
    """A convolution that says nothing before it has learned."""
    made = nn.Conv2d(channels_in, channels, 1)
    for values in made.parameters():
        nn.init.zeros_(values)
    return made


class LiftNet(nn.Module):
    """A U-shaped network (Ronneberger et al. 2015) from a crop to its front, its back, and how sure it is of them.

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
            self.up.append(nn.Sequential(Block(after + before, before), Block(before, before)))
        last = nn.Conv2d(fine, 10, 3, 1, 1)
        nn.init.normal_(last.weight, std=1e-3)
        self.leave = nn.Sequential(nn.GroupNorm(8, fine), nn.SiLU(), last)
        self.camera = nn.Sequential(QuickLinear(coarse, coarse), nn.SiLU(), QuickLinear(coarse, config.camera_outputs))
        self.drop = nn.Dropout2d(config.dropout)
        if config.zoom:
            self.backbone = EfficientNetLite0()
            self.adapters = nn.ModuleList([_silent(*sides) for sides in zip(WIDTHS[1:], widths, strict=True)])
        if config.hollows:
            told = nn.Conv2d(fine, 3, 3, 1, 1)
            nn.init.normal_(told.weight, std=1e-3)
            self.hollow = nn.Sequential(nn.GroupNorm(8, fine), nn.SiLU(), told)
        if config.mirrors:
            self.mirror = nn.Sequential(QuickLinear(coarse, coarse), nn.SiLU(), QuickLinear(coarse, config.mirrors))

    def forward(self, crops: Float[Tensor, "b 6 s s"]) -> Surfaces:
        """Surfaces behind crops whose channels are those of `lift.crop`."""
        return self.decode(self.encode(crops), crops)

    def encode(self, crops: Float[Tensor, "b 6 s s"]) -> list[Tensor]:
        """Feature maps from fine to coarse, the coarsest after attention: what refinement changes."""
        features = self._features(crops)
        hidden, levels = self.stem(self._coarser(crops)), []
        for number, block in enumerate(self.down):
            hidden = block(hidden)
            if features:
                hidden = hidden + self.adapters[number](features[number])
            levels.append(hidden)
        coarse = levels[-1]
        places = functional.interpolate(self.places, size=coarse.shape[2:], mode="bilinear", align_corners=False)
        tokens = (coarse + places).flatten(2).transpose(1, 2)
        for block in self.attention:
            tokens = block(tokens)
        levels[-1] = self.drop(tokens.transpose(1, 2).unflatten(2, coarse.shape[2:]))
        return levels

    def _features(self, crops: Float[Tensor, "b 6 s s"]) -> list[Tensor]:
        """What the backbone sees, on levels of the sizes of this network's."""
        if not self.config.zoom:
            return []
        # In single precision: on a CPU the depthwise convolutions are slower in half.
        with torch.autocast(crops.device.type, enabled=False):
            gray = 0.5 * (1 - crops[:, 3:4])
            seen = (crops[:, :3] + gray).float().contiguous(memory_format=torch.channels_last)
            return self.backbone(seen, fixed=FIXED)[1:]

    def _coarser(self, crops: Float[Tensor, "b 6 s s"]) -> Float[Tensor, "b 6 t t"]:
        """The crops in the pixels of all but the backbone."""
        return functional.avg_pool2d(crops, self.config.zoom) if self.config.zoom else crops

    def kept_channels(self, generator: torch.Generator) -> Float[Tensor, "1 c 1 1"]:
        """Factors that leave out channels of the coarsest map: another guess (Gal and Ghahramani 2016)."""
        share = 1 - 4 * self.config.dropout
        return (torch.rand(1, self.config.channels[-1], 1, 1, generator=generator) < share).float() / share

    def decode(self, levels: list[Tensor], crops: Float[Tensor, "b 6 s s"]) -> Surfaces:
        """Surfaces from feature maps."""
        hidden = levels[-1]
        whole = hidden.mean(dim=(2, 3))
        camera = self.camera(whole).float()
        for block, level in zip(self.up, reversed(levels[:-1]), strict=True):
            hidden = functional.interpolate(hidden, scale_factor=2.0, mode="bilinear")
            hidden = block(torch.cat((hidden, level), dim=1))
        middle, thicker, scale, color, normal = self.leave(hidden).float().split((1, 1, 2, 3, 3), dim=1)
        seen = functional.avg_pool2d(self._coarser(crops), 2)
        # The round solid's half thickness, made thicker or thinner where the network says so, never below zero.
        half = functional.softplus(torch.log(torch.expm1(seen[:, 5:6] + THINNEST)) + 2 * thicker)
        low, high = SCALES
        # Most things have the same paint behind as before.
        albedo = (seen[:, :3] / seen[:, 3:4].clamp_min(0.05)).clamp(0, 1)
        return Surfaces(
            (middle - half)[:, 0],
            (middle + half)[:, 0],
            low + (high - low) * torch.sigmoid(scale - 1.5),
            (albedo + 0.3 * color).clamp(0, 1),
            functional.normalize(torch.cat((normal[:, :2], -0.05 - functional.softplus(normal[:, 2:])), 1), dim=1),
            camera[:, 0],
            self._hollow(hidden),
            self.mirror(whole).float() + SCARCE if self.config.mirrors else whole.new_zeros(len(whole), 0),
        )

    def _hollow(self, hidden: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 3 h w"]:
        if not self.config.hollows:
            return without_hollow(hidden[:, 0].float())
        logit, start, length = self.hollow(hidden).float().split(1, dim=1)
        begins = torch.sigmoid(start - 1)
        return torch.cat((logit + SCARCE, begins, begins + (1 - begins) * torch.sigmoid(length + 1)), dim=1)
