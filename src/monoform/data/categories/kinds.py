"""What the published sets of photos of one category have in common, and where they lie."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from ...errors import InputError

Layout = Literal["detections", "birds", "srn", "carla"]
Split = Literal["train", "train-eval", "test", "imagenet-test"]
SPLITS: tuple[Split, ...] = ("train", "train-eval", "test", "imagenet-test")


@dataclass(frozen=True)
class Category:
    """A published set (Pavllo et al. 2023, section 4).

    Attributes:
        name: as the authors' programs call it.
        layout: of its files.
        scene_range: half the side of the cube that holds every object, in world units.
        orthographic: whether its cameras are; else perspective.
        flipped: whether poses that are optimized have y, z and the position with the other sign.
        white: whether pictures lie over white; else over the gray in the middle of -1..1, with a mask.
        high_res: whether augmentations start from pictures of twice the size.
        views: pictures of each training object.
        test_views: of each test object; None where there is no test set.
        repeats: whether cameras of the generation metric are a random order of all, as of ImageNet.
    """

    name: str
    layout: Layout
    scene_range: float
    orthographic: bool = False
    flipped: bool = True
    white: bool = False
    high_res: bool = True
    views: int = 1
    test_views: int | None = None
    repeats: bool = False

    @property
    def masked(self) -> bool:
        """Whether pictures have a mask as fourth channel."""
        return not self.white


def _shapenet(name: str) -> Category:
    return Category(name, "srn", 0.55, flipped=False, white=True, high_res=False, views=50, test_views=251)


_ALL = (
    _shapenet("shapenet_cars"),
    _shapenet("shapenet_chairs"),
    Category("p3d_car", "detections", 1.4, test_views=1),
    *(
        Category(f"imagenet_{each}", "detections", 1.4, repeats=True)
        for each in ("car", "airplane", "motorcycle", "zebra", "elephant")
    ),
    Category("cub", "birds", 2.0, orthographic=True, test_views=1),
    Category("carla", "carla", 3.0, flipped=False, white=True),
)
CATEGORIES = {category.name: category for category in _ALL}


def category_named(name: str) -> Category:
    """The published set of a name, or one of one's own in the layout of one: p3d_NAME or imagenet_NAME.

    Raises:
        InputError: there is none.
    """
    for like in ("p3d_car", "imagenet_car"):
        if name not in CATEGORIES and re.fullmatch(f"{like.partition('_')[0]}_[\\w.-]+", name):
            return replace(CATEGORIES[like], name=name)
    if name not in CATEGORIES:
        raise InputError(
            f"There is no category {name!r}: choose one of {', '.join(CATEGORIES)}, or p3d_NAME for one of your own."
        )
    return CATEGORIES[name]
