"""pixelNeRF's data half against its golden cases: readers, augmentation, normalised photos."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from tests.parity.parity_case import Case
from tests.parity.parity_checks import check

from monoform.camera import to_integer_centres, to_opengl, z_up_from_y_up
from monoform.data.color_jitter import ColorChange, changed_colors
from monoform.data.dtu import DtuObjects
from monoform.data.dvr import SEEN, UNSEEN, DvrObjects
from monoform.data.posed import PosedObject, PosedObjects
from monoform.data.srn import SrnObjects
from monoform.data.two_object import TwoObjectScenes
from monoform.methods.pixelnerf.photos import PhotoFrame, framed_pixels, outline_ellipse, square_around

TOLERANCE = 1e-6
SCALED = 1.5  # the world scale of the small items


@dataclass(frozen=True)
class Opened:
    """A reader of a case's files, in the size of a golden item."""

    objects: PosedObjects
    root: Path
    height: int


@contextmanager
def files_of(case: Case) -> Iterator[Path]:
    """The bytes of a case as a folder."""
    with tempfile.TemporaryDirectory() as name:
        for key in [key for key in case.arrays if key.startswith("file/")]:
            file = Path(name) / key.removeprefix("file/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(case.array(key).tobytes())
        yield Path(name)


def items_of(case: Case) -> list[str]:
    """The groups that are items, in order."""
    return [group for group in case.groups() if f"{group}/images" in case.arrays]


def size_of(case: Case, group: str) -> tuple[int, int]:
    height, width = case.arrays[f"{group}/images"].shape[-2:]
    return height, width


def compare_item(
    case: Case, group: str, item: PosedObject, folder: Path, root: Path, *, z_up: bool, tolerance: float
) -> None:
    """Every array of a published item, from one of ours turned back into the published conventions."""
    poses = to_opengl(item.cameras.world_from_camera)
    intrinsics = to_integer_centres(item.cameras.intrinsics.double())
    assert bool((intrinsics == intrinsics[:1]).all()), "one focal length for all views"
    focal, centre = intrinsics[0, (0, 1), (0, 1)], intrinsics[0, :2, 2]
    ours = {
        "images": item.images.movedim(-1, 1) * 2 - 1,
        "poses": z_up_from_y_up(poses) if z_up else poses,
        "focal": focal if case.arrays[f"{group}/focal"].ndim else focal[0].reshape(()),
        "c": centre,
        "masks": None if item.masks is None else item.masks[:, None],
        "bbox": None if item.boxes is None else published_boxes(item),
        "path": np.array(folder.relative_to(root).as_posix()),
    }
    golden = {name.split("/")[1] for name in case.arrays if name.startswith(f"{group}/")}
    for name, values in ours.items():
        if name in golden:
            assert values is not None, f"{group}: the reader gives no {name}"
            case.compare(f"{group}/{name}", values, atol=tolerance, rtol=TOLERANCE)
    absent = {"masks", "bbox"} - golden
    assert all(ours[name] is None for name in absent), f"{group}: the reader gives {absent}, the published one does not"
    if "c" not in golden:
        side = torch.tensor([item.cameras.width, item.cameras.height]).double()
        torch.testing.assert_close(centre, 0.5 * side)


def published_boxes(item: PosedObject) -> torch.Tensor:
    """Ours end in the last pixel; the published whole-image box of an empty view reaches one further."""
    boxes = item.boxes.clone()
    empty = item.masks.flatten(1).amax(dim=1) == 0
    boxes[empty, 2:] += 1
    return boxes


def compare_bounds(case: Case, objects: PosedObjects) -> None:
    golden = case.arrays["near_far"]
    case.compare("near_far", np.array([objects.near, objects.far]).astype(golden.dtype))


@check("pixelnerf", "data_srn")
def data_srn(case: Case) -> None:
    """Items are numbered; those that are smaller than their files have the world scaled too."""
    config = case.manifest["config"]
    with files_of(case) as root:
        for group in items_of(case):
            size, number = size_of(case, group), int(re.search(r"\d+$", group)[0])
            scale = SCALED if group.startswith("small") else 1.0
            objects = SrnObjects(root / config["datadir"], config["split"], size=size, world_scale=scale)
            folder = objects.folder(number)
            compare_item(case, group, objects[number], folder, root, z_up=True, tolerance=TOLERANCE)
            if "near_far" not in case.deviations:
                compare_bounds(case, objects)


@check("pixelnerf", "data_dvr")
def data_dvr(case: Case) -> None:
    split = case.manifest["config"]["split"]
    with files_of(case) as root:
        for group in items_of(case):
            objects = DvrObjects(root, split, size=size_of(case, group))
            name = group.removesuffix("_small")
            item, folder = objects[name], objects.folder(name)
            compare_item(case, group, item, folder, root, z_up=True, tolerance=1e-5)
        compare_bounds(case, DvrObjects(root, split, lists=SEEN))
        unseen = DvrObjects(root, split, lists=UNSEEN)
        case.compare("gen_objs", np.array(unseen.keys))
        assert len(DvrObjects(root, split)) == len({group.removesuffix("_small") for group in items_of(case)})


@check("pixelnerf", "data_dtu")
def data_dtu(case: Case) -> None:
    with files_of(case) as root:
        objects = DtuObjects(root, case.manifest["config"]["split"])
        for group in items_of(case):
            item, folder = objects[group], objects.folder(group)
            compare_item(case, group, item, folder, root, z_up=False, tolerance=1e-4)
        compare_bounds(case, objects)


@check("pixelnerf", "data_multi_obj")
def data_multi_obj(case: Case) -> None:
    with files_of(case) as root:
        objects = TwoObjectScenes(root, case.manifest["config"]["split"])
        assert list(objects.keys) == sorted(items_of(case))
        for group in items_of(case):
            item, folder = objects[group], objects.folder(group)
            compare_item(case, group, item, folder, root, z_up=True, tolerance=TOLERANCE)
        compare_bounds(case, objects)


@check("pixelnerf", "color_jitter")
def color_jitter(case: Case) -> None:
    hue, saturation, brightness, contrast = case.array("factors").tolist()
    images = (0.5 + 0.5 * case.tensor("images")).movedim(1, -1)
    ours = changed_colors(images, ColorChange(hue, saturation, brightness, contrast))
    case.compare("jittered", 2 * ours.movedim(-1, 1) - 1, atol=1e-4)


@check("pixelnerf", "preproc")
def preproc(case: Case) -> None:
    """The pictures are framed by the golden ellipse, so that another fit is not counted twice."""
    frames = {"default": PhotoFrame(), "const": PhotoFrame(64, 3.0, 1.1)}
    for name in [name for name in case.groups() if name.startswith("image")]:
        number = name.removeprefix("image")
        rgb, mask = case.array(name), case.array(f"mask{number}")
        golden = case.arrays[f"ellipse{number}"]
        case.compare(f"ellipse{number}", np.array(outline_ellipse(mask, largest=False)), atol=0.05)
        for kind, frame in frames.items():
            if f"{kind}{number}" in case:
                square = square_around(tuple(golden.tolist()), frame)
                compare_picture(case, f"{kind}{number}", framed_pixels(rgb, mask, square, frame))


def compare_picture(case: Case, name: str, ours: np.ndarray) -> None:
    """Exact with the same OpenCV; with another, 99 of 100 values must lie within 2."""
    if cv2.__version__ == case.manifest["config"]["opencv"]:
        case.compare(name, ours)
        return
    assert ours.shape == case.arrays[name].shape, name
    difference = np.abs(ours.astype(int) - case.arrays[name].astype(int))
    assert np.mean(difference <= 2) >= 0.99, f"{name}: {np.mean(difference > 2):.2%} differ by more than 2"
    case.deviations[name] = float(difference.max())
