"""Pictures of mesh files, opened through the house's door."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from ...errors import InputError
from ...inputs.pictures import eight_bits, open_picture

MAX_PIXELS = 1 << 27  # of all textures of a mesh together: eight of 4096 x 4096


class Textures:
    """Opens the textures of one mesh file, each once, of a bounded size in all."""

    def __init__(self) -> None:
        self._left = MAX_PIXELS

    def open(self, data: bytes, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """The colors of a picture, without its opacity, orientation and profile, which meshes do not follow.

        Raises:
            InputError: the bytes are no picture, are damaged, or hold too many pixels.
        """
        try:
            image = eight_bits(open_picture(data, orientation="stored", profile=False, smallest=1).image)
        except InputError as error:
            reason = str(error).removeprefix("bytes ")
            raise InputError(f"the texture {name} {reason}") from error
        self.count(*image.size, name)
        return np.array(image.convert("RGB"), dtype=np.uint8)

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
