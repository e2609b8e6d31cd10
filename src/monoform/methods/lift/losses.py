"""What `lift` is trained on: depth, slope and uncertainty of the two surfaces, the back's colour, and the camera."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

PLAIN = 0.1  # relief, in half sides of the crop, below which an object counts as a plane
FAR = 1.5  # half sides of the crop; what lies beyond does not count as further
NEAR = 0.08  # distance from the true surface, in half sides of the crop, that counts half as much as one without end
STEEPEST = 3.0  # slope of the true surface; steeper ones are steps from one part to another


def depth_loss(
    found: Float[Tensor, "b h w"], true: Float[Tensor, "b h w"], valid: Bool[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Mean absolute error of a depth over that of a plane: of each object over its pixels, then over objects.

    Objects that reach far back, whose depth one photo hardly tells, count no more than flat ones.
    """
    true = true.clamp(-FAR, FAR)
    counted = valid.flatten(1).float()
    pixels = counted.sum(1).clamp_min(1)
    middle = ((true.flatten(1) * counted).sum(1) / pixels)[:, None, None]
    relief = ((true - middle).abs().flatten(1) * counted).sum(1) / pixels
    return _mean_of_objects((found - true).abs() / (PLAIN + relief)[:, None, None], valid)


def surface_loss(
    found: Float[Tensor, "b h w"], true: Float[Tensor, "b h w"], valid: Bool[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Share of the true surface that is missed, softly: d / (d + NEAR), where d is the distance from its plane.

    What an F-score counts. Where the depth may be one of several it asks for the likeliest, not for their median; each
    pixel counts as much as it has surface.
    """
    true = true.clamp(-FAR, FAR)
    spacing = 2 / true.shape[-1]
    down, across = (slope.abs().clamp_max(STEEPEST) for slope in torch.gradient(true, spacing=spacing, dim=(1, 2)))
    area = (1 + down**2 + across**2).sqrt() * valid
    distance = (found - true).abs() * valid / area.clamp_min(1)
    missed = (distance / (distance + NEAR) * area).flatten(1).sum(1)
    return (missed / area.flatten(1).sum(1).clamp_min(1)).mean()


def slope_loss(
    found: Float[Tensor, "b h w"], true: Float[Tensor, "b h w"], valid: Bool[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Mean absolute error of the steps between neighbouring pixels: flat stays flat, edges are sharp."""
    error = found - true.clamp(-FAR, FAR)
    across = _mean_of_objects((error[..., 1:] - error[..., :-1]).abs(), valid[..., 1:] & valid[..., :-1])
    down = _mean_of_objects((error[:, 1:] - error[:, :-1]).abs(), valid[:, 1:] & valid[:, :-1])
    return across + down


def scale_loss(
    found: Float[Tensor, "b h w"],
    true: Float[Tensor, "b h w"],
    scale: Float[Tensor, "b h w"],
    valid: Bool[Tensor, "b h w"],
) -> Float[Tensor, ""]:
    """Negative log likelihood of the depth's error under a Laplace distribution; only the scale learns from it."""
    error = (found.detach() - true.clamp(-FAR, FAR)).abs()
    return _mean_of_objects(error / scale + torch.log(scale), valid)


def color_loss(
    found: Float[Tensor, "b 3 h w"], true: Float[Tensor, "b 3 h w"], valid: Bool[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Mean absolute error of colours."""
    return _mean_of_objects((found - true).abs().mean(dim=1), valid)


def normal_loss(
    found: Float[Tensor, "b 3 h w"], true: Float[Tensor, "b 3 h w"], valid: Bool[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """1 minus the mean cosine between unit normals."""
    return _mean_of_objects(1 - (found * true).sum(dim=1), valid)


def hollow_loss(
    found: Float[Tensor, "b 3 h w"], true: Float[Tensor, "b 2 h w"], valid: Bool[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """Cross entropy of whether there is a hollow, and the mean absolute error of where it begins and ends.

    Args:
        true: shares of the way from front to back; -1 where there is none.
    """
    there = (true >= 0).all(dim=1)
    entropy = binary_cross_entropy_with_logits(found[:, 0], there.float(), reduction="none")
    ends = (found[:, 1:] - true).abs().sum(dim=1)
    return _mean_of_objects(entropy + ends * there, valid)


def mirror_loss(found: Float[Tensor, "b m"], true: Float[Tensor, "b m"]) -> Float[Tensor, ""]:
    """Cross entropy of which planes mirror the object."""
    return binary_cross_entropy_with_logits(found, true)


def elevation_loss(found: Float[Tensor, " b"], true: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """Mean absolute error of the camera's elevation, in radians."""
    return (found - true).abs().mean()


def _mean_of_objects(values: Float[Tensor, "b h w"], valid: Bool[Tensor, "b h w"]) -> Float[Tensor, ""]:
    counted = valid.flatten(1).float()
    return ((values.flatten(1) * counted).sum(1) / counted.sum(1).clamp_min(1)).mean()
