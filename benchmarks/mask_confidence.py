"""How well the confidence in a mask tells good masks from bad ones; with --pack its coefficients are fitted anew.

    python benchmarks/mask_confidence.py PHOTOS... [--weights DIR]
    python benchmarks/mask_confidence.py PHOTOS... --pack PACK --backgrounds PICTURES [--count 240] [--weights DIR]

PHOTOS are folders with NAME.jpg and the true NAME_mask.png. The coefficients are fitted on composites of a pack's
validation objects alone; the photos only judge.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from quality_matting import photographs
from scipy.optimize import minimize

from monoform.data import PackedObjects, validation_names
from monoform.matting import network_mask, network_probability
from monoform.matting.composites import compose
from monoform.matting.confidence import BIAS, GOOD, LOW, WEIGHTS, cues
from monoform.matting.network import WEIGHTS as SHIPPED
from monoform.matting.staging import PhotoBackgrounds
from monoform.matting.train import PackSource
from monoform.metrics import mask_iou

Pictures = Iterable[tuple[str, np.ndarray, np.ndarray | None]]
DAMPING = 0.05  # of the fit: half of it times the coefficients' squares is added to the loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--pack", type=Path, help="pack whose validation objects are drawn for the fit")
    parser.add_argument("--backgrounds", type=Path, help="photographs that the drawn objects stand before")
    parser.add_argument("--count", type=int, default=240, help="how many drawn pictures")
    parser.add_argument("--weights", default=str(SHIPPED), help="folder of other weights")
    asked = parser.parse_args()
    if (asked.pack is None) != (asked.backgrounds is None):
        parser.error("give --pack and --backgrounds together")
    coefficients = np.array([*WEIGHTS.values(), BIAS])
    if asked.pack is not None:
        found, ious = measured(composites(asked.pack, asked.backgrounds, asked.count), asked.weights)
        coefficients = fitted(found, ious > GOOD)
        print("fitted:", dict(zip((*WEIGHTS, "bias"), coefficients.round(1).tolist(), strict=True)))
        report("composites", found, ious, coefficients)
    pictures = (each for folder in asked.photos for each in photographs(folder))
    report("photos", *measured(pictures, asked.weights), coefficients)


def composites(pack: Path, backgrounds: Path, count: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Pictures of objects that the network has not seen, over photographs."""
    known = set(validation_names())
    source = PackSource(PackedObjects(pack, [name for name in PackedObjects(pack).names if name in known]))
    backdrop = PhotoBackgrounds(backgrounds)
    seed = 88_000
    while count:
        made = compose(np.random.default_rng(seed), source, size=384, backdrop=backdrop)
        seed += 1
        if (made.alpha > 0.5).mean() > 0.01:
            count -= 1
            yield f"seed {seed - 1}", made.rgb, made.alpha > 0.5


def measured(pictures: Pictures, weights: str) -> tuple[np.ndarray, np.ndarray]:
    """Cues (n, 4), the last of them 1, and the true IoU of each picture's mask."""
    rows, ious = [], []
    for _, rgb, truth in pictures:
        if truth is None:
            continue
        seen = network_probability(rgb, weights=weights)
        mask = network_mask(rgb, weights=weights, probability=seen)
        rows.append([*cues(mask, seen).values(), 1.0])
        ious.append(mask_iou(mask > 0.5, truth))
    return np.array(rows), np.array(ious)


def fitted(found: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Coefficients of a damped logistic regression."""
    sign = np.where(good, 1.0, -1.0)

    def loss(w: np.ndarray) -> float:
        return float(np.logaddexp(0, -sign * (found @ w)).sum() + 0.5 * DAMPING * (w[:-1] ** 2).sum())

    return minimize(loss, np.zeros(found.shape[1])).x


def report(title: str, found: np.ndarray, ious: np.ndarray, coefficients: np.ndarray) -> None:
    """How often a good mask is trusted more than a bad one, and what the user is told."""
    confidence = 1 / (1 + np.exp(-found @ coefficients))
    bad = ious <= GOOD
    wins = confidence[~bad][:, None] - confidence[bad][None]
    auc = float((np.sign(wins) / 2 + 0.5).mean()) if wins.size else float("nan")
    low = confidence < LOW
    print(f"{title}: {len(ious)} masks, {bad.sum()} of them below {GOOD}; AUC {auc:.3f}")
    print(f"  confidence below {LOW}: {(low & bad).sum()} bad masks and {(low & ~bad).sum()} good ones")
    print(f"  mean confidence {confidence.mean():.3f}, share of good masks {(~bad).mean():.3f}")


if __name__ == "__main__":
    main()
