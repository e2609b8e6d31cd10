"""What inversion makes small: how far a render is from the photo (Pavllo et al. 2023, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...errors import InputError
from ...inversion import silhouette_cross_entropy
from ...matting.lite import LiteMattingConfig, LiteMattingNet
from ...matting.network import WEIGHTS as MASK_WEIGHTS
from ...metrics.feature_distance import NAME, FeatureDistance
from ...metrics.lpips import Lpips
from ...training.weights import pretrained
from .augment import Draws, Similarity

Kind = Literal["vgg", "vgg_nocrop", "l1", "mse", "mixed", "lite0"]
PERCEPTUAL = ("vgg", "vgg_nocrop", "mixed")
COPIES = 15
"""Moved copies of render and photo that are compared beside them."""


FEATURES = 0.05
"""Of a distance of features, which is that many times larger than a mean difference of colors."""


def mask_features() -> FeatureDistance:
    """By EfficientNet-Lite0 as the network that finds masks has it, which began with ImageNet's weights."""
    net = pretrained(LiteMattingNet, LiteMattingConfig, str(MASK_WEIGHTS))
    return FeatureDistance(net.backbone, f"{NAME}-matting")


@dataclass(frozen=True, eq=False)
class Objective:
    """The distance of renders to photos, one number for each; a batch's is their sum.

    Attributes:
        kind: "vgg": LPIPS over the images and moved copies; "vgg_nocrop": over the images alone; "l1" and "mse": mean
            difference of the colors; "mixed": the mean of "vgg" and "l1"; "lite0": the mean of the distance of
            features of the network that finds masks, which ships, and of "l1".
        lpips: the perceptual distance; only color differences need none.
        white: whether the background is white, and comes in from outside where a copy is moved.
        copies: moved copies of each image.
        mask: weight of the cross-entropy of opacity and mask, which is no published term.
        plain: whether images are in the plain order of memory, whose rounding is that of other programs: a ReLU turns
            at the last bit. Else in the order that convolutions are quicker with.

    Raises:
        InputError: it needs perceptual weights, or a number is negative.
    """

    kind: Kind = "vgg"
    lpips: Lpips | None = None
    white: bool = False
    copies: int = COPIES
    mask: float = 0.0
    plain: bool = False

    def __post_init__(self) -> None:
        if self.kind in PERCEPTUAL and self.lpips is None:
            raise InputError(
                f"The loss {self.kind!r} compares perceptual features: give the weights of VGG-16 and LPIPS, or choose"
                " l1 or mse."
            )
        if self.copies < 0 or not 0 <= self.mask < float("inf"):
            raise InputError(f"The loss has copies {self.copies} and mask {self.mask}; give 0 or more.")

    def __call__(
        self,
        rgb: Float[Tensor, "n h w 3"],
        target: Float[Tensor, "n h w 3"],
        *,
        alpha: Float[Tensor, "n h w"] | None = None,
        target_mask: Float[Tensor, "n h w"] | None = None,
        generator: torch.Generator | None = None,
        draws: Draws | None = None,
    ) -> dict[str, Float[Tensor, " n"]]:
        """Weighted terms by name; their sum is what is made small.

        Args:
            rgb: the render, about -1..1; not clamped.
            target: the photo.
            alpha: opacity of the render, and
            target_mask: mask of the photo, where the mask counts.
            generator: of the copies' motions.
            draws: these motions' numbers instead, as `Similarity.draw` takes them.
        """
        share = 0.5 if self.kind == "mixed" else 1.0
        terms = {}
        if self.lpips is not None and self.kind in PERCEPTUAL:
            ours, theirs = self._pairs(rgb, target, generator, draws)
            order = torch.contiguous_format if self.plain else torch.channels_last
            distances = self.lpips.distances(*(images.contiguous(memory_format=order) for images in (ours, theirs)))
            # Pairs as they are come first, then the copies of the first image, of the second ...
            plain, moved = distances[: len(rgb)], distances[len(rgb) :].reshape(len(rgb), -1)
            terms["perceptual"] = share * (plain + moved.sum(dim=1)) / (1 + moved.shape[1])
        if self.kind == "lite0":
            share = 0.5
            unit = ((images.permute(0, 3, 1, 2) + 1) / 2 for images in (rgb, target))
            terms["features"] = share * FEATURES * mask_features().distances(*unit)
        if self.kind in ("l1", "mixed", "lite0"):
            terms["l1"] = share * (rgb - target).abs().mean(dim=(1, 2, 3))
        if self.kind == "mse":
            terms["mse"] = (rgb - target).square().mean(dim=(1, 2, 3))
        if self.mask and alpha is not None and target_mask is not None:
            terms["mask"] = self.mask * silhouette_cross_entropy(alpha, target_mask)
        return terms

    def _pairs(
        self, rgb: Tensor, target: Tensor, generator: torch.Generator | None, draws: Draws | None
    ) -> tuple[Float[Tensor, "m 3 h w"], Float[Tensor, "m 3 h w"]]:
        """Images, then copies of each, render and photo moved alike."""
        ours, theirs = rgb.permute(0, 3, 1, 2), target.permute(0, 3, 1, 2)
        copies = 0 if self.kind == "vgg_nocrop" else self.copies
        if copies == 0:
            return ours, theirs
        motion = Similarity.draw(len(rgb) * copies, generator=generator, draws=draws)
        moved = [motion.images(images.repeat_interleave(copies, dim=0), white=self.white) for images in (ours, theirs)]
        return torch.cat([ours, moved[0]]), torch.cat([theirs, moved[1]])
