"""A capture: photos of one scene with their cameras, in the layouts that other programs write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..camera import Camera
from ..camera.sphere import FARTHEST, nearest_point
from ..errors import InputError
from ..inputs import picture_orientation, picture_size, read_pixels
from ..scene.masks import alpha_says, read_mask

CaptureLayout = Literal["transforms", "blender", "llff", "colmap"]
CaptureSplit = Literal["train", "val", "test"]
LAYOUTS: tuple[CaptureLayout, ...] = get_args(CaptureLayout)
_AGAINST, _UPRIGHT = -0.17, 0.35  # cosine of 100 degrees, sine of 20 degrees
_IN_FRONT = 0.9  # share of the cameras
HELD_OUT = 8  # every eighth view, where a layout knows no split


@dataclass(frozen=True, eq=False)
class CaptureView:
    """One photo of a capture.

    Attributes:
        name: as the capture calls it; image: its file.
        split: what it is for.
        camera: of the pixels as the file stores them, whatever EXIF says.
        mask: file whose white pixels are the ones that count, or None for all.
    """

    name: str
    image: Path
    split: CaptureSplit
    camera: Camera
    mask: Path | None = None


@dataclass(frozen=True, eq=False)
class Capture:
    """Photos of one scene.

    Attributes:
        root: folder; layout: how it is laid out.
        views: in the order of the files.
        points: of its surfaces, in the world, where the capture has some.
        near_far: nearest and farthest depth of each view, where the capture knows them.
        split_told: whether the capture says what each photo is for; left_out: photos that it says are for nothing.
    """

    root: Path
    layout: CaptureLayout
    views: tuple[CaptureView, ...]
    points: Float[Tensor, "n 3"] | None = None
    near_far: Float[Tensor, "v 2"] | None = None
    split_told: bool = False
    left_out: int = 0

    def of_split(self, *splits: CaptureSplit) -> list[CaptureView]:
        """The views of some splits."""
        return [view for view in self.views if view.split in splits]

    def sentence(self) -> str:
        """What there is, for people."""
        sizes = sorted({(view.camera.width, view.camera.height) for view in self.views})
        shown = ", ".join(f"{width} x {height}" for width, height in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
        counts = ", ".join(f"{len(own)} {split}" for split in get_args(CaptureSplit) if (own := self.of_split(split)))
        points = "" if self.points is None else f", {len(self.points)} points"
        masked = sum(view.mask is not None for view in self.views)
        masks = f", {masked} masks (only their white pixels count)" if masked else ""
        left_out = f" {self.left_out} photos are in none of its lists and left out." if self.left_out else ""
        return f"{self.layout}: {len(self.views)} photos of {shown} pixels ({counts}){masks}{points}.{left_out}"


def detect_capture(path: str | Path) -> CaptureLayout | None:
    """The layout of a folder or of a transforms file, by the names of its files; None where it is none of them."""
    path = Path(path)
    if path.suffix.lower() == ".json" or (path / "transforms.json").is_file():
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

    require_size(view)
    pixels = read_pixels(view.image).astype(np.float32) / 255.0
    if pixels.shape[2] == 4 and not alpha_says(np.rint(pixels[..., 3] * 255).astype(np.uint8)):
        pixels = pixels[..., :3]
    if size is None or size == (view.camera.width, view.camera.height):
        return pixels
    if pixels.shape[2] == 4:  # colours are averaged by their alpha: what is transparent has none
        pixels = np.concatenate([pixels[..., :3] * pixels[..., 3:], pixels[..., 3:]], axis=2)
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    if small.shape[2] == 4:
        small[..., :3] = small[..., :3] / np.maximum(small[..., 3:], 1e-6)
    return np.clip(small, 0.0, 1.0)


def read_counted(view: CaptureView, size: tuple[int, int] | None = None) -> Bool[np.ndarray, "h w"] | None:
    """Which pixels count by the view's mask, at (width, height) where that is asked for; None where there is no mask.

    Raises:
        InputError: the mask cannot be read, marks nothing, or has another size than its photo.
    """
    import cv2

    if view.mask is None:
        return None
    own = (view.camera.width, view.camera.height)
    mask = read_mask(view.mask, own, stored_as=picture_orientation(view.image), shown="stored", drawn_on="stored")
    if size is not None and size != own:
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    # Where photos are made smaller, a pixel counts that is not mixed with one that does not.
    return mask > (0.5 if size in (None, own) else 0.99)


def require_size(view: CaptureView) -> None:
    """Refuse a photo that has another size than its camera, by its file's head.

    Raises:
        InputError: it has, or cannot be read.
    """
    found, wanted = picture_size(view.image), (view.camera.width, view.camera.height)
    if found == wanted:
        return
    turned = ""
    if found == wanted[::-1] and picture_orientation(view.image) > 4:
        turned = " (turned by its EXIF, which the cameras of a capture do not see)"
    raise InputError(
        f"The photo {view.image} has {found[0]} x {found[1]} pixels{turned}, its camera {wanted[0]} x {wanted[1]}; "
        "give the photos that the cameras were made for."
    )


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
    upward = torch.cat([-camera.world_from_camera[:, :3, 1] for camera in cameras]).double()
    if capture.near_far is None or faces_inward(position, forward, upward):
        centre = nearest_point(position, forward)[0]
    else:
        centre = _middle(position, forward, capture.near_far)
    depth = ((centre - position) * forward).sum(dim=-1)
    tangent = torch.tensor(
        [0.5 * max(c.width / float(c.intrinsics[0, 0, 0]), c.height / float(c.intrinsics[0, 1, 1])) for c in cameras]
    )
    radius = float((depth * tangent).median())
    if not radius > 0:
        raise InputError(f"The cameras of {capture.root} look at no common place; give centre and radius of the scene.")
    return _triple(centre), radius


def faces_inward(position: Float[Tensor, "v 3"], forward: Float[Tensor, "v 3"], upward: Float[Tensor, "v 3"]) -> bool:
    """Whether cameras stand around what they look at, rather than all on one side of it.

    They do when some look against others, or when they look past their common upward direction from all sides, so that
    the mean camera has no upright; and when what they look at is in front of them.
    """
    middle, up = forward.mean(dim=0), upward.mean(dim=0)
    lengths = float(middle.norm() * up.norm())
    against = float((forward @ forward.T).min()) < _AGAINST
    upright = lengths > 0 and float(torch.linalg.cross(middle, up).norm()) > _UPRIGHT * lengths
    if len(position) < 3 or (upright and not against):
        return False
    depth = ((nearest_point(position, forward)[0] - position) * forward).sum(dim=1)
    return float((depth > 0).double().mean()) > _IN_FRONT


def _middle(position: Tensor, forward: Tensor, near_far: Tensor) -> Tensor:
    """Of forward-facing photos: before their mean camera, at the mean of nearest and farthest in disparity."""
    near, far = near_far.double().mean(dim=0)
    depth = 2.0 / (1.0 / near + 1.0 / far)
    return position.mean(dim=0) + depth * torch.nn.functional.normalize(forward.mean(dim=0), dim=0)


def _triple(values: Tensor) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return (x, y, z)


def _require_usable(view: CaptureView, root: Path) -> None:
    """What single precision leaves of a camera's numbers is still a camera."""
    x, y, z = view.camera.position[0].tolist()
    focal = [float(view.camera.intrinsics[0, axis, axis]) for axis in (0, 1)]
    if not all(1e-3 < value < 1e7 for value in focal):
        raise InputError(
            f"{root}: {view.name} has the focal lengths {focal[0]:g}, {focal[1]:g} pixels; write it again."
        )
    if not max(abs(x), abs(y), abs(z)) < FARTHEST:
        raise InputError(f"{root}: the camera of {view.name} is at {x:g}, {y:g}, {z:g}; scale the positions.")


def _with_split(capture: Capture) -> Capture:
    if not capture.views:
        raise InputError(f"{capture.root} names no photo.")
    for view in capture.views:
        _require_usable(view, capture.root)
    if not capture.of_split("train"):
        raise InputError(f"{capture.root} has no photo to train on; its split names none.")
    told = capture.split_told or len({view.split for view in capture.views}) > 1
    if told or len(capture.views) < HELD_OUT:
        return capture
    views: Sequence[CaptureView] = [
        replace(view, split="test") if number % HELD_OUT == HELD_OUT - 1 else view
        for number, view in enumerate(capture.views)
    ]
    return replace(capture, views=tuple(views))
