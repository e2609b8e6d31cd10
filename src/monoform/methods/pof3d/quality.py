"""What an evaluation during training measures: the distance of fakes to real images, and where they are seen from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ...devices import device_of
from ...metrics.features import as_bytes, frechet_name, moments_of, open_features
from ...metrics.frechet import Moments, frechet_distance
from .journal import pose_figures
from .model import Pof3dGenerator, Synthesis
from .ordered_images import OrderedImages
from .poses import within_poles
from .training_config import Pof3dTraining

if TYPE_CHECKING:
    from ...metrics.frechet import Divisor

BATCH, POSES, SEED = 8, 1000, 0
DIVISOR: Divisor = "n"


def latents(generator: Pof3dGenerator, count: int, seed: int = SEED) -> Float[Tensor, "n z"]:
    """The same latents at each call, on the generator's device."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator.config.network.z_dim, generator=draw).to(device_of(generator))


@torch.no_grad()
def fakes(generator: Pof3dGenerator, z: Float[Tensor, "n z"], resolution: int) -> Synthesis:
    """Images of latents from the poses that are chosen for them, without chance; no pose beyond a pole."""
    mapped = generator.map(z, generator=torch.Generator(z.device).manual_seed(SEED))
    cameras, intrinsics = generator.cameras(within_poles(mapped.pose)[0])
    return generator.synthesize(mapped.ws, cameras, intrinsics, resolution=resolution)


@torch.no_grad()
def chosen_poses(generator: Pof3dGenerator, count: int = POSES) -> Float[Tensor, "n c"]:
    """Poses that the generator chooses, on the CPU."""
    return generator.map(latents(generator, count), generator=torch.Generator(device_of(generator))).pose.cpu()


class Quality:
    """Figures of a generator; those of real images are measured once.

    Args:
        images: real ones.
        settings: how many images, and what features are looked at.

    Raises:
        InputError: the weights of the features are not given or cannot be read.
    """

    def __init__(self, images: OrderedImages, settings: Pof3dTraining) -> None:
        self.images, self.count = images, settings.metric_images
        self.net = open_features(settings.features, settings.features_weights or None)
        self.name = frechet_name(self.net, DIVISOR)
        self._real: Moments | None = None

    def __call__(self, generator: Pof3dGenerator, resolution: int) -> dict[str, float]:
        """The Frechet distance by its name, and figures of the poses."""
        figures = pose_figures(chosen_poses(generator))
        if self.count:
            if self._real is None:
                self._real = moments_of(self.net, self._real_batches())
            made = moments_of(self.net, self._made_batches(generator, resolution))
            figures = {self.name: frechet_distance(self._real, made, DIVISOR), **figures}
        return figures

    def _real_batches(self) -> Iterator[UInt8[Tensor, "n 3 h w"]]:
        numbers = self.images.spread(self.count)
        for first in range(0, len(numbers), BATCH):
            yield self.images.chosen(numbers[first : first + BATCH])

    def _made_batches(self, generator: Pof3dGenerator, resolution: int) -> Iterator[UInt8[Tensor, "n 3 h w"]]:
        for z in latents(generator, self.count).split(BATCH):
            image = fakes(generator, z, resolution).image
            yield as_bytes(torch.nan_to_num(image, nan=-1.0))
