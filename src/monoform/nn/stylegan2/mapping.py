"""From a latent, a condition or both to the vector that styles are made of (StyleGAN2's mapping network)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .linear import EqualizedLinear

EPSILON = 1e-8


def normalize_second_moment(x: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
    """Scaled so that the mean square of the entries of each vector is 1."""
    return x * (x.square().mean(dim=-1, keepdim=True) + EPSILON).rsqrt()


class MappingNetwork(nn.Module):
    """Layers fc0, fc1, ... on the normalized latent, the condition, or one behind the other.

    Args:
        z_dim: length of the latent; 0 for none.
        w_dim: length of what comes out, and of the layers between.
        layers: how many.
        c_dim: length of the condition; 0 for none.
        embedded: whether the condition passes a linear layer `embed` and is normalized, or enters as it is.
        lr_multiplier: of the layers.
        average_decay: of the running mean `w_avg` of what comes out; None to keep none.
    """

    def __init__(
        self,
        z_dim: int,
        w_dim: int,
        *,
        layers: int = 8,
        c_dim: int = 0,
        embedded: bool = True,
        lr_multiplier: float = 0.01,
        average_decay: float | None = 0.998,
    ) -> None:
        super().__init__()
        self.layers, self.average_decay = layers, average_decay
        self.embed = EqualizedLinear(c_dim, w_dim) if c_dim and embedded else None
        width = z_dim + (w_dim if self.embed is not None else c_dim)
        for number in range(layers):
            layer = EqualizedLinear(width, w_dim, activation="lrelu", lr_multiplier=lr_multiplier)
            self.add_module(f"fc{number}", layer)
            width = w_dim
        self.w_avg: Tensor
        if average_decay is not None:
            self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(
        self, z: Float[Tensor, "n z"] | None = None, c: Float[Tensor, "n c"] | None = None
    ) -> Float[Tensor, "n w"]:
        """One vector for each latent or condition."""
        parts = [] if z is None else [normalize_second_moment(z)]
        if c is not None:
            parts.append(c if self.embed is None else normalize_second_moment(self.embed(c)))
        x = torch.cat(parts, dim=1)
        for number in range(self.layers):
            x = self.get_submodule(f"fc{number}")(x)
        return x

    @torch.no_grad()
    def update_average(self, w: Float[Tensor, "n w"]) -> None:
        """Move the running mean towards that of a batch."""
        if self.average_decay is not None:
            self.w_avg.copy_(w.detach().mean(dim=0).to(self.w_avg).lerp(self.w_avg, self.average_decay))

    def truncate(
        self, ws: Float[Tensor, "n slots w"], truncation: float, cutoff: int | None = None
    ) -> Float[Tensor, "n slots w"]:
        """Move styles towards the running mean: `truncation` of the way from it is left.

        Args:
            cutoff: how many slots from the first on; None for all.
        """
        if truncation == 1.0:
            return ws
        moved = self.w_avg.lerp(ws[:, :cutoff], truncation)
        return moved if cutoff is None else torch.cat((moved, ws[:, cutoff:]), dim=1)
