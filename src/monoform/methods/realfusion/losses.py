"""What a rendered view and its samples should be like, whatever the object."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

CLAMP = 1e-5  # of a coverage, away from 0 and 1
KERNEL, SIGMA = 9, 1.7  # pixels
PERTURB = 0.01  # world units


def opacity(alpha: Float[Tensor, " r"]) -> Float[Tensor, ""]:
    """Mean square of the coverage."""
    return alpha.square().mean()


def entropy(alpha: Float[Tensor, " r"], clamp: float = CLAMP) -> Float[Tensor, ""]:
    """Mean entropy of the coverage, in bits: small where a ray is certain."""
    a = alpha.clamp(clamp, 1.0 - clamp)
    return (-a * a.log2() - (1.0 - a) * (1.0 - a).log2()).mean()


def orientation(
    density: Float[Tensor, " m"], normals: Float[Tensor, "m 3"], toward: Float[Tensor, "m 3"], rows: int | None = None
) -> Float[Tensor, ""]:
    """Mean of how far visible normals turn away from the viewer (Ref-NeRF, equation 11).

    Args:
        toward: direction of the ray of each sample.
        rows: over which the mean is taken; None for the samples.
    """
    away = (normals * toward).sum(dim=-1).clamp_min(0.0).square()
    return ((1.0 - torch.exp(-density.detach())) * away).sum() / max(rows or len(density), 1)


def smoothness(normals: Float[Tensor, "m 3"], moved: Float[Tensor, "m 3"]) -> Float[Tensor, ""]:
    """Mean change of the normals when their points move a little."""
    return (normals - moved).abs().mean() if len(normals) else normals.sum()


def blurred(maps: Float[Tensor, "b c h w"], kernel: int = KERNEL, sigma: float = SIGMA) -> Float[Tensor, "b c h w"]:
    """Maps under a Gaussian of `kernel` x `kernel` pixels, reflected at the border."""
    half = kernel // 2
    places = torch.linspace(-half, half, kernel, device=maps.device)
    weights = torch.exp(-0.5 * (places / sigma) ** 2)
    weights = (weights / weights.sum()).to(maps)
    channels = maps.shape[1]
    padded = functional.pad(maps, (half,) * 4, mode="reflect")
    square = (weights[:, None] * weights[None, :]).expand(channels, 1, kernel, kernel)
    return functional.conv2d(padded, square, groups=channels)


def map_smoothness(normals: Float[Tensor, "b 3 h w"], kernel: int = KERNEL, sigma: float = SIGMA) -> Float[Tensor, ""]:
    """Mean squared difference of a normal map to its blurred self, which counts as given."""
    return functional.mse_loss(normals, blurred(normals.detach(), kernel, sigma))


def photo_color(
    rgb: Float[Tensor, "r 3"], truth: Float[Tensor, "r 3"], alpha: Float[Tensor, " r"]
) -> Float[Tensor, ""]:
    """Mean squared difference of colors where the photo shows the object."""
    return functional.mse_loss(rgb * alpha[:, None], truth * alpha[:, None])


def photo_mask(alpha: Float[Tensor, " r"], truth: Float[Tensor, " r"]) -> Float[Tensor, ""]:
    """Mean squared difference of the coverage to the photo's mask."""
    return functional.mse_loss(alpha, truth)


def depth_correlation(
    distance: Float[Tensor, " r"], known: Float[Tensor, " r"], weight: Float[Tensor, " r"]
) -> Float[Tensor, ""]:
    """(1 - r) / 2, r the correlation of distances with known ones of unknown scale and shift (Magic123, equation 4)."""
    total = weight.sum().clamp_min(1e-6)

    def centered(values: Tensor) -> Tensor:
        return values - (weight * values).sum() / total

    a, b = centered(distance), centered(known)
    spread = ((weight * a * a).sum() * (weight * b * b).sum()).clamp_min(1e-12).sqrt()
    return 0.5 * (1.0 - (weight * a * b).sum() / spread)


def normal_agreement(
    normals: Float[Tensor, "r 3"], known: Float[Tensor, "r 3"], weight: Float[Tensor, " r"]
) -> Float[Tensor, ""]:
    """Mean of 1 - cosine between normals and known ones, where the photo shows the object."""
    cosine = functional.cosine_similarity(normals, known, dim=-1, eps=1e-6)
    return (weight * (1.0 - cosine)).sum() / weight.sum().clamp_min(1e-6)
