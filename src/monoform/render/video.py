"""Frames into a film."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import IO, cast

import imageio_ffmpeg
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from ..camera import Camera
from ..errors import InputError
from ..outputs import MARK, atomic_file, save_picture
from ..progress import work

LOOPING = (".gif", ".webp", ".apng")


def drawn(
    draw: Callable[[Camera], Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"]],
    cameras: Sequence[Camera] | Camera,
    what: str = "making the film",
) -> Iterator[Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"]]:
    """The pictures of cameras, drawn one after another as they are asked for; `what` is said meanwhile."""
    with work(what, len(cameras), unit="frame") as show:
        for number, camera in enumerate(cameras, start=1):
            yield draw(camera)
            show(number)


def video_suffix(path: Path) -> str:
    """The ending of a video's name, in small letters, with its point.

    Raises:
        InputError: it is none that can be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".mp4", *LOOPING):
        raise InputError(f"Cannot write a video as {path.name!r}; end the name in .mp4, .gif, .webp or .apng.")
    return suffix


def write_video(
    frames: Iterable[Float[np.ndarray, "h w 3"] | UInt8[np.ndarray, "h w 3"]],
    path: str | Path,
    *,
    fps: float = 30.0,
    quality: float = 8.0,
) -> Path:
    """Write frames (sRGB, float 0..1 or bytes) as .mp4 (H.264, yuv420p) or as a looping .gif, .webp or .apng.

    H.264 needs even sizes: an odd last row or column is repeated once. An .apng is exact, a .gif has 256 colors. The
    frames are taken one by one, so a generator does not have to fit in memory.

    Args:
        quality: of an mp4 or webp, 0 (smallest) to 10 (best).

    Raises:
        InputError: no frames, frames of different sizes, an unknown suffix, or the file cannot be written.
    """
    path = Path(path)
    suffix = video_suffix(path)
    if not fps > 0 or not 0 <= quality <= 10:
        raise InputError(
            f"Cannot write a video with fps={fps} and quality={quality}; use fps above 0, quality 0 to 10."
        )
    pictures = _bytes(frames)
    first = next(pictures, None)
    if first is None:
        raise InputError(f"Cannot write {path}: there are no frames.")
    (_write_mp4 if suffix == ".mp4" else _write_looping)(first, pictures, path, fps, quality)
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
    rate = Fraction(fps).limit_denominator()
    source = f"-y -f rawvideo -vcodec rawvideo -s {width}x{height} -pix_fmt rgb24 -r {rate} -i - -an"
    coded = f"-vcodec libx264 -preset superfast -pix_fmt yuv420p -crf {int((1 - quality / 10) * 51)}"
    told = "-v error -movflags +faststart"
    with atomic_file(path) as temporary:
        target = f"file:{temporary.absolute()}"
        mark = ["-metadata", f"comment={MARK.decode()}"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *source.split(), *coded.split(), *told.split(), *mark, target]
        _encode(command, (_even(frame) for frame in chain([first], rest)))


def _encode(command: list[str], frames: Iterator[np.ndarray]) -> None:
    """Hand frames to an encoder.

    Raises:
        OSError: the encoder could not write; with the system's reason where it tells one.
    """
    # A group of its own: Ctrl-C at the terminal is ours to pass on, the encoder would close its file half-made.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    ) as encoder:
        stdin, stderr = cast("IO[bytes]", encoder.stdin), cast("IO[bytes]", encoder.stderr)
        said: list[bytes] = []
        listener = threading.Thread(target=lambda: said.append(stderr.read()), daemon=True)
        listener.start()
        try:
            for frame in frames:
                stdin.write(frame.tobytes())
            stdin.close()
            encoder.wait()
        except BrokenPipeError:  # it has given up, and says why
            encoder.wait()
        except BaseException:
            encoder.kill()
            raise
        finally:
            with suppress(OSError):
                stdin.close()
            listener.join()
    if encoder.returncode:
        raise _encoder_error(b"".join(said).decode(errors="replace"), encoder.returncode)


def _encoder_error(said: str, code: int) -> OSError:
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO):
        if os.strerror(number) in said:
            return OSError(number, os.strerror(number))
    if code == -getattr(signal, "SIGXFSZ", 0):
        return OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return OSError(f"the film encoder ended with {code}: {(said.strip().splitlines() or ['nothing said'])[-1]}")


def _even(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    if height % 2 == width % 2 == 0:
        return frame
    return np.ascontiguousarray(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def _write_looping(first: np.ndarray, rest: Iterator[np.ndarray], path: Path, fps: float, quality: float) -> None:
    later: Iterable[Image.Image] = (Image.fromarray(frame) for frame in rest)
    later = list(later) if path.suffix.lower() == ".apng" else later  # its writer goes through them twice
    duration = max(20, round(1000.0 / fps))  # most viewers slow down frames shorter than 20 ms
    how = {"quality": round(10 * quality), "method": 2} if path.suffix.lower() == ".webp" else {}
    save_picture(
        Image.fromarray(first), path, marked=True, save_all=True, append_images=later, duration=duration, loop=0, **how
    )
