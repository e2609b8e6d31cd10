"""Pictures and depth maps as small files in memory, and many such files as two arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float32, Int8, Shaped, UInt8
from PIL import Image

DEPTH_REACH = 0.75  # world units before and behind the middle of the object
_LEVELS = 1022
LARGEST = 2048  # pixels along a side of a view


def code_picture(image: UInt8[np.ndarray, "h w 4"], size: int, quality: int) -> bytes:
    """WebP of sRGB and coverage at `size` x `size`, colours averaged by coverage."""
    weighted = image.astype(np.float32)
    weighted[..., :3] *= weighted[..., 3:] / 255
    resized = cv2.resize(weighted, (size, size), interpolation=cv2.INTER_AREA)
    alpha = resized[..., 3:]
    color = np.where(alpha > 0, resized[..., :3] * 255 / np.maximum(alpha, 1), 0)
    pixels = np.rint(np.concatenate([color, alpha], axis=-1)).clip(0, 255).astype(np.uint8)
    return _file(pixels, "WEBP", quality=quality, alpha_quality=80, method=3)


def decode_picture(code: bytes) -> UInt8[np.ndarray, "h w 4"]:
    """The pixels of `code_picture`."""
    return np.asarray(_opened(code, "WEBP").convert("RGBA"))


def code_colors(colors: UInt8[np.ndarray, "h w 3"], size: int, quality: int) -> bytes:
    """WebP of the nearest pixels at `size` x `size`."""
    return _file(_nearest(colors, size), "WEBP", quality=quality, method=3)


def decode_colors(code: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of `code_colors`."""
    return np.asarray(_opened(code, "WEBP").convert("RGB"))


def code_normals(normals: Int8[np.ndarray, "h w 3"], size: int, quality: int) -> bytes:
    """WebP of components -127..127."""
    return code_colors((normals.astype(np.int16) + 128).astype(np.uint8), size, quality)


def decode_normals(code: bytes) -> Int8[np.ndarray, "h w 3"]:
    """The components of `code_normals`."""
    return (decode_colors(code).astype(np.int16) - 128).clip(-127, 127).astype(np.int8)


def code_depth(depth: Shaped[np.ndarray, "h w"], middle: float, size: int) -> bytes:
    """PNG of the nearest depths at `size` x `size`: steps of 1.5e-3 around `middle`, and where there is none."""
    away = (_nearest(depth.astype(np.float32), size) - middle) / DEPTH_REACH
    level = 1 + np.rint((np.clip(np.nan_to_num(away, posinf=1), -1, 1) + 1) * 0.5 * _LEVELS)
    return _file(np.where(np.isfinite(away), level, 0).astype(np.uint16), "PNG", optimize=True)


def decode_depth(code: bytes, middle: float) -> Float32[np.ndarray, "h w"]:
    """The depths of `code_depth`, infinity where there is none."""
    level = np.asarray(_opened(code, "PNG")).astype(np.float32)
    away = ((level - 1) * 2 / _LEVELS - 1) * DEPTH_REACH
    return np.where(level > 0, middle + away, np.inf).astype(np.float32)


def joined(codes: Sequence[bytes]) -> tuple[UInt8[np.ndarray, " n"], Shaped[np.ndarray, " m"]]:
    """All files one after another, and where each ends."""
    return np.frombuffer(b"".join(codes), np.uint8), np.cumsum([len(code) for code in codes])


def parted(content: UInt8[np.ndarray, " n"], ends: Shaped[np.ndarray, " m"]) -> list[bytes]:
    """The files of `joined`."""
    return [code.tobytes() for code in np.split(content, ends[:-1])]


def _opened(code: bytes, kind: str) -> Image.Image:
    """A picture of one format alone (others have readers that do more than read), of a size that views have."""
    image = Image.open(io.BytesIO(code), formats=[kind])
    if max(image.size) > LARGEST:
        raise ValueError(f"a view of {image.width} x {image.height} pixels")
    return image


def _nearest(values: np.ndarray, size: int) -> np.ndarray:
    rows, columns = (((np.arange(size) + 0.5) * side / size).astype(int) for side in values.shape[:2])
    return values[rows[:, None], columns]


def _file(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()
