"""Refinement: front and back that agree with the predictions for several crops, and bend only where the photo does.

What is fitted are the depth maps themselves, at the resolution of the crop. Each prediction is a measurement whose
error has the scale that the network gives it; squared, so that what is left without priors is the weighted mean (the
median of the predictions is worse on unseen objects). Two soft priors take out the waves: the front rises between
pixels as the normals say that the network sees there, and the back goes on straight, unless the colours or the mask
change there (an edge-aware prior of second order). The silhouette is the mask from the start, and the camera is the one
in whose frame the network predicts: neither is a variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...inversion import Variable, fit, trackable
from ...training import Cosine
from .maps import continued
from .model import Surfaces

RATE = 0.01  # half sides of the crop in a step
STRAIGHT = 0.3  # weight of a bend of the back, against half the squared errors in scales of the network
RISE = 0.3  # weight of a step of the front that differs from what the normals say
STEEPEST = 3.0
EDGE = 0.08  # change of colour that makes a bend half as costly


def refine(predictions: Surfaces, crop: Float[Tensor, "1 6 s s"], steps: int) -> tuple[Surfaces, float]:
    """One prediction from those for all crops, and its loss: their disagreement with it, and its bends.

    Args:
        predictions: for each crop, in the frame of the first.
        crop: what the network sees of the first.
        steps: updates of the depth maps; 0 takes the mean, weighted by how sure each is.
    """
    mean = _mean(predictions)
    if steps == 0:
        return mean, _spread(predictions, mean)
    crop = functional.avg_pool2d(crop, max(crop.shape[-1] // (2 * mean.front.shape[-1]), 1))
    mask = crop[:, 3:4]
    measured, scale = (trackable(_enlarged(values, mask)) for values in (_depths(predictions), predictions.scale))
    inside = trackable((mask > 0.5).float())
    softness = [trackable(weight) for weight in _softness(crop)]
    rises = [(trackable(step), trackable(weight)) for step, weight in _rises(_enlarged(mean.normal, mask), inside)]
    pixels = max(float(inside.sum()), 1.0)

    def loss(values: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
        del number
        depths = values["depths"]
        error = 0.5 * ((depths - measured) / scale) ** 2
        front, back = depths.split(1, dim=1)
        steps_off = [
            (weight * (front.diff(dim=dim) - step).abs()).sum()
            for dim, (step, weight) in zip((2, 3), rises, strict=True)
        ]
        bends = [(weight * _bend(back, dim)).sum() for dim, weight in zip((2, 3), softness, strict=True)]
        return {
            "predictions": (error * inside).sum() / pixels / len(measured),
            "normals": RISE * torch.stack(steps_off).sum() / pixels,
            "bends": STRAIGHT * torch.stack(bends).sum() / pixels,
        }

    start = Variable("depths", _enlarged(_depths(mean), mask), RATE)
    found = fit([start], loss, steps=steps, schedule=Cosine(steps))
    front, back = found.values["depths"].sort(dim=1).values.unbind(dim=1)
    larger = {name: _enlarged(getattr(mean, name), mask) for name in ("scale", "color", "normal", "hollow")}
    return replace(mean, front=front, back=back, **larger), float(found.best_loss)


def _mean(predictions: Surfaces) -> Surfaces:
    """The mean over all predictions, of depths weighted by how sure each is."""
    plain = {name: value.mean(dim=0, keepdim=True) for name, value in vars(predictions).items()}
    weights = predictions.scale**-2
    depths = (_depths(predictions) * weights).sum(0, keepdim=True) / weights.sum(0, keepdim=True)
    return Surfaces(**plain | {"front": depths[:, 0], "back": depths[:, 1]})


def _depths(surfaces: Surfaces) -> Float[Tensor, "k 2 h w"]:
    return torch.stack((surfaces.front, surfaces.back), 1)


def _enlarged(maps: Float[Tensor, "k c h w"], mask: Float[Tensor, "1 1 s s"]) -> Float[Tensor, "k c s s"]:
    """Maps enlarged to the mask's size; values outside the mask are left out, so that they do not mix into its rim."""
    inside = functional.interpolate(mask, maps.shape[2:], mode="area") > 0.5
    return functional.interpolate(continued(maps, inside), mask.shape[2:], mode="bilinear", align_corners=False)


def _rises(normal: Float[Tensor, "1 3 s s"], inside: Float[Tensor, "1 1 s s"]) -> list[tuple[Tensor, Tensor]]:
    """Steps in z between neighbouring rows and columns that normals ask for, and how much they count: little where the
    surface is seen at a grazing angle, not at all across the mask's edge."""
    cell = 2 / normal.shape[-1]
    found = []
    for dim, axis in ((2, 1), (3, 0)):
        slope = (-normal[:, axis : axis + 1] / normal[:, 2:].clamp_max(-1e-2)).clamp(-STEEPEST, STEEPEST)
        before, after = _neighbors(slope, dim)
        found.append((0.5 * cell * (before + after), torch.minimum(*_neighbors(normal[:, 2:].abs() * inside, dim))))
    return found


def _neighbors(maps: Float[Tensor, "k c s s"], dim: int) -> tuple[Tensor, Tensor]:
    length = maps.shape[dim] - 1
    return maps.narrow(dim, 0, length), maps.narrow(dim, 1, length)


def _bend(maps: Float[Tensor, "k c s s"], dim: int) -> Tensor:
    """Absolute second difference."""
    length = maps.shape[dim]
    before, here, after = (maps.narrow(dim, start, length - 2) for start in range(3))
    return (before - 2 * here + after).abs()


def _softness(crop: Float[Tensor, "1 6 s s"]) -> list[Tensor]:
    """How much a bend costs at each inner row and column: 1 on plain ground, little across edges, 0 off the mask."""
    weights = []
    for dim in (2, 3):
        length = crop.shape[dim]
        before, here, after = (crop.narrow(dim, start, length - 2) for start in range(3))
        change = torch.maximum((here - before)[:, :3].abs(), (after - here)[:, :3].abs()).amax(dim=1, keepdim=True)
        covered = torch.minimum(torch.minimum(before, here), after)[:, 3:4] > 0.5
        weights.append(covered / (1 + (change / EDGE) ** 2))
    return weights


def _spread(predictions: Surfaces, mean: Surfaces) -> float:
    """Mean distance of the predictions from their mean, in scales."""
    return float(((_depths(predictions) - _depths(mean)).abs() / predictions.scale).mean())
