"""PoF3D's photo sets against their golden cases."""

from __future__ import annotations

import json
import tempfile
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.data.images import ImageSet, SetOptions, half_window_order, prepare_images
from monoform.data.images.open import open_source


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


def labelled_source(case: Case, folder: Path) -> Path:
    """The case's photos with the labels of the set that was made of them."""
    config, place = case.config, folder / "source"
    (unlabelled,) = {each["file"] for each in config["readers"].values() if "create_label_fov" in each}
    (labelled,) = {each["file"] for each in config["readers"].values() if "create_label_fov" not in each}
    with zipfile.ZipFile(case.folder / unlabelled) as archive:
        archive.extractall(place)
    with zipfile.ZipFile(case.folder / labelled) as archive:
        found = [label for _, label in json.loads(archive.read("dataset.json"))["labels"]]
    labels = list(zip(open_source(place).names, found, strict=False))
    (place / "dataset.json").write_text(json.dumps({"labels": labels}))
    return place


def compare_with_tool(case: Case) -> None:
    """What `prepare images` makes of the photos is the published tool's archive."""
    tool = case.config["tool"]
    width, height = tool["resolution"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.zip"
        options = SetOptions(tool["transform"], width, height, tool.get("max_images"))
        prepare_images(labelled_source(case, Path(folder)), out, options)
        with zipfile.ZipFile(out) as archive:
            members = [[each.filename, each.file_size, each.compress_type] for each in archive.infolist()]
        assert members == case.manifest["zip_members"], "zip_members"
        images = ImageSet(out)
        for name, asked in case.config["readers"].items():
            if "create_label_fov" not in asked and asked["resolution"] == width:
                pixels = np.stack([images.image(number) for number in range(len(images))])
                case.compare(f"{name}_images", pixels.transpose(0, 3, 1, 2))
                case.compare(f"{name}_labels", np.stack([images.label(number) for number in range(len(images))]))


@check("pof3d", "dataset")
def dataset(case: Case) -> None:
    compare_with_tool(case)
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
