"""The mask by a small network of monoform's own, sharpened by GrabCut and a guided filter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..devices import device_of, on_device
from ..scene.silhouette import SIDES, cut_sides, mask_box
from ..training.weights import architecture_of, pretrained
from ..weights import shipped
from ..workers import one_thread
from .grabcut import content_box, grabcut_mask, mask_by_cut
from .hints import Hints
from .lite import LiteMattingConfig, LiteMattingNet, unit

WEIGHTS = shipped()["matting"].folder
SURE = 0.9  # probability from which a pixel is a fixed seed of GrabCut; below 1 - SURE it is fixed background
MARGIN = 0.15  # around what was found, of its longer side, for a closer look
CUT_MARGIN = 0.25  # the same for GrabCut, which learns the background's colors there
CLOSER = 0.85  # share of the photo's longer side above which a closer look would show nothing new
RIM = 0.02  # share of the photo's shorter side that is its rim
INPUTS = 5  # red, green, blue, and the place in the photo across and down


@dataclass(frozen=True)
class MattingConfig:
    """The network's sizes.

    Attributes:
        image_size: side of the square that the network sees, in pixels.
        stem: channels at half of that size.
        widths: channels at a quarter, an eighth and so on.
    """

    image_size: int = 160
    stem: int = 16
    widths: tuple[int, ...] = (32, 64, 112, 160)

    def __post_init__(self) -> None:
        if not (8 <= self.image_size <= 1024 and self.image_size % 2 == 0):
            raise ValueError(f"image_size is {self.image_size}; it must be even and lie in 8..1024.")
        if not self.widths or not all(1 <= width <= 1024 for width in (self.stem, *self.widths)):
            raise ValueError(f"stem is {self.stem} and widths are {self.widths}; they must lie in 1..1024.")


class MattingNet(nn.Module):
    """A photo to logits of being the object: a U-shaped network (Ronneberger et al. 2015) that knows its place.

    Two channels tell where in the photo a pixel lies; the coarsest level also gets its own average, so that every
    pixel is judged against the whole photo. The last step unfolds channels into pixels (Shi et al. 2016).
    """

    def __init__(self, config: MattingConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or MattingConfig()
        channels = (config.stem, *config.widths)
        steps = list(pairwise(channels))
        self.stem = unit(INPUTS, config.stem, kernel=5, stride=2)
        self.down = nn.ModuleList([nn.Sequential(unit(a, b, stride=2), unit(b, b)) for a, b in steps])
        self.coarse = unit(channels[-1], channels[-1])
        self.whole = nn.Linear(channels[-1], channels[-1])
        self.up = nn.ModuleList([nn.Sequential(unit(a + b, a, kernel=1), unit(a, a)) for a, b in reversed(steps)])
        self.leave = nn.Conv2d(config.stem, 4, 3, 1, 1)

    def forward(self, inputs: Float[Tensor, "b 5 s s"]) -> Float[Tensor, "b s s"]:
        """Logits of the mask."""
        levels = [self.stem(inputs)]
        for block in self.down:
            levels.append(block(levels[-1]))
        hidden = self.coarse(levels[-1])
        hidden = hidden + self.whole(hidden.mean(dim=(2, 3)))[:, :, None, None]
        for block, level in zip(self.up, reversed(levels[:-1]), strict=True):
            larger = functional.interpolate(hidden, size=level.shape[2:], mode="bilinear", align_corners=False)
            hidden = block(torch.cat((larger, level), dim=1))
        return functional.pixel_shuffle(self.leave(hidden), 2)[:, 0]


@dataclass(frozen=True)
class Letterbox:
    """A photo of any shape in the middle of a square, scaled to fit; what is left is filled by reflection.

    Attributes:
        size: side of the square in pixels.
        left: edge of the photo in the square, in pixels.
        top: edge of the photo in the square, in pixels.
        width: of the photo in the square, in pixels.
        height: of the photo in the square, in pixels.
    """

    size: int
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def around(cls, width: int, height: int, size: int) -> Letterbox:
        """The letter box of a photo of `width` x `height` pixels."""
        scale = size / max(width, height)
        inner = min(size, max(1, round(width * scale))), min(size, max(1, round(height * scale)))
        return cls(size, (size - inner[0]) // 2, (size - inner[1]) // 2, *inner)

    def put(self, image: Float[np.ndarray, "h w *c"]) -> Float[np.ndarray, "s s *c"]:
        """The square that shows the image."""
        shrinks = image.shape[0] > self.height or image.shape[1] > self.width
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        inner = cv2.resize(image, (self.width, self.height), interpolation=interpolation)
        right, bottom = self.size - self.left - self.width, self.size - self.top - self.height
        return cv2.copyMakeBorder(inner, self.top, bottom, self.left, right, cv2.BORDER_REFLECT)

    def take(self, square: Float[np.ndarray, "s s"], width: int, height: int) -> Float[np.ndarray, "h w"]:
        """What the square holds at the photo's place, at the photo's size."""
        inner = square[self.top : self.top + self.height, self.left : self.left + self.width]
        return cv2.resize(inner, (width, height), interpolation=cv2.INTER_LINEAR)

    def coordinates(self) -> Float[np.ndarray, "s s 2"]:
        """Where in the photo each pixel lies, across and down: -1..1 inside, beyond that in the filled part."""
        across = (np.arange(self.size, dtype=np.float32) + 0.5 - self.left) / self.width * 2 - 1
        down = (np.arange(self.size, dtype=np.float32) + 0.5 - self.top) / self.height * 2 - 1
        return np.stack(np.meshgrid(across, down), axis=-1)

    def inputs(self, square: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, "5 s s"]:
        """What the network gets: centred colours and places, channels first."""
        channels = np.concatenate((4 * square - 2, self.coordinates()), axis=2)
        return np.ascontiguousarray(channels.transpose(2, 0, 1), dtype=np.float32)


def has_weights(folder: str | Path = WEIGHTS) -> bool:
    """Whether a folder holds weights of the network."""
    return (Path(folder) / "model.safetensors").is_file()


def network_probability(
    rgb: Float[np.ndarray, "h w 3"],
    *,
    weights: str | Path = WEIGHTS,
    device: str = "cpu",
    hints: Hints | None = None,
) -> Float[np.ndarray, "h w"]:
    """Probability of being the object, 0..1: the average over the photo and its mirror image, and over two looks.

    Bars of one colour around the picture are left out.

    Args:
        rgb: colours, 0..1.
        weights: folder, or hub:OWNER/NAME on the Hugging Face hub.
        device: where the network computes.
        hints: where the object is, in pixels of `rgb`; with a box, the network looks at it and a margin alone, but
            at the whole photo where the box lies well inside what is seen there.

    Raises:
        InputError: the weights are not there, damaged, or of another architecture.
    """
    hints, net, content = hints or Hints(), _net(weights, device), content_box(rgb)
    region = hints.region(content, rgb.shape)
    if hints.box is not None and hints.surrounded(_within(content, rgb, net, _probability)):
        region = content
    return _within(region, rgb, net, _looked)


def _within(
    region: tuple[int, int, int, int],
    rgb: np.ndarray,
    net: MattingNet | LiteMattingNet,
    look: Callable[[np.ndarray, MattingNet | LiteMattingNet], np.ndarray],
) -> np.ndarray:
    x0, y0, x1, y1 = region
    full = np.zeros(rgb.shape[:2], np.float32)
    full[y0:y1, x0:x1] = look(rgb[y0:y1, x0:x1], net)
    return full


def _looked(rgb: np.ndarray, net: MattingNet | LiteMattingNet) -> np.ndarray:
    """The probability of two looks: at the whole, and at what was found there and a margin, which is larger then."""
    first = _probability(rgb, net)
    near = np.s_[slice(*_reach(first, 0, MARGIN)), slice(*_reach(first, 1, MARGIN))]
    if max(first[near].shape) > CLOSER * max(first.shape):
        return first
    second = first.copy()
    second[near] = _probability(rgb[near], net)
    return (first + second) / 2


def _reach(probability: np.ndarray, axis: int, share: float) -> tuple[int, int]:
    """First row (axis 0) or column (1) of what was found and a margin, and the one after the last; else all."""
    found = _large_parts(probability > 0.5)
    if not found.any():
        return 0, probability.shape[axis]
    x0, y0, x1, y1 = mask_box(found)
    margin = round(share * max(x1 - x0, y1 - y0))
    low, high = ((y0, y1), (x0, x1))[axis]
    return max(0, low - margin), min(probability.shape[axis], high + margin)


def _large_parts(inside: np.ndarray) -> np.ndarray:
    """Without parts of less than a tenth of the largest one."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    sizes = stats[:, cv2.CC_STAT_AREA]
    large = [index for index in range(1, count) if sizes[index] >= 0.1 * sizes[1:].max()]
    return np.isin(labels, large)


def _probability(rgb: np.ndarray, net: MattingNet | LiteMattingNet) -> np.ndarray:
    height, width = rgb.shape[:2]
    box = Letterbox.around(width, height, net.config.image_size)
    square = box.put(np.ascontiguousarray(rgb, dtype=np.float32))
    inputs = torch.from_numpy(np.stack([box.inputs(square), _mirrored(box).inputs(square[:, ::-1])]))
    with torch.inference_mode(), one_thread():
        placed = inputs.to(device_of(net), memory_format=torch.channels_last)  # nearly twice as fast on a CPU
        probability = torch.sigmoid(net(placed)).cpu()
    return box.take(((probability[0] + probability[1].flip(1)) / 2).numpy(), width, height)


def _net(weights: str | Path, device: str) -> MattingNet | LiteMattingNet:
    if architecture_of(weights) == LiteMattingNet.__name__:
        return on_device(pretrained(LiteMattingNet, LiteMattingConfig, str(weights)), torch.device(device))
    return on_device(pretrained(MattingNet, MattingConfig, str(weights)), torch.device(device))


def _mirrored(box: Letterbox) -> Letterbox:
    return Letterbox(box.size, box.size - box.left - box.width, box.top, box.width, box.height)


def network_mask(
    rgb: Float[np.ndarray, "h w 3"],
    *,
    weights: str | Path = WEIGHTS,
    device: str = "cpu",
    hints: Hints | None = None,
    probability: Float[np.ndarray, "h w"] | None = None,
) -> Float[np.ndarray, "h w"]:
    """Coverage of the object, 0..1: the network says where, GrabCut and the guided filter how far.

    GrabCut, close to what was found, decides what the network is not sure of; a mean of both then follows the photo's
    edges. Bars of one color around the picture are left out. Deterministic.

    Args:
        rgb: colours, 0..1.
        weights: folder, or hub:OWNER/NAME on the Hugging Face hub.
        device: where the network computes.
        hints: where the object is, in pixels of `rgb`; with a box, the network looks at it and a margin alone.
        probability: what `network_probability` says of the same, where it is known.

    Raises:
        InputError: the weights are not there, damaged, or of another architecture.
    """
    hints = hints or Hints()
    if probability is None:
        probability = network_probability(rgb, weights=weights, device=device, hints=hints)
    if hints.surrounded(probability):  # beside such a box there is no background to learn from
        clipped = hints.clipped(network_mask(rgb, hints=replace(hints, box=None), probability=probability))
        if (clipped > 0.5).any():
            return clipped
    x0, y0, x1, y1 = hints.region(content_box(rgb), rgb.shape)
    if not hints and not (probability > 0.5).any():
        return grabcut_mask(rgb)
    if not (hints.points or hints.not_points):
        rows, columns = (_reach(probability[y0:y1, x0:x1], axis, CUT_MARGIN) for axis in (0, 1))
        x0, y0, x1, y1 = x0 + columns[0], y0 + rows[0], x0 + columns[1], y0 + rows[1]
    seen = probability[y0:y1, x0:x1]

    def labels(small: np.ndarray) -> np.ndarray:
        evidence = cv2.resize(seen, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
        found = np.where(evidence > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        found[evidence > SURE] = cv2.GC_FGD
        found[evidence < 1 - SURE] = cv2.GC_BGD
        return found

    return mask_by_cut(rgb, (x0, y0, x1, y1), labels, hints, seen)


def unsure_sides(mask: Float[np.ndarray, "h w"], probability: Float[np.ndarray, "h w"]) -> tuple[str, ...]:
    """Sides of the frame that a mask reaches where the network does not see the object.

    Shadows, the ground and what is behind the object join it there most often: the borders of the photo, which the
    masks here lean on, tell nothing at the borders.

    Args:
        mask: coverage, 0..1.
        probability: of being the object, 0..1, see `network_probability`.
    """
    reached = cut_sides(mask > 0.5)
    width = max(2, round(RIM * min(mask.shape)))
    rims = {side: np.zeros(mask.shape, bool) for side in SIDES}
    rims["left"][:, :width], rims["top"][:width] = True, True
    rims["right"][:, -width:], rims["bottom"][-width:] = True, True
    return tuple(side for side in reached if probability[rims[side] & (mask > 0.5)].mean() < 0.5)
