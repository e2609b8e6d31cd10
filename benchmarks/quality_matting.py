"""How well masks are found without one: the network alone, the network refined, and GrabCut, against true masks.

    python benchmarks/quality_matting.py PHOTOS [--weights DIR] [--json FILE] [--sheet FILE.png]

PHOTOS holds NAME.jpg and, for some, NAME_mask.png or NAME_predmask.png; the table is over those. The sheet shows every
photo with what the three found in colour and the rest faded.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from monoform.matting import grabcut_mask, network_mask, network_probability
from monoform.matting.network import WEIGHTS
from monoform.metrics import mask_iou
from monoform.scene import Photo

Finder = Callable[[np.ndarray], np.ndarray]
CELL = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", default=str(WEIGHTS), help="folder of other weights")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of all photos here")
    asked = parser.parse_args()
    finders: dict[str, Finder] = {
        "network": lambda rgb: network_probability(rgb, weights=asked.weights),
        "refined": lambda rgb: network_mask(rgb, weights=asked.weights),
        "grabcut": grabcut_mask,
    }
    rows, strips = [], []
    for path in sorted(asked.photos.glob("*.jpg")):
        true = mask_of(path)
        if true is None and asked.sheet is None:
            continue
        photo = Photo.open(path)
        found, row = {}, {"name": path.stem}
        for name, finder in finders.items():
            begun = time.perf_counter()
            found[name] = finder(photo.rgb)
            row[f"{name}_seconds"] = time.perf_counter() - begun
        if true is not None:
            truth = np.asarray(Image.open(true).convert("L").resize(photo.size)) > 127
            rows.append(row | {name: mask_iou(mask > 0.5, truth) for name, mask in found.items()})
        strips.append(np.concatenate([cell(photo.rgb, mask) for mask in (None, *found.values())], axis=1))
    print_table(rows, list(finders))
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows, indent=2))
    if asked.sheet is not None:
        half = (len(strips) + 1) // 2
        strips += [np.ones_like(strips[0])] * (2 * half - len(strips))
        sheet = np.concatenate([np.concatenate(strips[:half]), np.concatenate(strips[half:])], axis=1)
        Image.fromarray(np.round(sheet * 255).astype(np.uint8)).save(asked.sheet)


def mask_of(photo: Path) -> Path | None:
    """The true mask beside a photo."""
    candidates = (photo.with_name(f"{photo.stem}{suffix}.png") for suffix in ("_mask", "_predmask"))
    return next((path for path in candidates if path.is_file()), None)


def cell(rgb: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """The photo in a square of the sheet; where a mask is given, what lies off it is faded to green."""
    shown = rgb if mask is None else np.where(mask[..., None] > 0.5, rgb, 0.15 * rgb + np.array([0.1, 0.7, 0.3]))
    scale = CELL / max(shown.shape[:2])
    size = max(1, round(shown.shape[1] * scale)), max(1, round(shown.shape[0] * scale))
    small = cv2.resize(shown.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    square = np.ones((CELL, CELL, 3), np.float32)
    square[: size[1], : size[0]] = small
    return np.clip(square, 0, 1)


def print_table(rows: list[dict], names: list[str]) -> None:
    """IoU of each photo, then means, worst and times."""
    print("photo".ljust(24) + "".join(name.rjust(10) for name in names))
    for row in rows:
        print(row["name"].ljust(24) + "".join(f"{row[name]:10.3f}" for name in names))
    if not rows:
        print("no photo with a true mask beside it")
        return
    for title, of in (("mean", statistics.mean), ("median", statistics.median), ("worst", min)):
        print(title.ljust(24) + "".join(f"{of([row[name] for row in rows]):10.3f}" for name in names))
    seconds = [statistics.median(row[f"{name}_seconds"] for row in rows) for name in names]
    print("median seconds".ljust(24) + "".join(f"{value:10.2f}" for value in seconds))


if __name__ == "__main__":
    main()
