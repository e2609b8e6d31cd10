"""Where a photo comes from: a path, a URL, bytes, a PIL image or an array, read into one upright PIL image."""

from __future__ import annotations

import io
import re
import urllib.error
import urllib.parse
import urllib.request
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from ..errors import InputError

# Decoders that only decode: PIL's EPS reader, for one, starts an interpreter on the file.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "TGA", "JPEG2000", "ICO")
MIN_SIDE = 16
MAX_PIXELS = 100_000_000
MAX_BYTES = 256 * 1024 * 1024
_URL = re.compile(r"^https?://", re.IGNORECASE)


@dataclass(frozen=True)
class Decoded:
    """An upright image with what its file said about it."""

    image: Image.Image
    name: str
    source: str
    focal: float | None
    notices: tuple[str, ...]


def decode(source: object, *, timeout: float = 30.0) -> Decoded:
    """Read `source` into an upright image of at least 16 x 16 and at most 100 million pixels.

    Args:
        source: path, http(s) URL, bytes, PIL image, or array (h, w), (h, w, 1|3|4) of uint8, uint16 or floats in 0..1.
        timeout: seconds to wait for a URL.

    Raises:
        InputError: the source cannot be read, is no image, or has an unusable size.
    """
    if isinstance(source, np.ndarray):
        return Decoded(_from_array(source), "photo", "array", None, ())
    if isinstance(source, Image.Image):
        return _upright(source, "photo", "image")
    if isinstance(source, bytes):
        return _decode_bytes(source, "photo", "bytes")
    if isinstance(source, str) and _URL.match(source):
        return _decode_bytes(_download(source, timeout), name_of(source), source)
    if isinstance(source, (str, Path)):
        path = Path(source)
        return _decode_bytes(_read(path), safe_name(path.stem), str(source))
    raise InputError(
        f"A photo cannot be read from {type(source).__name__}: give a path, a URL, bytes, a PIL image or an array."
    )


def name_of(source: object) -> str:
    """The name that `decode` would give, without reading anything."""
    if isinstance(source, str) and _URL.match(source):
        path = re.sub(r"^https?://[^/]*|[?#].*", "", source, flags=re.IGNORECASE)
        return safe_name(Path(urllib.parse.unquote(path)).stem)
    return safe_name(Path(source).stem) if isinstance(source, (str, Path)) else "photo"


def safe_name(name: str) -> str:
    """`name` without what could leave the output folder or break a file system.

    >>> safe_name("../a:b")
    'a_b'
    """
    return re.sub(r"[^\w.\- ]+", "_", name).strip("._ ")[:100] or "photo"


def _read(path: Path) -> bytes:
    try:
        folder, size = path.is_dir(), path.stat().st_size
        if not folder and size <= MAX_BYTES:
            return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"There is no file {path}: check the name.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if folder:
        raise InputError(f"{path} is a folder: give the photos in it, for example {path}/*.jpg.")
    raise InputError(f"{path} has {size / 1e6:.0f} MB; photos of up to {MAX_BYTES / 1e6:.0f} MB are read.")


def _download(url: str, timeout: float) -> bytes:
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "monoform"})
        with urllib.request.urlopen(request, timeout=timeout) as response:
            data = response.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise InputError(f"{url} cannot be fetched: the server says {error.code} {error.reason}.") from error
    except Exception as error:  # urllib passes on whatever its sockets, codecs and parsers raise
        reason = getattr(error, "reason", None) or error
        raise InputError(f"{url} cannot be fetched: {reason}. Check the address and the connection.") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"{url} sends more than {MAX_BYTES / 1e6:.0f} MB: save a smaller copy and give its path.")
    return data


def _decode_bytes(data: bytes, name: str, source: str) -> Decoded:
    if not data:
        raise InputError(f"{source} is empty (zero bytes).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Image.init()  # a format is known to PIL only once its reader is registered
            image = Image.open(io.BytesIO(data), formats=[name for name in FORMATS if name in Image.OPEN])
            _check_size(image.size, source)
            return _upright(image, name, source)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{source} has more than {MAX_PIXELS // 10**6} million pixels: give a smaller copy."
        ) from error
    except Image.UnidentifiedImageError as error:
        raise InputError(f"{source} is not an image that can be read (PNG, JPEG, WebP, TIFF, BMP, GIF).") from error
    except Exception as error:  # decoders raise anything at all on damaged bytes
        raise InputError(f"{source} is damaged or truncated: {str(error) or type(error).__name__}.") from error


def _check_size(size: tuple[int, int], source: str) -> None:
    width, height = size
    if min(size) < MIN_SIDE:
        raise InputError(f"{source} is {width} x {height} pixels; at least {MIN_SIDE} x {MIN_SIDE} are needed.")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{source} is {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million: give a smaller copy."
        )


def _upright(image: Image.Image, name: str, source: str) -> Decoded:
    _check_size(image.size, source)
    notices = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        notices.append(f"The file holds {image.n_frames} frames; the first one is used.")  # type: ignore[attr-defined]
    image.load()
    focal = _focal_pixels(image)
    image = _to_srgb(ImageOps.exif_transpose(image))
    return Decoded(image, name, source, focal, tuple(notices))


def _focal_pixels(image: Image.Image) -> float | None:
    """Focal length in pixels from EXIF's 35 mm equivalent, whose film diagonal is 43.27 mm."""
    try:
        exif = image.getexif().get_ifd(0x8769)
        film = float(exif.get(0xA405) or 0)
    except Exception:  # EXIF blocks are as damaged as their writers left them
        return None
    diagonal = float(np.hypot(*image.size))
    focal = film / 43.2666 * diagonal
    return focal if np.isfinite(focal) and 0.3 < focal / diagonal < 30 else None


def _to_srgb(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=mode)
        return converted or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise InputError(f"An image array has shape (h, w), (h, w, 3) or (h, w, 4), not {array.shape}.")
    if min(array.shape[:2]) == 0:
        raise InputError(f"The image array is empty: its shape is {array.shape}.")
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise InputError("The image array holds NaN or infinite values.")
        if array.min() < 0 or array.max() > 1:
            raise InputError(f"A float image lies in 0..1, this one in {array.min():.3g}..{array.max():.3g}.")
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif array.dtype == bool:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise InputError(f"An image array is uint8, uint16 or float in 0..1, not {array.dtype}.")
    image = Image.fromarray(np.ascontiguousarray(array))
    _check_size(image.size, "The image array")
    return image
