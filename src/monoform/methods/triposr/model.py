"""TripoSR's network: the photo's tokens, the planes' tokens that look at them, the planes, and what they hold."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...nn.transformer import Transformer
from ...nn.vit import Vit, VitConfig
from .config import UPSAMPLED, TripoSrConfig
from .decoder import PointDecoder

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels


class ImageTokenizer(nn.Module):
    """The photo as tokens of DINO's ViT (Caron et al. 2021)."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.model = Vit(config, pooler=True)

    def forward(self, pictures: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b m d"]:
        """Tokens of pictures 0..1 on gray, that for the whole first."""
        mean, deviation = (pictures.new_tensor(each)[:, None, None] for each in (MEAN, DEVIATION))
        return self.model((pictures - mean) / deviation)


class TriplaneTokenizer(nn.Module):
    """A learned token for each of the 3 p^2 places of the planes."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(3, channels, side, side) * channels**-0.5)

    def forward(self, count: int) -> Float[Tensor, "b c t"]:
        """The tokens, plane by plane and row by row, for each of `count` photos."""
        return self.embeddings.transpose(0, 1).flatten(1).expand(count, -1, -1)

    def planes(self, tokens: Float[Tensor, "b c t"]) -> Float[Tensor, "b 3 c p p"]:
        """Tokens in their places."""
        side = self.embeddings.shape[-1]
        return tokens.unflatten(2, (3, side, side)).transpose(1, 2)


class Upsampler(nn.Module):
    """Planes of features, of twice the tokens' resolution."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(channels, features, UPSAMPLED, UPSAMPLED)

    def forward(self, planes: Float[Tensor, "b 3 c p p"]) -> Float[Tensor, "b 3 f q q"]:
        return self.upsample(planes.flatten(0, 1)).unflatten(0, (-1, 3))


class TripoSrNet(nn.Module):
    """A photo to the three planes of a radiance field (Tochilkin et al. 2024, section 2)."""

    def __init__(self, config: TripoSrConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.transformer.channels
        self.image_tokenizer = ImageTokenizer(config.image)
        self.tokenizer = TriplaneTokenizer(channels, config.plane_size)
        self.backbone = Transformer(config.transformer)
        self.post_processor = Upsampler(channels, config.features)
        self.decoder = PointDecoder(config.decoded, config.decoder)

    def forward(self, pictures: Float[Tensor, "b 3 s s"]) -> Float[Tensor, "b 3 f q q"]:
        """The planes xy, xz and yz of the objects in pictures 0..1 on gray."""
        return self.planes(self.image_tokenizer(pictures))

    def planes(self, context: Float[Tensor, "b m d"]) -> Float[Tensor, "b 3 f q q"]:
        """The planes of photos whose tokens are given."""
        tokens = self.backbone(self.tokenizer(len(context)), context)
        return self.post_processor(self.tokenizer.planes(tokens))
