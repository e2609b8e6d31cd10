"""Draw a result folder as one strip: photo, overlay, four sides.

monoform reconstruct examples/coffee.jpg --mask examples/coffee_mask.png -o out
python docs/figures/draw_result.py out/coffee docs/figures/coffee.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

HEIGHT = 240


def main(folder: Path, out: Path) -> None:
    """Paste the pictures of `folder` side by side at one height."""
    tiles = []
    for name in ("photo.jpg", "overlay.png", "views.jpg"):
        picture = Image.open(folder / name).convert("RGB")
        tiles.append(picture.resize((round(picture.width * HEIGHT / picture.height), HEIGHT), Image.Resampling.LANCZOS))
    strip = Image.new("RGB", (sum(tile.width for tile in tiles), HEIGHT), "white")
    left = 0
    for tile in tiles:
        strip.paste(tile, (left, 0))
        left += tile.width
    strip.save(out, quality=88)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
