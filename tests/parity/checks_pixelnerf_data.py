"""pixelNeRF's data half against its golden cases: readers, augmentation, normalised photos."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from tests.parity.parity_case import Case, Fields
from tests.parity.parity_checks import check

from monoform.camera import to_integer_centers, to_opengl, z_up_from_y_up
from monoform.data.objects.color_jitter import ColorChange, changed_colors
from monoform.data.posed.dtu import DtuObjects
from monoform.data.posed.dvr import DvrObjects
from monoform.data.posed.objects import PosedObject, PosedObjects
from monoform.data.posed.srn import SrnObjects
from monoform.data.posed.two_object import TwoObjectScenes
from monoform.methods.pixelnerf.photos import PhotoFrame, framed_pixels, outline_ellipse, square_around


@contextmanager
def files_of(case: Case) -> Iterator[Path]:
    """The bytes of a case as a folder."""
    with tempfile.TemporaryDirectory() as name:
        for key in case.names("file/"):
            file = Path(name) / key.removeprefix("file/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(case.array(key).tobytes())
        yield Path(name)


Open = Callable[[Fields, tuple[int, int] | None], PosedObjects]


def compare_items(case: Case, root: Path, opened: Open, *, z_up: bool) -> None:
    """The items that the manifest names; their readers are opened in the size that it asks for."""
    for group, options in case.config["items"].items():
        size = options["image_size"]
        objects = opened(options, None if size is None else tuple(size))
        compare_item(case, group, objects, which_of(objects, options, root), root, z_up=z_up)


def which_of(objects: PosedObjects, options: Fields, root: Path) -> int | str:
    """An item's number where the manifest has one, otherwise the object that lies where it says."""
    if "index" in options:
        return options["index"]
    found = [key for key in objects.keys if objects.folder(key) == root / options["object"]]
    assert len(found) == 1, f"{options.where}: the reader finds {len(found)} objects at {options['object']}"
    return found[0]


def compare_item(case: Case, group: str, objects: PosedObjects, which: int | str, root: Path, *, z_up: bool) -> None:
    """Every array of a published item, from one of ours turned back into the published conventions."""
    item, folder = objects[which], objects.folder(which)
    poses = to_opengl(item.cameras.world_from_camera)
    intrinsics = to_integer_centers(item.cameras.intrinsics)
    assert bool((intrinsics == intrinsics[:1]).all()), "one focal length for all views"
    focal, center = intrinsics[0, (0, 1), (0, 1)], intrinsics[0, :2, 2]
    ours = {
        "images": item.images.movedim(-1, 1) * 2 - 1,
        "poses": z_up_from_y_up(poses) if z_up else poses,
        "focal": focal if case.arrays[f"{group}/focal"].ndim else focal[0].reshape(()),
        "c": center,
        "masks": None if item.masks is None else item.masks[:, None],
        "bbox": None if item.boxes is None else published_boxes(item),
        "path": np.array(folder.relative_to(root).as_posix()),
    }
    golden = {name.split("/")[1] for name in case.names(f"{group}/")}
    for name, values in ours.items():
        if name in golden:
            assert values is not None, f"{group}: the reader gives no {name}"
            case.compare(f"{group}/{name}", values)
    absent = {"masks", "bbox"} - golden
    assert all(ours[name] is None for name in absent), f"{group}: the reader gives {absent}, the published one does not"
    if "c" not in golden:
        side = torch.tensor([item.cameras.width, item.cameras.height]).to(center)
        torch.testing.assert_close(center, 0.5 * side)


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
    data, split = case.config["datadir"], case.config["split"]
    with files_of(case) as root:

        def opened(options: Fields, size: tuple[int, int] | None) -> SrnObjects:
            return SrnObjects(root / data, split, size=size, world_scale=float(options["world_scale"]))

        compare_items(case, root, opened, z_up=True)
        compare_bounds(case, SrnObjects(root / data, split, size=None))


@check("pixelnerf", "data_dvr")
def data_dvr(case: Case) -> None:
    split, prefixes = case.config["split"], case.config["list_prefix"]
    with files_of(case) as root:

        def opened(options: Fields, size: tuple[int, int] | None) -> DvrObjects:
            options.one_of("world_scale", 1.0)
            return DvrObjects(root, split, size=size, lists=prefixes["items"])

        compare_items(case, root, opened, z_up=True)
        compare_bounds(case, DvrObjects(root, split, lists=prefixes["items"]))
        if "gen_objs" in case:
            case.compare("gen_objs", np.array(DvrObjects(root, split, lists=prefixes["gen_objs"]).keys))


@check("pixelnerf", "data_dtu")
def data_dtu(case: Case) -> None:
    case.config.one_of("list_prefix", "new_")
    with files_of(case) as root:

        def opened(options: Fields, size: tuple[int, int] | None) -> DtuObjects:
            options.one_of("world_scale", 1.0)
            return DtuObjects(root, case.config["split"], size=size)

        compare_items(case, root, opened, z_up=False)
        compare_bounds(case, DtuObjects(root, case.config["split"]))


@check("pixelnerf", "data_multi_obj")
def data_multi_obj(case: Case) -> None:
    with files_of(case) as root:

        def opened(options: Fields, size: tuple[int, int] | None) -> TwoObjectScenes:
            options.one_of("world_scale", 1.0)
            return TwoObjectScenes(root, case.config["split"], size=size)

        compare_items(case, root, opened, z_up=True)
        compare_bounds(case, TwoObjectScenes(root, case.config["split"]))


@check("pixelnerf", "color_jitter")
def color_jitter(case: Case) -> None:
    case.config.one_of("applied", ["saturation", "hue", "contrast", "brightness"])
    case.config.one_of("grey", [0.2989, 0.587, 0.114])
    change = ColorChange(**dict(zip(case.config["factors"], case.array("factors").tolist(), strict=True)))
    ours = changed_colors((0.5 + 0.5 * case.tensor("images")).movedim(1, -1), change)
    case.compare("jittered", 2 * ours.movedim(-1, 1) - 1)


@check("pixelnerf", "preproc")
def preproc(case: Case) -> None:
    """The pictures are framed by the golden ellipse, so that another fit is not counted twice."""
    largest = case.config.one_of("contour", "first", "largest") == "largest"
    for name in case.names("image"):
        number = name.removeprefix("image")
        rgb, mask = case.array(name), case.array(f"mask{number}")
        golden = case.arrays[f"ellipse{number}"]
        case.compare(f"ellipse{number}", np.array(outline_ellipse(mask, largest=largest)))
        for kind, options in case.config.items():
            if f"{kind}{number}" in case:
                options.one_of("border", "replicate", "white")  # white is seen beyond the photo with either
                frame = PhotoFrame(options["size"], float(options["scale"]), float(options["major_scale"]))
                square = square_around(tuple(golden.tolist()), frame)
                case.compare(f"{kind}{number}", framed_pixels(rgb, mask, square, frame))
