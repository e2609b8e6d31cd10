"""The mask by the optional package rembg."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..computing import require_network
from ..errors import InputError


def rembg_mask(rgb: Float[np.ndarray, "h w 3"], *, model: str = "u2net") -> Float[np.ndarray, "h w"]:
    """Coverage of the foreground, 0..1, by a network of rembg (https://github.com/danielgatis/rembg).

    Raises:
        InputError: rembg is not installed, or its model cannot be loaded.
    """
    try:
        import rembg
    except ImportError as error:
        raise InputError("Masks by rembg need the package: pip install 'monoform[matting]'.") from error
    file = Path(os.environ.get("U2NET_HOME") or Path.home() / ".u2net") / f"{model}.onnx"
    if not file.is_file():
        require_network(f"rembg's network {file}", "choose --matting network, or give a mask")
    try:
        session = rembg.new_session(model)
        mask = rembg.remove(np.round(rgb * 255).astype(np.uint8), session=session, only_mask=True)
    except Exception as error:  # onnxruntime, the download and the file system each have their own
        raise InputError(f"rembg could not find a mask with its model {model}: {error}.") from error
    return np.asarray(mask, dtype=np.float32) / 255
