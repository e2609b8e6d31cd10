"""Pictures of numbers as OpenEXR files: channels of 32-bit numbers, not compressed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float

from .atomic import atomic_stream

MAGIC, VERSION, FLOATS = 20000630, 2, 2


def save_exr(
    values: Float[np.ndarray, "h w"] | Float[np.ndarray, "h w c"], file: str | Path, *, channel: str = "Y"
) -> None:
    """Write numbers, world units for a depth, as the channels of an EXR file.

    Args:
        values: one number, or several, for each pixel.
        channel: a letter for each of them: Y, or RGB.

    Raises:
        InputError: the file cannot be written.
    """
    values = values.reshape(*values.shape[:2], -1)
    height, width, count = values.shape
    order = sorted(range(count), key=channel.__getitem__)  # the format keeps channels by their names
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    one = struct.pack("<i4B2i", FLOATS, 0, 0, 0, 0, 1, 1)
    described = b"".join(channel[number].encode() + b"\0" + one for number in order) + b"\0"
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
    row, begin = 8 + 4 * width * count, len(head) + 8 * height
    with atomic_stream(file) as stream:
        stream.write(head)
        stream.write(struct.pack(f"<{height}Q", *(begin + number * row for number in range(height))))
        for number, line in enumerate(np.ascontiguousarray(values[..., order].transpose(0, 2, 1), "<f4")):
            stream.write(struct.pack("<2i", number, 4 * width * count) + line.tobytes())
