"""How well masks are found without one, against true masks: the network alone and refined, GrabCut, others.

    python benchmarks/quality_matting.py PHOTOS... [--weights DIR] [--against DIR] [--json FILE] [--sheet FILE.png]
    python benchmarks/quality_matting.py PHOTOS... --hints
    python benchmarks/quality_matting.py --pack PACK [--backgrounds PICTURES] [--count 100]

PHOTOS are folders of NAME.jpg and, for some, NAME_mask.png; the table is over those. rembg is in it where it is
installed. The sheet shows every photo with what each found in color and the rest faded. With --pack the
pictures are made: the validation objects of a pack, which the network has not seen, over drawn backgrounds or
photographs, of 384 pixels. With --hints the table tells what help gains: the box of the true mask, a point in its
thickest place, both, and a box of half that size, well inside the object, judged within itself.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from monoform.data import PackedObjects, validation_names
from monoform.matting import Hints, grabcut_mask, network_mask, network_probability, rembg_mask
from monoform.matting.composites import compose
from monoform.matting.network import WEIGHTS
from monoform.matting.staging import PhotoBackgrounds
from monoform.matting.train import PackSource
from monoform.metrics import mask_iou
from monoform.scene import Photo
from monoform.scene.silhouette import mask_box

Finder = Callable[[np.ndarray], np.ndarray]
CELL = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="*")
    parser.add_argument("--pack", type=Path, help="judge drawn pictures of the validation objects of this pack")
    parser.add_argument("--backgrounds", type=Path, help="photographs behind the drawn pictures")
    parser.add_argument("--hints", action="store_true", help="what a box and a point gain")
    parser.add_argument("--against", help="folder of weights to compare with, alone and refined")
    parser.add_argument("--count", type=int, default=100, help="how many drawn pictures")
    parser.add_argument("--weights", default=str(WEIGHTS), help="folder of other weights")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet of all photos here")
    asked = parser.parse_args()
    finders: dict[str, Finder] = {
        "network": lambda rgb: network_probability(rgb, weights=asked.weights),
        "refined": lambda rgb: network_mask(rgb, weights=asked.weights),
        "grabcut": grabcut_mask,
    }
    if asked.against:
        finders["other"] = lambda rgb: network_probability(rgb, weights=asked.against)
        finders["other ref"] = lambda rgb: network_mask(rgb, weights=asked.against)
    if importlib.util.find_spec("rembg"):
        finders["rembg"] = rembg_mask
    if bool(asked.photos) == (asked.pack is not None):
        parser.error("give a folder of photos, or --pack PACK")
    pictures = (each for folder in asked.photos for each in photographs(folder))
    if asked.pack is not None:
        pictures = drawn(asked.pack, asked.count, asked.backgrounds)
    if asked.hints:
        helped = [
            {"name": label} | with_hints(rgb, truth, asked.weights)
            for label, rgb, truth in pictures
            if truth is not None
        ]
        print_table(helped, [name for name in (helped[0] if helped else {}) if name != "name"])
        return
    rows, strips = [], []
    for label, rgb, truth in pictures:
        if truth is None and asked.sheet is None:
            continue
        found, row = {}, {"name": label}
        for name, finder in finders.items():
            begun = time.perf_counter()
            found[name] = finder(rgb)
            row[f"{name}_seconds"] = time.perf_counter() - begun
        if truth is not None:
            rows.append(row | {name: mask_iou(mask > 0.5, truth) for name, mask in found.items()})
        if asked.sheet is not None:
            strips.append(np.concatenate([cell(rgb, mask) for mask in (None, *found.values())], axis=1))
    print_table(rows, list(finders))
    if asked.json is not None:
        asked.json.write_text(json.dumps(rows, indent=2))
    if asked.sheet is not None:
        half = (len(strips) + 1) // 2
        strips += [np.ones_like(strips[0])] * (2 * half - len(strips))
        sheet = np.concatenate([np.concatenate(strips[:half]), np.concatenate(strips[half:])], axis=1)
        Image.fromarray(np.round(sheet * 255).astype(np.uint8)).save(asked.sheet)


def with_hints(rgb: np.ndarray, truth: np.ndarray, weights: str) -> dict[str, float]:
    """IoU without help and with hints that are made of the true mask."""
    x0, y0, x1, y1 = mask_box(truth)
    depth = cv2.distanceTransform(truth.astype(np.uint8), cv2.DIST_L2, 5)
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    point = (float(column) + 0.5, float(row) + 0.5)
    whole = (x0, y0, x1 - x0, y1 - y0)
    small = (x0 + (x1 - x0) // 4, y0 + (y1 - y0) // 4, (x1 - x0) // 2, (y1 - y0) // 2)
    within = np.zeros_like(truth)
    within[small[1] : small[1] + small[3], small[0] : small[0] + small[2]] = True
    asked = {
        "none": (Hints(), truth),
        "box": (Hints(box=whole), truth),
        "point": (Hints(points=(point,)), truth),
        "both": (Hints(box=whole, points=(point,)), truth),
        "inside": (Hints(box=small), truth & within),
    }
    return {
        name: mask_iou(network_mask(rgb, weights=weights, hints=hints) > 0.5, true)
        for name, (hints, true) in asked.items()
    }


def photographs(folder: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray | None]]:
    """Name, colours and true mask, where there is one, of each photo of a folder."""
    for path in sorted(folder.glob("*.jpg")):
        photo, true = Photo.open(path), mask_of(path)
        truth = None if true is None else np.asarray(Image.open(true).convert("L").resize(photo.size)) > 127
        yield path.stem, photo.rgb, truth


def drawn(pack: Path, count: int, backgrounds: Path | None) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Drawn pictures with an object in them."""
    known = set(validation_names())
    source = PackSource(PackedObjects(pack, [name for name in PackedObjects(pack).names if name in known]))
    backdrop = None if backgrounds is None else PhotoBackgrounds(backgrounds)
    seed = 555_000
    while count:
        made = compose(np.random.default_rng(seed), source, size=384, backdrop=backdrop)
        seed += 1
        if made.alpha.max() > 0.5:
            count -= 1
            yield f"seed {seed - 1}", made.rgb, made.alpha > 0.5


def mask_of(photo: Path) -> Path | None:
    """The true mask beside a photo."""
    path = photo.with_name(f"{photo.stem}_mask.png")
    return path if path.is_file() else None


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
    shares = [statistics.mean(row[name] < 0.85 for row in rows) for name in names]
    print("share below 0.85".ljust(24) + "".join(f"{value:10.3f}" for value in shares))
    if f"{names[0]}_seconds" not in rows[0]:
        return
    seconds = [statistics.median(row[f"{name}_seconds"] for row in rows) for name in names]
    print("median seconds".ljust(24) + "".join(f"{value:10.2f}" for value in seconds))


if __name__ == "__main__":
    main()
