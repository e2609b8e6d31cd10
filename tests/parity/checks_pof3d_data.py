"""PoF3D's photo sets against their golden cases."""

from __future__ import annotations

from itertools import islice

import numpy as np
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.data.images import ImageSet, half_window_order


def image_set(case: Case, name: str) -> ImageSet:
    """The case's set as one of the readers of the manifest has it."""
    asked = case.config["readers"][name]
    return ImageSet(
        case.folder / asked["file"],
        resolution=asked.get("resolution"),
        use_labels=asked.get("use_labels", True),
        label_fov=asked.get("create_label_fov"),
        fit="pad" if asked.get("pad_long") else None,
        max_size=asked.get("max_size"),
        seed=asked.get("random_seed", 0),
        mirrored=asked.get("xflip", False),
    )


@check("pof3d", "dataset")
def dataset(case: Case) -> None:
    deviation = None
    for name in case.config["readers"]:
        images, said = image_set(case, name), case.manifest[name]
        assert images.source.names == said["names"], name
        assert len(images) == said["length"] and images.resolution == said["resolution"], name
        assert images.has_labels == said["has_labels"] and images.label_size == said["label_dim"], name
        pixels = np.stack([images.image(number) for number in range(len(images))])
        case.compare(f"{name}_images", pixels.transpose(0, 3, 1, 2))
        case.compare(f"{name}_labels", np.stack([images.label(number) for number in range(len(images))]))
        if f"{name}_raw_index" in case:
            case.compare(f"{name}_raw_index", images.chosen)
        deviation = images.label_deviation() if deviation is None else deviation
    case.compare("label_std", deviation)
    for name, asked in case.config["sampler"].items():
        asked = dict(asked)
        first = asked.pop("first")
        case.compare(name, np.array(list(islice(half_window_order(asked.pop("size"), **asked), first))))
