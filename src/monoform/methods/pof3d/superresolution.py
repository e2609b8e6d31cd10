"""From the rendered features to the image (EG3D, section 4.2)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ...errors import InputError
from ...nn.stylegan2 import Noise, SynthesisBlock


@dataclass(frozen=True)
class Kind:
    """One of the release's modules.

    Attributes:
        first: channels of the first block.
        second: channels of the second block, which doubles its image.
        up: factor by which the first block grows its image.
        reduces: whether features of more pixels than it begins with are brought down to these.
    """

    first: int
    second: int
    up: int
    reduces: bool


KINDS: dict[str, Kind] = {
    "2X": Kind(128, 64, 1, True),
    "4X": Kind(128, 64, 1, False),
    "8X": Kind(128, 64, 2, True),
    "8XDC": Kind(256, 128, 2, True),
}
CLAMP = 256.0


class Superresolution(nn.Module):
    """Two blocks of StyleGAN2, both with the style of the planes' last slot.

    Args:
        kind: one of `KINDS`.
        features: channels of what is rendered; the first three are the raw image.
        w_dim: length of the style.
        resolution: of the image in pixels.
        half_precision: whether a GPU computes in half precision; the layers are then clamped everywhere.
        share: of the kind's channels.
    """

    def __init__(
        self,
        kind: str,
        features: int,
        w_dim: int,
        resolution: int,
        *,
        half_precision: bool = True,
        share: float = 1.0,
    ) -> None:
        super().__init__()
        self.kind = KINDS[kind]
        self.begin = resolution // (2 * self.kind.up)
        if self.begin * 2 * self.kind.up != resolution:
            raise InputError(f"PoF3D's super-resolution {kind} makes no {resolution} pixels: give a multiple of 4.")
        first, second = (max(round(share * channels), 1) for channels in (self.kind.first, self.kind.second))
        clamp = CLAMP if half_precision else None
        self.block0 = SynthesisBlock(
            features,
            first,
            w_dim,
            resolution // 2,
            3,
            up=self.kind.up,
            clamp=clamp,
            half_precision=half_precision,
        )
        self.block1 = SynthesisBlock(
            first,
            second,
            w_dim,
            resolution,
            3,
            last=True,
            clamp=clamp,
            half_precision=half_precision,
        )

    def resizes(self, side: int) -> bool:
        """Whether features of this many pixels a side are brought to the number that the first block begins with."""
        return side < self.begin or (side > self.begin and self.kind.reduces)

    def forward(
        self,
        raw: Float[Tensor, "n 3 r r"],
        features: Float[Tensor, "n c r r"],
        w: Float[Tensor, "n w"],
        *,
        noise: Noise = "none",
        fused: bool | None = None,
    ) -> tuple[Float[Tensor, "n 3 s s"], Float[Tensor, "n 3 t t"]]:
        """The image, and the raw image with what the first block adds to it.

        Args:
            raw: image of the renderer, -1..1.
            features: what was rendered.
            w: style of all layers.
            noise: what the layers add.
            fused: see `modulated_conv2d`; None: whatever is quickest.
        """
        if self.resizes(features.shape[-1]):
            size = (self.begin, self.begin)
            features = interpolate(features, size, mode="bilinear", align_corners=False)
            raw = interpolate(raw, size, mode="bilinear", align_corners=False)
        ws = w[:, None].expand(-1, 3, -1)
        x, first = self.block0(features, raw, ws, noise=noise, fused=fused)
        _, image = self.block1(x, first, ws, noise=noise, fused=fused)
        return image, first
