"""The nouns of captures: photos of one scene with their cameras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from jaxtyping import Float
from torch import Tensor

from ...camera import Camera

CaptureLayout = Literal["transforms", "blender", "llff", "colmap"]
CaptureSplit = Literal["train", "val", "test"]
LAYOUTS: tuple[CaptureLayout, ...] = get_args(CaptureLayout)


@dataclass(frozen=True, eq=False)
class CaptureView:
    """One photo of a capture.

    Attributes:
        name: as the capture calls it.
        image: its file.
        split: what it is for.
        camera: of the pixels as the file stores them, whatever EXIF says.
        mask: file whose white pixels are the ones that count, or None for all.
        moving: file whose pixels that are not black do not count (instant-ngp's dynamic masks), or None.
    """

    name: str
    image: Path
    split: CaptureSplit
    camera: Camera
    mask: Path | None = None
    moving: Path | None = None


@dataclass(frozen=True, eq=False)
class Capture:
    """Photos of one scene.

    Attributes:
        root: folder.
        layout: how it is laid out.
        views: in the order of the files.
        points: of its surfaces, in the world, where the capture has some.
        near_far: nearest and farthest depth of each view, where the capture knows them.
        split_told: whether the capture says what each photo is for.
        left_out: photos that it says are for nothing.
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
        """A summary of the capture, one sentence."""
        sizes = sorted({(view.camera.width, view.camera.height) for view in self.views})
        shown = ", ".join(f"{width} x {height}" for width, height in sizes[:4]) + (" ..." if len(sizes) > 4 else "")
        counts = ", ".join(f"{len(own)} {split}" for split in get_args(CaptureSplit) if (own := self.of_split(split)))
        points = "" if self.points is None else f", {len(self.points)} points"
        masked = sum(view.mask is not None for view in self.views)
        masks = f", {masked} masks (only their white pixels count)" if masked else ""
        moving = sum(view.moving is not None for view in self.views)
        masks += f", {moving} dynamic masks (what they mark does not count)" if moving else ""
        left_out = f" {self.left_out} photos are in none of its lists and left out." if self.left_out else ""
        return f"{self.layout}: {len(self.views)} photos of {shown} pixels ({counts}){masks}{points}.{left_out}"
