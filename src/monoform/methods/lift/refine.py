"""Refinement: the network's features are moved until its solid looks like the photo from where the photo was taken.

The volumes are aligned with the photo's pixels, so the photo's own view is drawn by summing along their depth, and the
camera needs no refinement: the answer lives in the frame of the camera that took the photo. The two coarsest feature
maps are what moves: they stand for whole shapes, so what the photo tells of the front also bends the back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ...inversion import Variable, fit, photometric_loss, silhouette_cross_entropy, trackable
from ...render.compositing import thickness_weights
from ...training import Cosine
from .losses import SHARPNESS
from .model import LiftNet, Volumes

MOVED = (-1, -2)  # which of the feature maps move, from the coarsest
RATE = 0.05  # of a feature's standard deviation, in a step
STAY = 0.05  # weight of the mean squared move, in standard deviations
COLOUR = 2.0
FAR = 6.0


@dataclass(frozen=True)
class Refined:
    """Volumes of each crop, and how badly they fit the photo: silhouette, colours and the way from the first guess."""

    volumes: Volumes
    loss: Float[Tensor, " b"]


def refine(net: LiftNet, crops: Float[Tensor, "b 6 s s"], levels: list[Tensor], steps: int) -> Refined:
    """Fit the answer of each crop, from its feature maps, to the crop itself.

    Args:
        levels: of `LiftNet.encode`.
        steps: updates; 0 only measures.
    """
    crops, levels = trackable(crops), [trackable(level) for level in levels]
    spread = {index: levels[index].flatten(1).std(dim=1)[:, None, None, None] for index in MOVED}
    target = functional.avg_pool2d(crops[:, :4], 2)
    pixels = target[:, 3]
    inner = (pixels > 0.99).float()

    def volumes(moves: Mapping[str, Tensor]) -> Volumes:
        moved = list(levels)
        for index in MOVED:
            moved[index] = levels[index] + spread[index] * moves[str(index)]
        return net.decode(moved, crops)

    def loss(moves: Mapping[str, Tensor], step: int) -> dict[str, Tensor]:
        del step
        alpha, colour = seen(volumes(moves))
        return {
            "silhouette": silhouette_cross_entropy(alpha, pixels),
            "colour": COLOUR * photometric_loss(colour, target[:, :3].permute(0, 2, 3, 1), inner, kind="l1"),
            "stay": STAY * torch.stack([move.square().flatten(1).mean(1) for move in moves.values()]).sum(0),
        }

    start = [Variable(str(index), torch.zeros_like(levels[index]), RATE) for index in MOVED]
    found = fit(start, loss, steps=steps, schedule=Cosine(max(steps, 1)), hypotheses=True)
    with torch.no_grad():
        return Refined(volumes(found.values), found.best_loss.float())


def seen(volumes: Volumes) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w 3"]]:
    """Coverage and colour of every pixel of the crop, by compositing along the volumes' depth.

    A cell hides what its probability of being inside says; the pixel's coverage is the chance that any cell does, taken
    as that of the most probable one: neighbours along a ray are not independent.
    """
    logits = -SHARPNESS * volumes.signed
    weights = thickness_weights(functional.softplus(logits.movedim(1, -1).clamp(-FAR, FAR)))
    depth, height, width = volumes.signed.shape[1:]
    colours = functional.interpolate(volumes.colour, size=(depth, height, width), mode="trilinear", align_corners=False)
    painted = (weights[:, None] * colours.movedim(2, -1)).sum(-1) / weights.sum(-1).clamp_min(1e-4)[:, None]
    return torch.sigmoid(logits.amax(dim=1)), painted.movedim(1, -1)
