"""Pictures and films as data URIs, reduced to what a page needs."""

from __future__ import annotations

import base64
import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ..inputs import read_pixels
from ..inputs.remote import AnyPath

JPEG_QUALITY = 90


def data_uri(content: bytes, media_type: str) -> str:
    """The bytes inside an address, so that nothing has to be fetched."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def picture_uri(picture: AnyPath, *, longest: int, quality: int = JPEG_QUALITY) -> str:
    """A picture file, upright, on white where it is transparent, at most `longest` pixels on its longer side.

    Raises:
        InputError: the file is no picture that can be read.
    """
    image = Image.fromarray(read_pixels(picture, "RGBA", orientation="upright"))
    ground = Image.new("RGBA", image.size, "white")
    return _encode(Image.alpha_composite(ground, image).convert("RGB"), longest, quality)


def texture_uri(texture: UInt8[np.ndarray, "h w 3"], *, longest: int = 2048) -> str:
    """A mesh's texture as JPEG; graphics cards everywhere take 2048 pixels."""
    return _encode(Image.fromarray(texture), longest, JPEG_QUALITY)


def _encode(image: Image.Image, longest: int, quality: int) -> str:
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    # Full colour resolution: chroma at half size would bleed over the charts' borders. Not optimized: that must fit
    # PIL's buffer as a whole, which noise or gravel at full detail does not.
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return data_uri(buffer.getvalue(), "image/jpeg")
