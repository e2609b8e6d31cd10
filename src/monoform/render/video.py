"""Frames into a film."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ..atomic import atomic_file
from ..errors import InputError


def write_video(
    frames: Iterable[Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"]],
    path: str | Path,
    *,
    fps: float = 30.0,
    quality: float = 8.0,
) -> Path:
    """Write frames (sRGB, float 0..1 or bytes) as .mp4 (H.264, yuv420p, plays everywhere) or as a looping .gif.

    H.264 needs even sizes: an odd last row or column is repeated once. The frames are taken one by one, so a generator
    does not have to fit in memory.

    Args:
        quality: of an mp4, 0 (smallest) to 10 (best).

    Raises:
        InputError: no frames, frames of different sizes, an unknown suffix, or the file cannot be written.
    """
    path = Path(path)
    writer = {".mp4": _write_mp4, ".gif": _write_gif}.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"Cannot write a video as {path.name!r}; end the name in .mp4 or .gif.")
    if not fps > 0 or not 0 <= quality <= 10:
        raise InputError(
            f"Cannot write a video with fps={fps} and quality={quality}; use fps above 0, quality 0 to 10."
        )
    pictures = _bytes(frames)
    first = next(pictures, None)
    if first is None:
        raise InputError(f"Cannot write {path}: there are no frames.")
    with atomic_file(path) as temporary:
        writer(first, pictures, temporary, fps, quality)
    return path


def _bytes(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    shape: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        frame = np.asarray(frame)
        shape = frame.shape if shape is None else shape
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.shape != shape:
            raise InputError(f"Video frame {number} has shape {frame.shape}; all must be (h, w, 3) like {shape}.")
        yield frame if frame.dtype == np.uint8 else np.rint(np.clip(frame, 0.0, 1.0) * 255.0).astype(np.uint8)


def _write_mp4(first: np.ndarray, rest: Iterator[np.ndarray], path: Path, fps: float, quality: float) -> None:
    height, width = first.shape[0] + first.shape[0] % 2, first.shape[1] + first.shape[1] % 2
    encoder = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=fps,
        codec="libx264",
        pix_fmt_in="rgb24",
        pix_fmt_out="yuv420p",
        quality=quality,
        macro_block_size=1,
        ffmpeg_log_level="error",
        output_params=["-movflags", "+faststart"],
    )
    encoder.send(None)
    try:
        encoder.send(_even(first))
        for frame in rest:
            encoder.send(_even(frame))
    finally:
        encoder.close()


def _even(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    return np.ascontiguousarray(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def _write_gif(first: np.ndarray, rest: Iterator[np.ndarray], path: Path, fps: float, quality: float) -> None:
    later = (Image.fromarray(frame) for frame in rest)
    duration = max(20, round(1000.0 / fps))  # most viewers slow down frames shorter than 20 ms
    Image.fromarray(first).save(path, save_all=True, append_images=later, duration=duration, loop=0)
