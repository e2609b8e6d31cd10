"""Draw a reconstruction from the photo's own camera and from four sides.

    python examples/02_render_views.py [PHOTO] [OUT]

Writes OUT_photo.png (the mesh where the photo saw it) and OUT_0.png to OUT_3.png (a quarter turn between them).
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image

import monoform
from monoform.camera import orbit


def save(path: str, rgb: np.ndarray) -> None:
    """Write floats in 0..1 as a picture."""
    Image.fromarray(np.round(rgb * 255).astype(np.uint8)).save(path)
    print(path)


def main(photo: str, out: str) -> None:
    """Reconstruct and render."""
    result = monoform.reconstruct(photo)
    save(f"{out}_photo.png", result.render(result.camera).rgb)

    cameras = orbit(4, elevation=math.radians(15), distance=2.2, fov_y=math.radians(28), width=512, height=512)
    for number in range(4):
        save(f"{out}_{number}.png", result.render(cameras[number]).rgb)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        arguments[0] if arguments else str(Path(__file__).with_name("coffee.jpg")),
        arguments[1] if len(arguments) > 1 else "view",
    )
