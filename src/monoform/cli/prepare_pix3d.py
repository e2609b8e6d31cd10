"""monoform prepare pix3d"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class Pix3d:
    """Cut Pix3D's photos to the boxes of their objects, as LIST takes them, with the records and the splits.

    A rerun after an interrupt goes on where it was left. Photos that cannot be used are reported and left out. The
    shapes are sampled by `monoform prepare sdf --data PIX3D -o OUT/data`.
    """

    data: Path
    """Pix3D as it is published: the folder with pix3d.json, img/, mask/ and model/."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="DIR")]
    """Where data/ and splits/ go."""
    splits: Path | None = None
    """Folder with train.json and test.json, lists of names that end in NUMBER.pkl. Default: models are dealt."""
    test_share: float = 0.25
    """Share of each category's models, with all their photos, that are dealt to the test split."""
    masked: bool = False
    """Black out what lies outside the masks."""
    seed: int = 0
    """Deals the models."""
    workers: int = 2
    """Processes at once."""


def run(asked: Pix3d) -> int:
    """Cut, say what came out, and leave 2 when a photo could not be used."""
    from ..data.sdf.pix3d_crops import CropOptions, crop_photos
    from ..progress import work
    from ..ranges import LARGEST_SEED, require_range
    from ..text import printable
    from .main import interruptible

    require_range("--seed", asked.seed, 0, LARGEST_SEED)
    require_range("--workers", asked.workers, 1, 1024)
    options = CropOptions(asked.masked, asked.test_share, asked.seed)
    interruptible()
    with work("cutting photos", unit="photo") as show:
        done = crop_photos(asked.data, asked.out, options, splits=asked.splits, workers=asked.workers, progress=show)
    for name, reason in done.failed.items():
        print(printable(f"{name} is left out: {reason}"))
    counts = ", ".join(f"{count} {split}" for split, count in done.splits.items())
    print(f"{done.made + done.kept} photos are in {asked.out}, {done.kept} of them from before; listed: {counts}.")
    return 2 if done.failed else 0
