"""What an evaluation during training measures: the distance of samples to photos seen from the same cameras."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ...devices import device_of, to_device
from ...metrics.features import FeatureNet, as_bytes, frechet_name, moments_of
from ...metrics.frechet import Moments, frechet_distance
from .cameras import camera_of
from .evaluated_images import noise_of
from .feeding import TrainingPhotos
from .model import BootstrapGenerator
from .rendering import Maps, Seen
from .steps import Views

if TYPE_CHECKING:
    from ...metrics.frechet import Divisor

SEED = 1234
DIVISOR: Divisor = "n-1"
AT_ONCE = 2**21
"""Points of a rendering."""


def latents(net: BootstrapGenerator, count: int) -> Float[Tensor, "n z"]:
    """The same at each call."""
    return torch.randn(count, net.config.network.z_dim, generator=torch.Generator().manual_seed(SEED))


@torch.no_grad()
def seen(net: BootstrapGenerator, z: Float[Tensor, "n z"], views: Views, maps: Maps | None = None) -> Iterator[Seen]:
    """Samples from cameras, without chance, a few at a time."""
    size, rays, device = net.config.resolution, net.config.rays, device_of(net)
    few = max(1, AT_ONCE // (size**2 * (rays.coarse + rays.fine)))
    for numbers in torch.arange(len(z)).split(few):
        own: Views = to_device(views.chosen(numbers), device)
        ws = net.styles(net.map(z[numbers].to(device), own.classes))
        yield net.render(ws, camera_of(own.world_from_camera, own.focal, (size, size)), maps=maps, noise=noise_of(net))


class Quality:
    """The distance of samples to photos; those are looked at once.

    Args:
        photos: of the training.
        net: looks at the images.
        count: images of each side.
    """

    def __init__(self, photos: TrainingPhotos, net: FeatureNet, count: int) -> None:
        self.photos, self.net = photos, net
        self.numbers = photos.spread(count)
        self.name = frechet_name(net, DIVISOR)
        self._real: Moments | None = None

    def __call__(self, net: BootstrapGenerator) -> dict[str, float]:
        """The Frechet distance by its name; nothing of less than two images."""
        if len(self.numbers) < 2:
            return {}
        if self._real is None:
            self._real = moments_of(self.net, self._photographed(net.config.resolution))
        return {self.name: frechet_distance(self._real, moments_of(self.net, self._made(net)), DIVISOR)}

    def _photographed(self, size: int) -> Iterator[UInt8[Tensor, "n 3 h w"]]:
        for number in self.numbers:
            yield as_bytes(self.photos.photos.images([number], size)[:, :3])

    def _made(self, net: BootstrapGenerator) -> Iterator[UInt8[Tensor, "n 3 h w"]]:
        views = self.photos.views.chosen(torch.tensor(self.numbers))
        for each in seen(net, latents(net, len(views)), views):
            yield as_bytes(torch.nan_to_num(each.rgb, nan=-1.0).permute(0, 3, 1, 2))
