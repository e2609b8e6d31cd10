"""A capture: photos of one scene with their cameras, in the layouts that other programs write."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..camera import Camera
from ..errors import InputError

CaptureLayout = Literal["transforms", "blender", "llff", "colmap"]
CaptureSplit = Literal["train", "val", "test"]
LAYOUTS: tuple[CaptureLayout, ...] = get_args(CaptureLayout)
SUFFIXES = (".png", ".jpg", ".jpeg", ".PNG", ".JPG", ".JPEG")
HELD_OUT = 8  # every eighth view, where a layout knows no split


@dataclass(frozen=True, eq=False)
class CaptureView:
    """One photo of a capture.

    Attributes:
        name: as the capture calls it; image: its file.
        split: what it is for.
        camera: in pixels of the file.
    """

    name: str
    image: Path
    split: CaptureSplit
    camera: Camera


@dataclass(frozen=True, eq=False)
class Capture:
    """Photos of one scene.

    Attributes:
        root: folder; layout: how it is laid out.
        views: in the order of the files.
        points: of its surfaces, in the world, where the capture has some.
        near_far: nearest and farthest depth of each view, where the capture knows them.
    """

    root: Path
    layout: CaptureLayout
    views: tuple[CaptureView, ...]
    points: Float[Tensor, "n 3"] | None = None
    near_far: Float[Tensor, "v 2"] | None = None

    def of_split(self, *splits: CaptureSplit) -> list[CaptureView]:
        """The views of some splits."""
        return [view for view in self.views if view.split in splits]

    def sentence(self) -> str:
        """What there is, for people."""
        sizes = sorted({(view.camera.width, view.camera.height) for view in self.views})
        shown = ", ".join(f"{width} x {height}" for width, height in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
        counts = ", ".join(f"{len(own)} {split}" for split in get_args(CaptureSplit) if (own := self.of_split(split)))
        points = "" if self.points is None else f", {len(self.points)} points"
        return f"{self.layout}: {len(self.views)} photos of {shown} pixels ({counts}){points}."


def detect_capture(path: str | Path) -> CaptureLayout | None:
    """The layout of a folder or of a transforms file, by the names of its files; None where it is none of them."""
    path = Path(path)
    if path.suffix == ".json" or (path / "transforms.json").is_file():
        return "transforms"
    if (path / "transforms_train.json").is_file():
        return "blender"
    if (path / "poses_bounds.npy").is_file():
        return "llff"
    from .capture_colmap import colmap_folder

    return "colmap" if colmap_folder(path) is not None else None


def open_capture(
    path: str | Path,
    layout: CaptureLayout | Literal["auto"] = "auto",
    *,
    up: Literal["auto", "y", "z"] = "auto",
) -> Capture:
    """Read the cameras of a capture; its photos are looked for, not read.

    Where a layout knows no split, every eighth view is for testing.

    Args:
        path: folder, or a transforms.json.
        up: the axis that points up in the files' world; auto takes the one that the photos' upper edges point along.
            Of colmap, whose world has no upright, auto turns it so that these point along y.

    Raises:
        InputError: no such layout, a file is missing or damaged, or a photo is not where it should be.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no folder {path}; check the path.")
    found = detect_capture(path) if layout == "auto" else layout
    if found is None:
        raise InputError(
            f"{path} is no capture that can be read: it has neither transforms.json, nor transforms_train.json "
            "(blender), nor poses_bounds.npy (llff), nor a folder sparse/0 with cameras and images (colmap)."
        )
    if found == "llff":
        from .llff import open_llff

        capture = open_llff(path)
    elif found == "colmap":
        from .capture_colmap import open_colmap

        capture = open_colmap(path, upright=up == "auto")
    else:
        from .capture_json import open_blender, open_transforms

        capture = open_blender(path, up) if found == "blender" else open_transforms(path, up)
    return _with_split(capture)


def read_image(view: CaptureView, size: tuple[int, int] | None = None) -> Float[np.ndarray, "h w c"]:
    """Colours 0..1, and alpha where the file has it, averaged down to (width, height) where that is asked for.

    Raises:
        InputError: the file cannot be read, or has another size than its camera.
    """
    import cv2

    try:
        with Image.open(view.image) as opened:
            transparent = opened.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info
            pixels = np.asarray(opened.convert("RGBA" if transparent else "RGB"), np.float32) / 255.0
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"The photo {view.image} cannot be read; write it again as PNG or JPEG.") from error
    if pixels.shape[1::-1] != (view.camera.width, view.camera.height):
        raise InputError(
            f"The photo {view.image} has {pixels.shape[1]} x {pixels.shape[0]} pixels, its camera "
            f"{view.camera.width} x {view.camera.height}; give the photos that the cameras were made for."
        )
    if size is None or size == (view.camera.width, view.camera.height):
        return pixels
    if pixels.shape[2] == 4:  # colours are averaged by their alpha: what is transparent has none
        pixels = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=2)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if small.shape[2] == 4:
        small[..., :3] = small[..., :3] / np.maximum(small[..., 3:], 1e-6)
    return np.clip(small, 0.0, 1.0)


def find_image(root: Path, name: str) -> Path:
    """The file of a photo that is named with or without its ending.

    Raises:
        InputError: there is none.
    """
    given = root / name
    for file in (given, *(given.parent / f"{given.name}{suffix}" for suffix in SUFFIXES)):
        if file.is_file():
            return file
    raise InputError(f"There is no photo {given} (nor with .png or .jpg); check the names in the file of cameras.")


def image_size(file: Path) -> tuple[int, int]:
    """(width, height) in pixels, from the file's head."""
    try:
        with Image.open(file) as opened:
            return opened.size
    except (OSError, SyntaxError) as error:
        raise InputError(f"The photo {file} cannot be read; write it again as PNG or JPEG.") from error


def read_json(file: Path) -> dict[str, Any]:
    """An object of named fields.

    Raises:
        InputError: the file is missing or no such JSON.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"There is no file {file}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{file} cannot be read as JSON; write it again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{file} holds no object with named fields; write it again.")
    return content


def content_sphere(capture: Capture) -> tuple[tuple[float, float, float], float]:
    """Centre and radius of what a capture shows, in the world.

    Of its points all but the outermost hundredth; without points, around the place that the cameras look at, what the
    longer side of the middle one of the photos shows there.
    """
    if capture.points is not None and len(capture.points) >= 100:
        low, high = torch.quantile(capture.points.float(), torch.tensor([0.005, 0.995]), dim=0)
        centre = 0.5 * (low + high)
        distance = (capture.points - centre).norm(dim=-1)
        return _triple(centre), float(torch.quantile(distance, 0.99))
    cameras = [view.camera for view in capture.views]
    position = torch.cat([camera.position for camera in cameras]).double()
    forward = torch.cat([camera.world_from_camera[:, :3, 2] for camera in cameras]).double()
    centre = looked_at(position, forward) if capture.near_far is None else _middle(position, forward, capture.near_far)
    depth = ((centre - position) * forward).sum(dim=-1)
    tangent = torch.tensor(
        [0.5 * max(c.width / float(c.intrinsics[0, 0, 0]), c.height / float(c.intrinsics[0, 1, 1])) for c in cameras]
    )
    radius = float((depth * tangent).median())
    if not radius > 0:
        raise InputError(f"The cameras of {capture.root} look at no common place; give centre and radius of the scene.")
    return _triple(centre), radius


def looked_at(position: Float[Tensor, "v 3"], forward: Float[Tensor, "v 3"]) -> Float[Tensor, " 3"]:
    """The point nearest to all optical axes in the sense of least squares."""
    across = torch.eye(3).to(forward) - forward[:, :, None] * forward[:, None, :]
    return torch.linalg.lstsq(across.mean(dim=0), (across @ position[:, :, None]).mean(dim=0)).solution[:, 0]


def _middle(position: Tensor, forward: Tensor, near_far: Tensor) -> Tensor:
    """Of forward-facing photos: before their mean camera, at the mean of nearest and farthest in disparity."""
    near, far = near_far.double().mean(dim=0)
    depth = 2.0 / (1.0 / near + 1.0 / far)
    return position.mean(dim=0) + depth * torch.nn.functional.normalize(forward.mean(dim=0), dim=0)


def _triple(values: Tensor) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return (x, y, z)


def _with_split(capture: Capture) -> Capture:
    if not capture.views:
        raise InputError(f"{capture.root} names no photo.")
    if not capture.of_split("train"):
        raise InputError(f"{capture.root} has no photo to train on; its split names none.")
    if len({view.split for view in capture.views}) > 1 or len(capture.views) < HELD_OUT:
        return capture
    views: Sequence[CaptureView] = [
        replace(view, split="test") if number % HELD_OUT == HELD_OUT - 1 else view
        for number, view in enumerate(capture.views)
    ]
    return replace(capture, views=tuple(views))
