"""Photos of one category and their cameras: what every reader of such a set gives, one picture at a time."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...inputs.remote import AnyPath
from .kinds import Category, Split

NO_LABEL = -1
FARTHEST = 1e6  # of a camera from the object, in units of the world; and focal lengths in widths


@dataclass(frozen=True, eq=False)
class CategoryPhoto:
    """One picture.

    Attributes:
        name: of the photo.
        image: sRGB -1..1; where the set has masks times the mask, which is the fourth channel, 0..1.
        camera: one, of the picture's pixels; None where the pose is not known.
        box: lower left corner and size of the picture in units -1..1, y up, of the whole photo in its square.
        label: class, or -1.
        mirrored: whether left and right are exchanged.
    """

    name: str
    image: Float[Tensor, "c s s"]
    camera: Camera | None
    box: Float[Tensor, "2 2"]
    label: int
    mirrored: bool


@dataclass(frozen=True, eq=False)
class Poses:
    """Cameras of all photos, without pictures. World axes are the set's own; camera axes are ours.

    Attributes:
        world_from_camera: rigid.
        focal: focal length over the width of the whole photo in its square; of orthographic cameras half a width over
            the world units that it shows, as a picture of units -1..1 has it.
        orthographic: whether all are.
    """

    world_from_camera: Float[Tensor, "n 4 4"]
    focal: Float[Tensor, " n"]
    orthographic: bool

    def __len__(self) -> int:
        return len(self.focal)

    def checked(self, source: object) -> Poses:
        """The same, where every camera is one that could take photos.

        Raises:
            InputError: one is not; the sentence begins with the source.
        """
        place = self.world_from_camera[:, :3, 3].abs().amax(dim=1)
        usable = (place < FARTHEST) & (self.focal > 1 / FARTHEST) & (self.focal < FARTHEST)
        usable &= torch.isfinite(self.world_from_camera).flatten(1).all(dim=1)
        if not bool(usable.all()):
            number = int((~usable).nonzero()[0])
            raise InputError(
                f"{source}: camera {number} lies {float(place[number]):.3g} away and has the focal length "
                f"{float(self.focal[number]):.3g}, in units of the world and of the picture's width; correct it."
            )
        return self

    def cameras(self, size: int, chosen: slice = slice(None)) -> Camera:
        """Cameras of whole photos of `size` x `size` pixels, whose rays go through the corners of pixels as published.

        In our pixels, whose centers lie at +0.5, that is a principal point half a pixel to the right and below.
        """
        focal = self.focal[chosen] * (0.5 * size if self.orthographic else size)
        intrinsics = torch.zeros(len(focal), 3, 3).to(focal)
        intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = focal
        intrinsics[:, :2, 2] = 0.5 * size + 0.5
        intrinsics[:, 2, 2] = 1.0
        model = "orthographic" if self.orthographic else "pinhole"
        return Camera(self.world_from_camera[chosen], intrinsics, size, size, model)

    @property
    def up(self) -> tuple[float, float, float]:
        """The axis of the world that is most nearly above in the mean photo: what stands upright has it."""
        mean = -self.world_from_camera[:, :3, 1].mean(dim=0)
        axis = int(mean.abs().argmax())
        unit = [0.0, 0.0, 0.0]
        unit[axis] = 1.0 if mean[axis] > 0 else -1.0
        return unit[0], unit[1], unit[2]


class CategoryPhotos(ABC):
    """A split of a set of photos; nothing is decoded before it is asked for.

    Attributes:
        category: which set.
        split: "train" holds whole photos, then their mirror images; the others photos cropped to the object.
        crop: whether they are cropped.
        margin: of the crop, a share of the object's box.
        names: of the photos, paths below the set's folder.
        labels: classes, -1 where there are none; with the mirror images.
        poses: with those of the mirror images; None where they are not known.
        views_per_object: so many in a row show one object; None where objects have different numbers.
    """

    names: Sequence[str]
    labels: Int64[Tensor, " n"]
    poses: Poses | None
    views_per_object: int | None = 1

    def __init__(
        self,
        category: Category,
        split: Split,
        *,
        crop: bool | None = None,
        mirrored: bool | None = None,
        margin: float | None = None,
    ) -> None:
        from .squares import MARGIN

        self.category, self.split = category, split
        self.crop = split != "train" if crop is None else crop
        self.has_mirrored = split == "train" if mirrored is None else mirrored
        self.margin = MARGIN if margin is None else margin

    def __len__(self) -> int:
        return len(self.names) * (2 if self.has_mirrored else 1)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    @property
    def classes(self) -> int:
        """Number of classes; 0 where photos have none."""
        return int(self.labels.max()) + 1

    @functools.cached_property
    def focals(self) -> Float[Tensor, " n"]:
        """Focal lengths over widths, of photos whose pose is known."""
        return torch.ones(0) if self.poses is None else self.poses.focal

    def photo(self, number: int, size: int) -> CategoryPhoto:
        """A picture of `size` x `size` pixels.

        Raises:
            InputError: the photo is missing or damaged, or not of the size that its mask has.
        """
        if not 0 <= number < len(self):
            raise IndexError(f"There is no photo number {number}; there are {len(self)}.")
        if size < 1:
            raise InputError(f"A size of {size} pixels was asked for; it must be at least 1.")
        place, mirrored = number % len(self.names), number >= len(self.names)
        image, box = self._picture(place, size, mirrored), self.box(number)
        camera = None
        if self.poses is not None:
            camera = _windowed(self.poses.cameras(size, slice(number, number + 1)), box)
        return CategoryPhoto(self.names[place], image, camera, box, int(self.labels[number]), mirrored)

    def box(self, number: int) -> Float[Tensor, "2 2"]:
        """What part of the whole photo a picture is, as in `CategoryPhoto`; nothing is decoded for it."""
        del number
        return torch.tensor(WHOLE)

    def images(self, numbers: Sequence[int], size: int) -> Float[Tensor, "b c s s"]:
        """Several pictures."""
        return torch.stack([self.photo(number, size).image for number in numbers])

    @abstractmethod
    def _picture(self, place: int, size: int, mirrored: bool) -> Float[Tensor, "c s s"]:
        """A photo's pixels."""


WHOLE = ((-1.0, -1.0), (2.0, 2.0))


def _windowed(camera: Camera, box: Float[Tensor, "2 2"]) -> Camera:
    """The camera of a part of a photo, which has as many pixels as the whole would have."""
    if camera.model == "orthographic" or box.tolist() == [list(row) for row in WHOLE]:
        return camera
    (x0, y0), (width, height) = box.tolist()
    size = camera.width
    intrinsics = camera.intrinsics.clone()
    intrinsics[:, 0, 0] *= 2 / width
    intrinsics[:, 1, 1] *= 2 / height
    intrinsics[:, 0, 2] = -x0 / width * size + 0.5
    intrinsics[:, 1, 2] = (height + y0) / height * size + 0.5
    return replace(camera, intrinsics=intrinsics)


def inside(root: AnyPath, name: str, source: AnyPath) -> AnyPath:
    """A file that a list of the set names, below the set's folder.

    Raises:
        InputError: the name leads out of the folder.
    """
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name.startswith(("/", "\\")) or ":" in name or "\0" in name or not name:
        raise InputError(f"{source} names the photo {name[:80]!r}, which lies outside of {root}: correct the name.")
    return root / "/".join(part for part in parts if part not in ("", "."))
