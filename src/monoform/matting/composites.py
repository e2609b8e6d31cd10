"""Training pictures of the matting network: packed objects with true alpha over drawn backgrounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ..scene.silhouette import mask_box
from .backgrounds import Picture, background, color, noise
from .network import Letterbox
from .parts import pierced, repainted, with_frame
from .staging import dressed, lit, sunk, with_blades, with_hand, with_thin_part

Generator = np.random.Generator
Source = Callable[[Generator], UInt8[np.ndarray, "h w 4"]]
Backdrop = Callable[[Generator, int, int], tuple[Picture, bool]]
Finish = Callable[[Generator, UInt8[np.ndarray, "h w 4"]], UInt8[np.ndarray, "h w 4"]]
EMPTY = 0.03  # share of pictures without any object: a photo of a wall has an empty mask
DRESSED = 0.2  # share of objects that wear a photograph
PARTED = 0.2  # share of objects with parts in colors of their own
PIERCED = 0.08  # share of objects with openings


@dataclass(frozen=True)
class Composite:
    """A picture with a true mask.

    Attributes:
        rgb: colours, 0..1.
        alpha: share of each pixel that the object covers.
    """

    rgb: Float[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Cutout:
    """An object laid out over the picture.

    Attributes:
        covered: color times coverage.
        alpha: coverage.
    """

    covered: Float[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]

    def over(self, picture: Picture) -> Picture:
        """The picture with the object in front (Porter and Duff 1984, over)."""
        return self.covered + (1 - self.alpha[..., None]) * picture


def compose(
    rng: Generator, source: Source, *, size: int, camera: bool = True, backdrop: Backdrop | None = None
) -> Composite:
    """One training picture with its longer side `size`.

    Args:
        source: gives sRGB and coverage of a random object, colour not multiplied by coverage.
        camera: apply blur, noise, exposure and compression; they move colours, never the mask.
        backdrop: gives backgrounds that are photographs; the object then is lit by them, may have thin parts, and may
            have grass or a hand before it. None for drawn backgrounds alone.
    """
    width, height = _shape(rng, size)
    picture, grounded = (backdrop or background)(rng, width, height)
    if rng.random() < EMPTY:
        return Composite(photographed(rng, picture) if camera else picture, np.zeros((height, width), np.float32))
    if rng.random() < 0.3:
        picture = _with_bystanders(rng, picture, source)
    if backdrop is not None and rng.random() < 0.15:
        picture = _with_large_bystander(rng, picture, source)
    cutout = _object(rng, source, picture, _finish(picture, backdrop))
    if backdrop is not None and rng.random() < 0.25:
        cutout = Cutout(*with_thin_part(rng, cutout.covered, cutout.alpha))
    if backdrop is not None and rng.random() < 0.12:
        cutout = Cutout(*with_frame(rng, cutout.covered, cutout.alpha))
    if backdrop is not None and rng.random() < 0.15:
        picture = _with_support(rng, picture, source, cutout.alpha)
    if rng.random() < (0.8 if grounded else 0.15):
        picture = _with_shadow(rng, picture, cutout.alpha)
    if grounded and rng.random() < 0.08:
        picture = _with_reflection(rng, picture, cutout)
    rgb, alpha = cutout.over(np.clip(picture, 0, 1)), cutout.alpha
    if backdrop is not None and grounded and rng.random() < 0.25:
        before = with_blades if rng.random() < 0.6 else sunk
        rgb, alpha = before(rng, rgb, alpha, np.clip(picture, 0, 1))
    if backdrop is not None and rng.random() < 0.06:
        rgb, alpha = with_hand(rng, rgb, alpha)
    return Composite(photographed(rng, rgb) if camera else rgb, alpha)


def _finish(picture: Picture, backdrop: Backdrop | None) -> Finish:
    """What a painted object goes through before it is laid over a photograph, so that it fits in there."""

    def finished(rng: Generator, rgba: np.ndarray) -> np.ndarray:
        if backdrop is None:
            return rgba
        if rng.random() < DRESSED:
            rgba = dressed(rng, rgba, backdrop(rng, rgba.shape[1], rgba.shape[0])[0])
        if rng.random() < PARTED:
            rgba = repainted(rng, rgba, picture)
        if rng.random() < PIERCED:
            rgba = pierced(rng, rgba)
        return lit(rng, rgba, picture)

    return finished


def batch(
    generator: torch.Generator, source: Source, count: int, size: int, backdrop: Backdrop | None = None
) -> tuple[Float[Tensor, "b 5 s s"], Float[Tensor, "b s s"], Float[Tensor, "b s s"]]:
    """Inputs of the network, true masks, and 1 where the photo is, 0 where the square is filled up."""
    inputs = np.empty((count, 5, size, size), np.float32)
    masks, inside = np.zeros((count, size, size), np.float32), np.zeros((count, size, size), np.float32)
    for index, seed in enumerate(torch.randint(2**62, (count,), generator=generator).tolist()):
        made = compose(np.random.default_rng(seed), source, size=size, backdrop=backdrop)
        box = Letterbox.around(made.alpha.shape[1], made.alpha.shape[0], size)
        inputs[index] = box.inputs(box.put(made.rgb))
        at = np.s_[box.top : box.top + box.height, box.left : box.left + box.width]
        masks[index][at], inside[index][at] = made.alpha, 1
    return torch.from_numpy(inputs), torch.from_numpy(masks), torch.from_numpy(inside)


def placed(
    rgba: UInt8[np.ndarray, "h w 4"], width: int, height: int, *, center: tuple[float, float], scale: float, turn: float
) -> Cutout:
    """An object with the middle of its box at `center` (pixels), enlarged by `scale` and turned by `turn` (radians)."""
    image: np.ndarray = rgba.astype(np.float32) / 255
    image[..., :3] *= image[..., 3:]
    x0, y0, x1, y1 = _box(image[..., 3])
    if scale < 0.8:
        image = cv2.GaussianBlur(image, (0, 0), 0.45 * float(np.sqrt(1 / scale**2 - 1)))
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    # Pixel centres lie at +0.5, OpenCV counts from 0.
    mx, my = (x0 + x1) / 2 - 0.5, (y0 + y1) / 2 - 0.5
    x, y = center[0] - 0.5, center[1] - 0.5
    affine = np.array([[cos, -sin, x - cos * mx + sin * my], [sin, cos, y - sin * mx - cos * my]])
    laid = np.clip(cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR), 0, 1)
    return Cutout(laid[..., :3], laid[..., 3])


def _box(alpha: np.ndarray) -> tuple[int, int, int, int]:
    inside = alpha > 0.1
    return mask_box(inside) if inside.any() else (0, 0, alpha.shape[1], alpha.shape[0])


def _shape(rng: Generator, size: int) -> tuple[int, int]:
    """Square, 4:3, 3:2 or anything up to 2:1, lying or standing."""
    ratio = float(rng.choice((1, 0.75, 0.667, rng.uniform(0.5, 1))))
    short = round(size * ratio)
    return (size, short) if rng.random() < 0.5 else (short, size)


def _object(rng: Generator, source: Source, picture: Picture, finish: Finish) -> Cutout:
    """The photo's object, painted anew and placed: mostly central; sometimes two touching, or cut by the border."""
    rgba = finish(rng, _painted(rng, source(rng), picture))
    height, width = picture.shape[:2]
    x0, y0, x1, y1 = _box(rgba[..., 3])
    cut = rng.random() < 0.12
    fill = float(rng.uniform(0.8, 1.3)) if cut else float(0.25 + 0.7 * rng.beta(2.2, 1.3))
    scale = fill * min(width / (x1 - x0), height / (y1 - y0))
    room = np.array([width - scale * (x1 - x0), height - scale * (y1 - y0)])
    off = rng.normal(0, 0.12, 2) * (width, height) if cut else rng.normal(0, 0.22, 2) * np.maximum(room, 0)
    limit = np.full(2, np.inf) if cut else np.maximum(room, 0) / 2
    middle = np.array([width, height]) / 2 + np.clip(off, -limit, limit)
    turn = float(rng.normal(0, 0.08)) if rng.random() < 0.85 else float(rng.uniform(-np.pi, np.pi))
    cutout = placed(rgba, width, height, center=(middle[0], middle[1]), scale=scale, turn=turn)
    if rng.random() < 0.1:
        other = finish(rng, _painted(rng, source(rng), picture))
        position = middle + rng.uniform(-0.45, 0.45, 2) * scale * np.array([x1 - x0, y1 - y0])
        size = scale * float(rng.uniform(0.4, 1))
        second = placed(other, width, height, center=(position[0], position[1]), scale=size, turn=0.0)
        cutout = Cutout(second.over(cutout.covered), second.alpha + (1 - second.alpha) * cutout.alpha)
    return cutout


def _painted(rng: Generator, rgba: np.ndarray, picture: Picture) -> np.ndarray:
    """The object mirrored or not, in other colours: mixed channels, a pattern, or nearly those of the background."""
    if rng.random() < 0.5:
        rgba = rgba[:, ::-1]
    rgb = rgba[..., :3].astype(np.float32) / 255
    if rng.random() < 0.35:
        rgb = rgb[..., rng.permutation(3)]
    gray = rgb.mean(axis=2, keepdims=True)
    rgb = gray + float(rng.uniform(0, 1.5)) * (rgb - gray)
    rgb = rgb * rng.uniform(0.7, 1.3, 3).astype(np.float32) + np.float32(rng.normal(0, 0.06))
    if rng.random() < 0.2:
        height, width = rgb.shape[:2]
        pattern = noise(rng, width, height, coarse=int(rng.integers(2, 20)), fall=float(rng.uniform(0.4, 0.9)))
        share = (pattern[..., None] > 0.5) if rng.random() < 0.5 else pattern[..., None]
        rgb = rgb + float(rng.uniform(0.3, 1)) * share * (color(rng) - rgb)
    inside = rgba[..., 3] > 128
    if rng.random() < 0.12 and inside.any():
        drift = picture.mean(axis=(0, 1)) - rgb[inside].mean(axis=0)
        rgb = rgb + float(rng.uniform(0.5, 0.95)) * drift
    painted = np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8)
    return np.concatenate((painted, rgba[..., 3:]), axis=2)


def _with_bystanders(rng: Generator, picture: Picture, source: Source) -> Picture:
    """Other objects behind, small or at the rim: they belong to the background."""
    height, width = picture.shape[:2]
    around = picture
    for _ in range(int(rng.integers(1, 5))):
        rgba = source(rng)
        x0, y0, x1, y1 = _box(rgba[..., 3])
        scale = float(rng.uniform(0.1, 0.45)) * min(width, height) / max(x1 - x0, y1 - y0)
        angle = float(rng.uniform(0, 2 * np.pi))
        x, y = width * (0.5 + 0.5 * np.cos(angle)), height * (0.5 + 0.5 * np.sin(angle))
        around = placed(rgba, width, height, center=(x, y), scale=scale, turn=0.0).over(around)
    sigma = float(rng.choice((0, 0.6, 1.5, 4)))
    return cv2.GaussianBlur(around, (0, 0), sigma) if sigma else around


def _with_large_bystander(rng: Generator, picture: Picture, source: Source) -> Picture:
    """A thing behind that is as large as the object and out of focus, often half hidden by it: background."""
    height, width = picture.shape[:2]
    rgba = _painted(rng, source(rng), picture)
    x0, y0, x1, y1 = _box(rgba[..., 3])
    scale = float(rng.uniform(0.35, 0.9)) * min(width, height) / max(x1 - x0, y1 - y0)
    center = float(rng.uniform(0, width)), float(rng.uniform(0, 0.7 * height))
    around = placed(rgba, width, height, center=center, scale=scale, turn=0.0).over(picture)
    return cv2.GaussianBlur(around, (0, 0), max(width, height) / 320 * float(rng.uniform(1.5, 6)))


def _with_support(rng: Generator, picture: Picture, source: Source, alpha: np.ndarray) -> Picture:
    """Something wide that the object stands on, such as a bench or a box, mostly cut by the frame: background."""
    height, width = alpha.shape
    x0, y0, x1, foot = _box(alpha)
    rgba = _painted(rng, source(rng), picture)
    left, top, right, bottom = _box(rgba[..., 3])
    scale = float(rng.uniform(1.6, 3.5)) * max(x1 - x0, 0.2 * width) / (right - left)
    tall = scale * (bottom - top)
    x = (x0 + x1) / 2 + float(rng.normal(0, 0.4)) * (x1 - x0)
    y = foot + tall / 2 - float(rng.uniform(0.05, 0.4)) * min(tall, foot - y0)
    return placed(rgba, width, height, center=(x, y), scale=scale, turn=float(rng.normal(0, 0.05))).over(picture)


def _with_shadow(rng: Generator, picture: Picture, alpha: np.ndarray) -> Picture:
    """A soft cast shadow, and a dark line where the object stands."""
    height, width = alpha.shape
    x0, _, x1, foot = _box(alpha)
    squash, lean = float(rng.uniform(0.08, 0.45)), float(rng.normal(0, 0.6))
    # Up in the object becomes a short way up, or towards the viewer, on the ground, and to a side.
    rise = squash if rng.random() < 0.7 else -squash
    base = foot - float(rng.uniform(0, 0.06)) * height
    affine = np.array([[1, -lean * squash, lean * squash * base], [0, rise, base - rise * base]])
    cast = cv2.warpAffine(alpha, affine, (width, height), flags=cv2.INTER_LINEAR)
    cast = cv2.GaussianBlur(cast, (0, 0), float(rng.uniform(0.8, 9)))
    spot = np.zeros_like(alpha)
    middle, half = ((x0 + x1) // 2, int(base)), (max(1, int(0.45 * (x1 - x0))), max(1, int(0.03 * height)))
    cv2.ellipse(spot, middle, half, 0, 0, 360, 1.0, -1)
    spot = cv2.GaussianBlur(spot, (0, 0), float(rng.uniform(0.8, 3)))
    dark = float(rng.uniform(0, 0.65)) * cast + float(rng.uniform(0, 0.5)) * spot
    return picture * (1 - np.clip(dark, 0, 0.85))[..., None]


def _with_reflection(rng: Generator, picture: Picture, cutout: Cutout) -> Picture:
    """A glossy ground: the object upside down below itself, faint and blurred."""
    foot = _box(cutout.alpha)[3]
    affine = np.array([[1.0, 0, 0], [0, -1, 2 * foot - 1]])
    size = cutout.alpha.shape[1], cutout.alpha.shape[0]
    sigma, share = float(rng.uniform(0.5, 3)), float(rng.uniform(0.08, 0.35))
    covered = cv2.GaussianBlur(cv2.warpAffine(cutout.covered, affine, size), (0, 0), sigma)
    alpha = cv2.GaussianBlur(cv2.warpAffine(cutout.alpha, affine, size), (0, 0), sigma)
    return share * covered + (1 - share * alpha[..., None]) * picture


def photographed(rng: Generator, rgb: Picture) -> Picture:
    """What a camera does to colours: exposure, white balance, lens and sensor, compression."""
    rgb = rgb * np.float32(rng.uniform(0.75, 1.25)) * rng.normal(1, 0.05, 3).astype(np.float32)
    rgb = np.clip(rgb, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.4:
        rgb = cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(0.3, 1.2)))
    if rng.random() < 0.25:
        rgb = rgb + float(rng.uniform(0.3, 1.2)) * (rgb - cv2.GaussianBlur(rgb, (0, 0), 1.0))
    if rng.random() < 0.6:
        rgb = rgb + float(rng.exponential(0.015)) * rng.standard_normal(rgb.shape, np.float32)
    stored = np.clip(np.round(rgb * 255), 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        written = cv2.imencode(".jpg", stored, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96))))[1]
        stored = cv2.imdecode(written, cv2.IMREAD_COLOR)
    return stored.astype(np.float32) / 255
