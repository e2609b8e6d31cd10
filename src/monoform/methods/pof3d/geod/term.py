"""GeoD in a training: an inverse renderer that learns from the real pictures, and a term of the generator's loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ....errors import InputError
from ....nn.vgg import Vgg16
from ....training.optimizers import Optimizer
from .config import RESOLUTION, GeodConfig
from .geometry import normals_of
from .losses import Features, normal_loss, reconstruction_loss, vgg_features
from .model import InverseRenderer

OPTIMIZER = Optimizer(name="adam", rate=1e-4, betas=(0.9, 0.999), weight_decay=5e-4)
"""Of the inverse renderer."""


@dataclass(frozen=True)
class GeodOptions:
    """GeoD's part of a training; with a weight of 0 nothing of it is built.

    Attributes:
        weight: of the generator's normals in its loss; 0 leaves GeoD out.
        start: thousands of images after which the weight begins to rise.
        end: thousands of images at which the weight is whole.
        stop: thousands of images after which the inverse renderer learns no more.
        vgg: torchvision's VGG-16 weights, for the perceptual part of the inverse renderer's loss; left out without.
    """

    weight: float = 0.0
    start: float = 0.0
    end: float = 0.0
    stop: float = 600.0
    vgg: Path | None = None

    def __post_init__(self) -> None:
        if not self.weight >= 0:
            raise InputError(f"GeoD's weight is {self.weight}; it must be at least 0.")
        if not 0 <= self.start <= self.end:
            raise InputError(f"GeoD's weight rises from {self.start} to {self.end}; give 0 <= start <= end.")

    def weight_at(self, kimg: float) -> float:
        """The weight after so many thousand images: 0 before `start`, whole from `end` on, straight between."""
        if kimg >= self.end:
            return self.weight
        return self.weight * max(0.0, kimg - self.start) / (self.end - self.start)

    def learns_at(self, kimg: float) -> bool:
        """Whether the inverse renderer still learns."""
        return kimg < self.stop


class GeodTerm(nn.Module):
    """The inverse renderer and its losses; it belongs into the task's module, so that checkpoints hold it.

    Args:
        features: of the perceptual part, None for that of `options.vgg`.
    """

    def __init__(
        self, options: GeodOptions, config: GeodConfig | None = None, *, features: Features | None = None
    ) -> None:
        super().__init__()
        self.options, self.renderer = options, InverseRenderer(config)
        # In a tuple: its weights are the user's file, not the training's to keep.
        self._vgg = () if options.vgg is None or features is not None else (Vgg16.load(options.vgg),)
        self._features = features

    def learned(self) -> Iterable[nn.Parameter]:
        """What the phase of the inverse renderer trains, by `OPTIMIZER`."""
        return self.renderer.parameters()

    def loss(self, real: Float[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """The inverse renderer's loss on real pictures -1..1 of any size, and its parts."""
        images = smaller(real)
        seen, found = self.renderer(images)
        return reconstruction_loss(seen, found, images, self._perceptual(images.device))

    def generator_loss(
        self, depth: Float[Tensor, "n 1 r r"], image: Float[Tensor, "n 3 h w"], kimg: float
    ) -> Float[Tensor, ""]:
        """The weighted term of the generator: gradients go to its depth, none to its picture or the inverse renderer.

        Args:
            depth: of its volume, as it is rendered.
            image: that it makes, -1..1.
        """
        with torch.no_grad():
            _, found = self.renderer(smaller(image.detach()))
        return self.options.weight_at(kimg) * normal_loss(generator_normals(depth), found)

    def _perceptual(self, device: torch.device) -> Features | None:
        if self._features is None and self._vgg:
            self._vgg = (self._vgg[0].to(device),)
            return vgg_features(self._vgg[0])
        return self._features


def generator_normals(
    depth: Float[Tensor, "n 1 r r"], fov: float = GeodConfig.fov, size: int = RESOLUTION
) -> Float[Tensor, "n 3 s s"]:
    """Normals of a generator's depth, brought to the inverse renderer's size.

    As published for every data set with one field of view, and the distances along rays taken for depths along z.
    """
    resized = interpolate(depth, (size, size), mode="bilinear", align_corners=False)
    return normals_of(resized[:, 0], fov).permute(0, 3, 1, 2)


def smaller(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 64 64"]:
    """Pictures in the inverse renderer's size, bilinear without a filter as everything of PoF3D's discriminators."""
    return interpolate(images, (RESOLUTION, RESOLUTION), mode="bilinear", align_corners=False)
