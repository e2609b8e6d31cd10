"""Depth pictures as OpenEXR files: one channel of 32-bit numbers, not compressed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float

from .atomic import atomic_stream

MAGIC, VERSION, FLOATS = 20000630, 2, 2


def save_exr(values: Float[np.ndarray, "h w"], file: str | Path, *, channel: str = "Y") -> None:
    """Write numbers, world units for a depth, as the single channel of an EXR file.

    Raises:
        InputError: the file cannot be written.
    """
    height, width = values.shape
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    described = channel.encode() + b"\0" + struct.pack("<i4B2i", FLOATS, 0, 0, 0, 0, 1, 1) + b"\0"
    attributes = (
        ("channels", "chlist", described),
        ("compression", "compression", b"\0"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    )
    head = struct.pack("<2i", MAGIC, VERSION)
    for name, kind, content in attributes:
        head += name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(content)) + content
    head += b"\0"
    row, begin = 8 + 4 * width, len(head) + 8 * height
    with atomic_stream(file) as stream:
        stream.write(head)
        stream.write(struct.pack(f"<{height}Q", *(begin + number * row for number in range(height))))
        for number, line in enumerate(np.ascontiguousarray(values, "<f4")):
            stream.write(struct.pack("<2i", number, 4 * width) + line.tobytes())
