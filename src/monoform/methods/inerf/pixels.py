"""Which pixels a step looks at (Yen-Chen et al. 2021, section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from ...errors import InputError
from .config import PhotometricAdam

CENTER, PATCH = 0.5, 0.25
BAND = 9  # pixels of background around an object that "object" looks at too, at 128 pixels


@dataclass(frozen=True, eq=False)
class PixelSource:
    """Pixels that may be drawn, as flat indices (row * width + column).

    Attributes:
        wanted: those that are drawn.
        others: what fills up where there are too few and none may be drawn twice.
        count: of pixels in a draw.
        replacement: whether a pixel may be drawn twice.
        whole: whether every draw is all of `wanted`.
    """

    wanted: Int[Tensor, " n"]
    others: Int[Tensor, " m"]
    count: int
    replacement: bool = False
    whole: bool = False

    def draw(self, generator: torch.Generator | None) -> Int[Tensor, " k"]:
        """Flat indices of one step."""
        if self.whole:
            return self.wanted
        if self.replacement:
            return self.wanted[torch.randint(len(self.wanted), (self.count,), generator=generator)]
        chosen = self.wanted[torch.randperm(len(self.wanted), generator=generator)[: self.count]]
        missing = min(self.count - len(chosen), len(self.others))
        if missing <= 0:
            return chosen
        return torch.cat((chosen, self.others[torch.randperm(len(self.others), generator=generator)[:missing]]))


def pixel_source(
    image: Float[Tensor, "h w 3"],
    options: PhotometricAdam,
    *,
    background: tuple[float, float, float] | None = None,
) -> PixelSource:
    """The pixels of an image (0..1) that the chosen sampling draws from.

    Interest points and regions that hold fewer pixels than are asked for are filled up at random.

    Raises:
        InputError: "object" without a plain background to tell it from.
    """
    height, width = image.shape[:2]
    everything = torch.arange(height * width)
    replacement = options.compat.with_replacement
    if options.sampling == "random":
        return PixelSource(everything, everything[:0], options.rays, replacement)
    if options.sampling == "center":
        return PixelSource(central_box(height, width, CENTER), everything[:0], options.rays, True)
    if options.sampling == "patch":
        wanted = central_box(height, width, PATCH)
        return PixelSource(wanted, everything[:0], len(wanted), whole=True)
    if options.sampling == "object":
        if background is None:
            raise InputError("Sampling 'object' needs a plain background: choose another sampling.")
        mask = object_region(image, background)
    else:
        mask = torch.zeros(height, width, dtype=torch.bool)
        points = interest_points(as_bytes(image))
        mask[points[:, 1], points[:, 0]] = True
        if options.sampling == "regions":
            mask = dilated(mask, options.kernel, options.dilations)
    flat = mask.flatten()
    return PixelSource(flat.nonzero()[:, 0], (~flat).nonzero()[:, 0], options.rays, replacement)


def central_box(height: int, width: int, share: float) -> Int[Tensor, " n"]:
    """Flat indices of the central box of so large a share of either side, row by row."""

    def span(size: int) -> Tensor:
        return torch.arange(int(0.5 * (1 - share) * size), int(0.5 * (1 + share) * size))

    return (span(height)[:, None] * width + span(width)).flatten()


def interest_points(image: UInt8[np.ndarray, "h w 3"]) -> Int[Tensor, "n 2"]:
    """Whole (x, y) of the image's SIFT key points (Lowe 2004), each once, row by row."""
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    found = [(int(point.pt[1]), int(point.pt[0])) for point in _detector().detect(gray, None)]
    height, width = image.shape[:2]
    inside = {(min(y, height - 1), min(x, width - 1)) for y, x in found}
    return torch.tensor([(x, y) for y, x in sorted(inside)], dtype=torch.int64).reshape(-1, 2)


def _detector() -> Any:
    return getattr(cv2, "SIFT_create")()  # noqa: B009  (absent from OpenCV's type stubs)


def dilated(mask: Bool[Tensor, "h w"], kernel: int, times: int) -> Bool[Tensor, "h w"]:
    """A mask dilated so often by a square of `kernel` pixels, and cut at the image's border."""
    box = np.ones((kernel, kernel), np.uint8)
    return torch.from_numpy(cv2.dilate(mask.numpy().astype(np.uint8), box, iterations=times) > 0)


def object_region(image: Float[Tensor, "h w 3"], background: tuple[float, float, float]) -> Bool[Tensor, "h w"]:
    """Pixels that differ from a plain background, and a band around them; the others carry no gradient."""
    differs = ((image - image.new_tensor(background)).abs().amax(-1) > 2 / 255).cpu()
    reach = 2 * max(1, round(BAND * max(image.shape[:2]) / 256)) + 1
    return dilated(differs, reach, 1)


def as_bytes(image: Float[Tensor, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """0..1 to 0..255."""
    return (image.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).numpy()
