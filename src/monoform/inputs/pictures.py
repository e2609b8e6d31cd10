"""The one door for pictures: a path, a URL, bytes, a PIL image, an array or a tensor, read into one PIL image in sRGB.

Only decoders that do nothing but decode are asked; size and format are known from the head before pixels are.
HEIC, which phones write, is read where pillow-heif is installed.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeGuard

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageCms, ImageOps

from ..errors import InputError
from .download import MAX_SECONDS, download, is_url, shown_url
from .files import open_binary, read_bytes, require_regular_file
from .heif import UnreadFormat, foreign_sentence, register_heif
from .names import name_of
from .remote import AnyPath, RemotePath, place_of

if TYPE_CHECKING:
    from torch import Tensor

# Decoders that only decode: PIL's EPS reader, for one, starts an interpreter on the file.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "HEIF", "TGA", "JPEG2000", "ICO")
MIN_SIDE = 16
MAX_PIXELS = 100_000_000
Orientation = Literal["upright", "stored"]


@dataclass(frozen=True)
class Picture:
    """An image in sRGB with what its file said about it.

    Attributes:
        image: its pixels, upright or as they are stored.
        name: for a result that is made from it.
        source: what the user gave.
        focal: focal length in pixels by EXIF, or None.
        exif_orientation: 1..8, what the file says of the way in which its pixels are stored; 1 is upright.
        notices: sentences for the user.
    """

    image: Image.Image
    name: str
    source: str
    focal: float | None = None
    exif_orientation: int = 1
    notices: tuple[str, ...] = ()


def open_picture(
    source: object,
    *,
    orientation: Orientation = "upright",
    profile: bool = True,
    smallest: int = MIN_SIDE,
    timeout: float = MAX_SECONDS,
    called: str = "",
) -> Picture:
    """Read a picture of at most 100 million pixels.

    Args:
        source: path, http(s) URL, address that fsspec knows, bytes, PIL image, or array (h, w), (h, w, 1|3|4) of uint8,
            uint16 or floats in 0..1; or a tensor of the same, or with its channels first, (1|3|4, h, w).
        orientation: "upright" turns the pixels as EXIF says; "stored" leaves them, as solvers for cameras do.
        profile: whether colors are brought to sRGB by the file's profile; glTF says that textures are sRGB without.
        smallest: pixels of the shorter side at least.
        timeout: seconds in all for a URL.
        called: what sentences call bytes, such as the file that they are of.

    Raises:
        InputError: the source cannot be read, is no image, or has an unusable size.
    """
    if _is_tensor(source):
        source = _channels_last(source)
    if isinstance(source, np.ndarray):
        image = _from_array(source)
        _check_size(image.size, "The image array", smallest)
        return Picture(image, "photo", "array")
    if isinstance(source, Image.Image):
        return _loaded(source, "photo", "image", orientation, smallest, profile)
    if isinstance(source, bytes):
        return _decoded(source, "photo", called or "bytes", orientation, smallest, profile)
    if is_url(source):
        shown, data = shown_url(str(source)), download(str(source), timeout)
        return _decoded(data, name_of(source), shown, orientation, smallest, profile)
    if isinstance(source, str) and "://" in source:
        source = place_of(source)
    if isinstance(source, (str, Path, RemotePath)):
        if not isinstance(source, RemotePath) and os.path.isdir(source):
            raise InputError(f"{source} is a folder: give the photos in it, for example {source}/*.jpg.")
        return _decoded(read_bytes(source), name_of(source), str(source), orientation, smallest, profile)
    raise InputError(
        f"A photo cannot be read from {type(source).__name__}: "
        "give a path, a URL, bytes, a PIL image, an array or a tensor."
    )


@cache
def picture_suffixes() -> frozenset[str]:
    """Ends of the names of files that are read, in small letters, as in ".png"."""
    register_heif()
    found = Image.registered_extensions()
    return frozenset(suffix for suffix, name in found.items() if name in FORMATS and name in Image.OPEN)


def picture_size(path: str | AnyPath, *, orientation: Orientation = "stored") -> tuple[int, int]:
    """(width, height) in pixels, from the file's head.

    Raises:
        InputError: as `open_picture`.
    """
    with _head(path) as image:
        turned = orientation == "upright" and _exif_orientation(image) >= 5
        return image.size[::-1] if turned else image.size


def picture_orientation(path: str | AnyPath) -> int:
    """How a file's pixels are stored by EXIF, 1..8, from the file's head; 1 is upright.

    Raises:
        InputError: as `open_picture`.
    """
    with _head(path) as image:
        if image.format == "PNG" and not image.info.keys() & {"exif", "Raw profile type exif"}:
            return 1  # PIL would decode all of it to look behind the pixels
        return _exif_orientation(image)


def read_pixels(
    source: object, mode: Literal["RGB", "RGBA", "L"] | None = None, *, orientation: Orientation = "stored"
) -> UInt8[np.ndarray, "h w *c"]:
    """Pixels of any picture with 8 bits a channel.

    Args:
        source: as `open_picture`.
        mode: "RGB", "RGBA" or "L"; None: RGBA where the file has transparency, else RGB.
        orientation: as `open_picture`; data sets mean the pixels as they are stored.

    Raises:
        InputError: as `open_picture`.
    """
    image = eight_bits(open_picture(source, orientation=orientation, smallest=1).image)
    if mode is None:
        mode = "RGBA" if has_transparency(image) else "RGB"
    return np.asarray(image.convert(mode))


def has_transparency(image: Image.Image) -> bool:
    """Whether the file holds an alpha channel, or a color that counts as transparent."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def eight_bits(image: Image.Image) -> Image.Image:
    """Gray images of 16 or 32 bits, or of floats, brought to 8 bits; all others as they are."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float32)
    if not np.isfinite(values).all():
        raise InputError("The image holds NaN or infinite values.")
    top = 65535.0 if image.mode.startswith("I;16") else _white_of(float(values.max()), image.mode == "F")
    return Image.fromarray(np.clip(np.round(values * (255.0 / top)), 0, 255).astype(np.uint8))


def _white_of(largest: float, floats: bool) -> float:
    """What is white in an image with this largest value: a scale that photos of one capture have in common."""
    for white in (1.0, 255.0, 65535.0) if floats else (255.0, 65535.0):
        if largest <= white:
            return white
    return largest


@contextmanager
def _head(path: str | AnyPath) -> Iterator[Image.Image]:
    require_regular_file(path)
    with _one_sentence(str(path)), open_binary(path) as file, _opened(file) as image:
        _check_size(image.size, str(path), 1)
        yield image


@contextmanager
def _opened(file: io.BufferedIOBase) -> Iterator[Image.Image]:
    """PIL's image of an open file, its head read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Image.init()  # a format is known to PIL only once its reader is registered
        register_heif()
        try:
            opened = Image.open(file, formats=[name for name in FORMATS if name in Image.OPEN])  # type: ignore[arg-type]
        except Image.UnidentifiedImageError as error:
            file.seek(0)
            raise foreign_sentence(file.read(64)) or error from error
        with opened as image:
            yield image


@contextmanager
def _one_sentence(source: str) -> Iterator[None]:
    """Turn what decoders raise into one sentence."""
    try:
        yield
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{source} has more than {MAX_PIXELS // 10**6} million pixels: give a smaller copy."
        ) from error
    except UnreadFormat as error:
        raise InputError(f"{source} {error}.") from error
    except Image.UnidentifiedImageError as error:
        raise InputError(f"{source} is not an image that can be read (PNG, JPEG, WebP, TIFF, BMP, GIF).") from error
    except Exception as error:  # decoders raise anything at all on damaged bytes
        raise InputError(f"{source} is damaged or truncated: {str(error) or type(error).__name__}.") from error


def _decoded(data: bytes, name: str, source: str, orientation: Orientation, smallest: int, profile: bool) -> Picture:
    if not data:
        raise InputError(f"{source} is empty (zero bytes).")
    with _one_sentence(source), _opened(io.BytesIO(data)) as image:
        return _loaded(image, name, source, orientation, smallest, profile)


def _loaded(
    image: Image.Image, name: str, source: str, orientation: Orientation, smallest: int, profile: bool
) -> Picture:
    _check_size(image.size, source, smallest)
    notices = []
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        notices.append(f"The file holds {image.n_frames} frames; the first one is used.")  # type: ignore[attr-defined]
    image.load()
    if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
        raise InputError(f"{source} holds NaN or infinite values: write it again.")
    if image.format == "PPM" and image.mode == "I":  # 16 bits, whatever the largest value is
        image = Image.fromarray(np.asarray(image).clip(0, 65535).astype(np.uint16))
    stored = _exif_orientation(image)
    focal = _focal_pixels(image)
    image = ImageOps.exif_transpose(image) if orientation == "upright" else image
    image = _to_srgb(image) if profile else image
    return Picture(image, name, source, focal, stored, tuple(notices))


def _exif_orientation(image: Image.Image) -> int:
    """How the pixels are stored by EXIF, 1..8; 1 where it does not say."""
    if image.format == "TIFF":
        return 1  # whose reader has turned them already
    try:
        found = int(image.getexif().get(0x0112) or 1)
    except Exception:  # EXIF blocks are as damaged as their writers left them
        return 1
    return found if 1 <= found <= 8 else 1


def _check_size(size: tuple[int, int], source: str, smallest: int) -> None:
    width, height = size
    if min(size) < smallest:
        raise InputError(f"{source} is {width} x {height} pixels; at least {smallest} x {smallest} are needed.")
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{source} is {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million: give a smaller copy."
        )


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
    """Colors by the file's profile, brought to sRGB; as they are where it has none or a damaged one."""
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    plain = _without_palette(image)
    alpha = plain.getchannel("A") if plain.mode in ("RGBA", "LA") else None
    colors = plain.convert(plain.mode[:-1]) if alpha else plain
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(colors, given, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if converted is not None and alpha is not None:
        converted.putalpha(alpha)
    return converted or image


def _without_palette(image: Image.Image) -> Image.Image:
    """The image in a mode that color profiles are for."""
    if has_transparency(image) and image.mode not in ("RGBA", "LA"):
        return image.convert("RGBA")
    if image.mode == "P":
        return image.convert("RGB")
    return eight_bits(image)


def _is_tensor(source: object) -> TypeGuard[Tensor]:
    """Told without loading torch: who has a tensor has loaded it."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.Tensor)


def _channels_last(tensor: Tensor) -> Shaped[np.ndarray, "*_"]:
    """As an array (h, w, c); what could be read either way has its channels first, as tensors do."""
    if tensor.ndim == 4 and len(tensor) == 1:
        tensor = tensor[0]
    if tensor.ndim not in (2, 3) or tensor.is_complex():
        raise InputError(
            f"An image tensor has shape (c, h, w), (h, w, c) or (h, w), not {tuple(tensor.shape)} of {tensor.dtype}."
        )
    if tensor.ndim == 3 and tensor.shape[0] in (1, 3, 4):
        tensor = tensor.permute(1, 2, 0)
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


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
    return Image.fromarray(np.ascontiguousarray(array))
