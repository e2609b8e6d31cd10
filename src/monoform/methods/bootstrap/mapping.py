"""From latents and classes to styles (Pavllo et al. 2023; StyleGAN2's mapping network)."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from ...errors import InputError
from ...nn.stylegan2 import MappingNetwork
from .config import Network

MEAN_OF = 10_000
MEAN_OF_CLASS = 256
"""Latents that a mean style is of; fewer of a class."""


class StyleMapping(nn.Module):
    """The mapping network under its published name; a class enters by its embedding, behind the normalized latent."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.backbone = MappingNetwork(
            network.z_dim,
            network.w_dim,
            layers=network.mapping_layers,
            c_dim=network.w_dim if network.classes else 0,
            embedded=False,
            lr_multiplier=network.mapping_rate,
            average_decay=None,
        )

    def forward(self, z: Float[Tensor, "n z"], embedding: Float[Tensor, "n w"] | None = None) -> Float[Tensor, "n w"]:
        """One style for each latent."""
        found: Tensor = self.backbone(z, embedding)
        return found


def require_classes(classes: Int[Tensor, " k"] | None, count: int, known: int) -> None:
    """Classes of so many latents, where a generator knows some.

    Raises:
        InputError: they are missing, too many or few, or unknown; or the generator knows none.
    """
    if (classes is None) != (known == 0):
        what = f"knows {known} classes of objects: give one for each" if known else "has no classes: give none"
        raise InputError(f"This network {what}.")
    if classes is None:
        return
    if classes.shape != (count,):
        raise InputError(f"There are {count} objects and classes of shape {tuple(classes.shape)}: give one for each.")
    if len(classes) and not 0 <= int(classes.min()) <= int(classes.max()) < known:
        raise InputError(f"Classes are {int(classes.min())}..{int(classes.max())}; this network knows 0..{known - 1}.")
