"""The one door through which pictures of mesh files are opened."""

from __future__ import annotations

import io
import warnings

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ...errors import InputError

# Decoders that only decode: PIL's EPS reader, for one, starts an interpreter on the file.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "AVIF", "TGA", "JPEG2000", "ICO")
MAX_PIXELS = 1 << 27  # of all textures of a mesh together: eight of 4096 x 4096


class Textures:
    """Opens the textures of one mesh file, each once, of a bounded size in all."""

    def __init__(self) -> None:
        self._left = MAX_PIXELS

    def open(self, data: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """The colours of a picture, without its opacity, orientation and profile, which meshes do not follow.

        Raises:
            InputError: the bytes are no picture, are damaged, or hold too many pixels.
        """
        if not data:
            raise InputError(f"the texture {name} is empty (zero bytes); export the mesh again.")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                Image.init()  # a format is known to PIL only once its reader is registered
                image = Image.open(io.BytesIO(data), formats=[each for each in FORMATS if each in Image.OPEN])
                self.count(*image.size, name)
                return _colors(image)
        except InputError:
            raise
        except Image.DecompressionBombError as error:
            raise InputError(f"the texture {name} has too many pixels; give a smaller one.") from error
        except Image.UnidentifiedImageError as error:
            raise InputError(
                f"the texture {name} is no picture that can be read; give PNG, JPEG, WebP, TGA, BMP or TIFF."
            ) from error
        except Exception as error:  # decoders raise anything at all on damaged bytes
            raise InputError(f"the texture {name} is damaged: {str(error) or type(error).__name__}.") from error

    def count(self, width: int, height: int, name: str) -> None:
        """Make room for one more picture.

        Raises:
            InputError: all together have too many pixels.
        """
        self._left -= width * height
        if self._left < 0:
            raise InputError(
                f"the texture {name} of {width} x {height} pixels makes more than {MAX_PIXELS / 1e6:.0f} million "
                "pixels of textures; give smaller ones."
            )


def _colors(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    if image.mode.startswith("I"):  # 16 bits of grey, which PIL's own conversion would cut off
        grey = np.asarray(image).astype(np.int64).clip(0, 65535) // 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)
    return np.array(image.convert("RGB"), dtype=np.uint8)
