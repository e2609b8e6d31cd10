"""Opens a set of photos of a category in the layout of its publication."""

from __future__ import annotations

from typing import Any

from ...errors import InputError
from ...inputs.remote import AnyPath
from .birds import BirdPhotos
from .carla import CarlaPhotos
from .detections import DetectedPhotos
from .kinds import SPLITS, Category, Split, category_named
from .photos import CategoryPhotos
from .srn_views import SrnViews

READERS: dict[str, Any] = {
    "detections": DetectedPhotos,
    "birds": BirdPhotos,
    "srn": SrnViews,
    "carla": CarlaPhotos,
}


def open_category(
    data: str | AnyPath, category: str | Category, split: Split = "train", **options: Any
) -> CategoryPhotos:
    """The reader of one split.

    Args:
        data: the folder that all published sets lie in (`p3d`, `imagenet`, `cub`, `shapenet`, `carla`); a path, or an
            address that fsspec knows, such as gs://bucket/datasets.
        category: such as p3d_car.
        split: "train" (whole photos and their mirror images), "train-eval" (training photos cropped to the object),
            "test", or "imagenet-test": ImageNet's cars that p3d_car is not trained on.
        options: `crop`, `mirrored` and `margin` in place of what the split means.

    Raises:
        InputError: there is no such category or split, or the data cannot be used.
    """
    known = category_named(category) if isinstance(category, str) else category
    if split not in SPLITS:
        raise InputError(f"There is no split {split!r}: choose one of {', '.join(SPLITS)}.")
    return READERS[known.layout](data, known, split, **options)
