"""From a picture to a vector and five maps (Arshad and Beksi 2023, section 3.1)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from ...nn.resnet import ResNet


class ImageEncoder(ResNet):
    """A ResNet-18 whose stem keeps the resolution, with two linear layers on the mean of its last map.

    Args:
        width: channels of the first map.
        hidden: of the first linear layer.
        vector: of the second.
    """

    def __init__(self, width: int = 64, hidden: int = 1000, vector: int = 128) -> None:
        super().__init__("resnet18", classes=hidden, stem_stride=1, width=width)
        self.conv1 = nn.Conv2d(3, width, 7, 1, 3, bias=False)  # published trainings start it as torch does
        self.fc1 = nn.Linear(hidden, vector)

    def encode(self, images: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b v"], list[Float[Tensor, "b _ _ _"]]]:
        """The vector, and maps at 1, 1/2, 1/4, 1/8 and 1/16 of the resolution."""
        maps = self.maps(images)
        assert self.fc is not None
        return self.fc1(self.fc(maps[-1].mean(dim=(2, 3)))), maps
