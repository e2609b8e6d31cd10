"""Pictures in a notebook: what `_repr_html_` of photos, meshes and results answers."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image

SIDE = 200  # pixels of the longer side of a picture


def pictures_html(pictures: Sequence[UInt8[np.ndarray, "_ _ 3"]], caption: str) -> str:
    """A row of pictures, held in the text itself, over one line of words.

    Args:
        pictures: each (h, w, 3), made smaller where its longer side has more than 200 pixels.
        caption: plain text.
    """
    tags = "".join(f'<img src="{_address(picture)}" style="margin-right:4px">' for picture in pictures)
    return f"<div>{tags}<div><code>{html.escape(caption)}</code></div></div>"


def _address(picture: UInt8[np.ndarray, "_ _ 3"]) -> str:
    image, data = Image.fromarray(picture), io.BytesIO()
    image.thumbnail((SIDE, SIDE))
    image.save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
