"""Objects whose appearance is changed apart from their shape: the finest styles of another one, or single colors."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from ...errors import InputError
from ...nn.stylegan2 import Noise
from ..samples import Styles
from .model import BootstrapGenerator
from .placed import PlacedObject, Placement
from .recoloring import recolored


@dataclass(frozen=True, eq=False)
class Appearance:
    """What is changed.

    Attributes:
        styles: of the object whose appearance is taken; None: each keeps its own.
        layers: how many of these are taken, the finest first; the first of them is the palette's.
        recolor: colors of the palette that are replaced.
    """

    styles: Styles | None = None
    layers: int = 1
    recolor: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.styles is not None or bool(self.recolor)

    def require_fit(self, net: BootstrapGenerator) -> None:
        """Look whether a generator has such layers and colors.

        Raises:
            InputError: it has not.
        """
        recolored(torch.zeros(1, net.config.network.palette, 3), self.recolor)
        least = 1 if net.texture_mapper else 2
        if self.styles is not None and not least <= self.layers <= net.slots:
            raise InputError(
                f"bootstrap's appearance_layers is {self.layers}; give {least} to {net.slots} for this generator."
            )

    @torch.no_grad()
    def made(
        self, net: BootstrapGenerator, styles: Styles, noise: Noise, placement: Placement
    ) -> tuple[PlacedObject, Styles]:
        """The changed object of styles, and what these have become."""
        if self.styles is not None:
            other = replace(self.styles, layers=self.styles.layers.to(styles.layers))
            styles = styles.mixed(other, self.layers)
        layers = styles.layers[None].clone()
        palette = recolored(net.palette(layers), self.recolor)
        return PlacedObject(net, net.planes(layers, noise=noise), palette, placement), styles
