"""What `monoform evaluate pixelnerf --compare` wrote as one picture: an object a row, source, then truth and rendering.

python docs/figures/draw_views.py EVALUATION VIEWS.jpg --objects a b c --views 6 12 18
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

SIDE, GAP = 96, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--objects", nargs="+", required=True, help="folders of the evaluation")
    parser.add_argument("--views", type=int, nargs="+", required=True)
    asked = parser.parse_args()
    rows = [row(asked.evaluation / name, asked.views) for name in asked.objects]
    sheet = Image.new("RGB", (rows[0].width, len(rows) * (SIDE + GAP)), "white")
    for number, one in enumerate(rows):
        sheet.paste(one, (0, number * (SIDE + GAP)))
    sheet.save(asked.out, quality=88)


def row(folder: Path, views: list[int]) -> Image.Image:
    """The source, then truth and rendering of each view."""
    tiles: list[Image.Image] = []
    for view in views:
        picture = Image.open(folder / f"{view:06d}_compare.png").convert("RGB")
        side = picture.height
        parts = [picture.crop((left, 0, left + side, side)) for left in range(0, picture.width, side)]
        tiles += parts[1:] if tiles else parts
    line = Image.new("RGB", (len(tiles) * (SIDE + GAP), SIDE), "white")
    for number, tile in enumerate(tiles):
        line.paste(tile.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (number * (SIDE + GAP), 0))
    return line


if __name__ == "__main__":
    main()
