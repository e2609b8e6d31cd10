"""Sets of images that an evaluation of bootstrapped inversion looks at: photos and samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...data.categories import CategoryPhotos
from ...devices import device_of
from ...errors import InputError
from ...metrics.features import as_bytes
from ...metrics.image_blocks import Block
from ...nn.stylegan2 import Noise
from .evaluated_cameras import SeenFrom
from .evaluated_views import EvaluatedViews
from .model import BootstrapGenerator

SEED_STEP = 1_000_003


@dataclass(frozen=True)
class RealPhotos:
    """Photos of a split, as they are measured."""

    photos: CategoryPhotos
    size: int

    def __len__(self) -> int:
        return len(self.photos)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """A photo each; one that cannot be used is left out, whatever it is asked for with."""
        for number in numbers:
            try:
                yield Block(as_bytes(self.photos.photo(number, self.size).image[None, :3]))
            except InputError as error:
                yield Block(None, left_out=(str(error),))


@dataclass(frozen=True)
class Samples:
    """A sample of each latent, seen as a training photo is and of its class, where it has one: the generation metric.

    Args:
        photos: for training, cropped as they are measured.
        views: the latents, and whose camera and class the sample of each has.
        seed: of where rays are sampled, for each sample apart.

    Raises:
        InputError: the generator is told classes, and the photos have none or others.
    """

    net: BootstrapGenerator
    photos: CategoryPhotos
    views: EvaluatedViews
    seed: int

    def __post_init__(self) -> None:
        known = self.net.config.network.classes
        if known and not 0 <= int(self.photos.labels.min()) <= int(self.photos.labels.max()) < known:
            raise InputError(
                f"The generator is told one of {known} classes, the photos of {self.photos.category.name} have "
                f"{self.photos.classes or 'none'}: give the set that it was trained on, or --no-generation."
            )

    def __len__(self) -> int:
        return len(self.views.latents)

    def blocks(self, numbers: range) -> Iterator[Block]:
        """A sample each, so that how many are rendered at once changes nothing."""
        device = device_of(self.net)
        for number in numbers:
            shown = int(self.views.numbers[number])
            with torch.no_grad():
                styles = self.net.styles(self.net.map(self.views.latents[[number]].to(device), self._class(shown)))
                draws = torch.Generator().manual_seed(self.seed * SEED_STEP + number)
                picture, _ = picture_of(self.net, styles, SeenFrom.of_photo(self.photos, shown), draws)
            yield Block(as_bytes(picture.permute(2, 0, 1)[None]))

    def _class(self, shown: int) -> Int64[Tensor, " 1"] | None:
        return self.photos.labels[[shown]].to(device_of(self.net)) if self.net.config.network.classes else None


def picture_of(
    net: BootstrapGenerator, styles: Float[Tensor, "1 s d"], place: SeenFrom, draws: torch.Generator
) -> tuple[Float[Tensor, "h w 3"], Float[Tensor, "h w"]]:
    """Colors -1..1 and opacity of one object from one camera, with jittered rays."""
    camera = place.camera(net.config.resolution, styles.device)
    seen = net.render(styles, camera, noise=noise_of(net), draws=draws)
    return seen.rgb[0].clamp(-1, 1).cpu(), seen.alpha[0].cpu()


def noise_of(net: BootstrapGenerator) -> Noise:
    """What the layers add where the network has learned to use noise: the same numbers each time."""
    return "const" if net.config.network.noise else "none"
