"""What trainings of bootstrapped inversion learn from: photos of a category, their cameras and classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ...data.categories import CategoryPhotos
from ...errors import InputError
from ...training.randomness import seed_for
from .config import Scene
from .estimate_pose import focal_guesses
from .evaluated_cameras import published_poses
from .pose_parameters import perturbed_poses
from .steps import Views

LARGEST_KEPT = 2**31
"""Bytes of pictures that are kept once they are read."""
PERTURBED = 1234
"""Seed of disturbed cameras, as published."""
SAMPLES = 256
"""Cameras that the weights keep of the training set."""


class TrainingPhotos:
    """Photos by number, in an endless order that depends on nothing but the seed; and all their cameras.

    Args:
        photos: the split `train` of a category, with mirror images where it has them.
        size: of the pictures in pixels.
        channels: of them, 3 for the colors alone.
        seed: of the order.
        classes: that are told; 0 for none.
        perturb: mean error of the cameras in degrees; each stands for that of another photo.

    Raises:
        InputError: photos have no cameras, or classes other than those that are told.
    """

    def __init__(
        self,
        photos: CategoryPhotos,
        *,
        size: int,
        channels: int,
        seed: int = 0,
        classes: int = 0,
        perturb: float = 0.0,
    ) -> None:
        self.photos, self.size, self.channels, self.seed = photos, size, channels, seed
        self.views = views_of(photos, classes, perturb)
        self._most = LARGEST_KEPT // (4 * channels * size**2)
        self._kept: dict[int, Tensor] = {}
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    def __len__(self) -> int:
        return len(self.photos)

    def images(self, numbers: Sequence[int]) -> Float[Tensor, "n c s s"]:
        """Pictures -1..1, with the mask as a fourth channel where there are four."""
        return torch.stack([self._image(number) for number in numbers])

    def following(self, first: int, count: int) -> list[int]:
        """So many numbers from a place of the endless order on: all photos shuffled, then all of them again."""
        return [self._at(place) for place in range(first, first + count)]

    def spread(self, count: int) -> list[int]:
        """Numbers of so many photos that are not mirrored, or of all of these, evenly over the set."""
        own = len(self.photos.names)
        count = min(count, own)
        return [number * own // count for number in range(count)]

    def scene(self, half_side: float) -> Scene:
        """What a generator of these photos must know beside its weights.

        Args:
            half_side: of the cube around the objects, world units.
        """
        category = self.photos.category
        some = self.views.chosen(torch.randperm(len(self), generator=torch.Generator().manual_seed(0))[:SAMPLES])
        return Scene(
            half_side,
            "orthographic" if category.orthographic else "perspective",
            category.flipped,
            category.white,
            () if self.views.focal is None else tuple(focal_guesses(self.views.focal).tolist()),
            tuple(tuple(pose) for pose in some.world_from_camera.flatten(1).tolist()),
            () if some.focal is None else tuple(some.focal.tolist()),
        )

    def _at(self, place: int) -> int:
        round_, within = divmod(place, len(self))
        if self._order[0] != round_:
            draw = torch.Generator().manual_seed(seed_for(self.seed, "order", round_))
            self._order = round_, torch.randperm(len(self), generator=draw)
        return int(self._order[1][within])

    def _image(self, number: int) -> Tensor:
        found = self._kept.get(number)
        if found is None:
            found = self.photos.photo(number, self.size).image[: self.channels]
            if len(self._kept) < self._most:
                self._kept[number] = found
        return found


def views_of(photos: CategoryPhotos, classes: int = 0, perturb: float = 0.0) -> Views:
    """Cameras of all photos as whole, and their classes where these are told; see `TrainingPhotos`."""
    if photos.poses is None or not len(photos):
        raise InputError(f"{photos.category.name} {photos.split} has no cameras to train on: give a set that has.")
    matrices, focal = published_poses(photos.poses, range(len(photos)))
    labels = None
    if classes:
        labels = photos.labels
        if not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            told = f"classes {int(labels.min())} to {int(labels.max())}" if int(labels.max()) >= 0 else "no classes"
            raise InputError(
                f"{photos.category.name} has {told}, and network.classes is {classes}: give {photos.classes}."
            )
    views = Views(matrices, focal, labels)
    if perturb <= 0:
        return views
    draws = torch.rand(len(views), generator=torch.Generator().manual_seed(PERTURBED))
    other = views.chosen(perturbed_poses(matrices, perturb, draws))
    return Views(other.world_from_camera, other.focal, labels)
