"""Objects seen by known cameras: what every reader of a published data set gives, and how it is asked."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from ...inputs.remote import AnyPath


@dataclass(frozen=True, eq=False)
class PosedObject:
    """Some views of one object or scene, in the order in which they were asked for.

    Attributes:
        name: of the object in its category.
        category: may be empty.
        views: their positions in the object's list of views.
        images: sRGB 0..1, over `background` where the data set composites.
        cameras: one for each view, in our conventions: axes x right, y down, z forward, world Y up, centres at +0.5.
        masks: share of each pixel that the object covers, 0..1, or None.
        boxes: (first column, first row, last column, last row) of the object in pixels, inclusive, or None; the whole
            image where the object is not in view.
        near: least distance along unit rays, in world units.
        far: largest distance along unit rays, in world units.
        background: grey value 0..1 of what is not object.
    """

    name: str
    category: str
    views: tuple[int, ...]
    images: Float[Tensor, "v h w 3"]
    cameras: Camera
    masks: Float[Tensor, "v h w"] | None
    boxes: Float[Tensor, "v 4"] | None
    near: float
    far: float
    background: float

    def __len__(self) -> int:
        return len(self.views)

    @property
    def key(self) -> str:
        """ "category/name", or the name alone where there is no category."""
        return f"{self.category}/{self.name}" if self.category else self.name


@dataclass(frozen=True)
class Place:
    """Where an object of a data set lies.

    Attributes:
        folder: of the object.
        name: of the object in its category.
        category: of the object; may be empty.
    """

    folder: AnyPath
    name: str
    category: str = ""

    @property
    def key(self) -> str:
        """ "category/name", or the name alone where there is no category."""
        return f"{self.category}/{self.name}" if self.category else self.name


class PosedObjects(ABC):
    """A data set of posed objects, sorted by category and name; nothing is decoded before it is asked for.

    Objects are asked for by position, by "category/name", or by a name that only one category has.

    Attributes:
        near: least distance along unit rays, in world units.
        far: largest distance along unit rays, in world units.
        background: grey value 0..1.
        skipped: objects that are in the folder but cannot be used, with the reason.
    """

    near: float
    far: float
    background: float = 1.0
    skipped: Mapping[str, str] = MappingProxyType({})

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = tuple(sorted(places, key=lambda place: (place.category, place.name)))
        self._numbers = {place.key: number for number, place in enumerate(self._places)}
        for number, place in enumerate(self._places):
            # A bare name stands for its object unless another category has it too.
            self._numbers[place.name] = -1 if place.name in self._numbers and place.category else number

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[PosedObject]:
        return (self.load(number) for number in range(len(self)))

    def __getitem__(self, which: int | str) -> PosedObject:
        """All views of an object."""
        return self.load(which)

    @property
    def keys(self) -> tuple[str, ...]:
        """ "category/name" of every object, in order."""
        return tuple(place.key for place in self._places)

    def index(self, which: int | str) -> int:
        """The position of an object.

        Raises:
            InputError: there is no such object, or several categories have one of that name.
        """
        if isinstance(which, str):
            number = self._numbers.get(which)
            if number is None:
                raise InputError(f"There is no object {which!r} among the {len(self)}; the first is {self._first()}.")
            if number < 0:
                raise InputError(f"Several categories have an object {which!r}; ask for it as CATEGORY/{which}.")
            return number
        number = operator.index(which)
        if not -len(self) <= number < len(self):
            # IndexError is what ends a plain loop over positions.
            raise IndexError(f"There is no object number {number}; there are {len(self)}.")
        return number % len(self)

    def folder(self, which: int | str) -> AnyPath:
        """Where an object lies."""
        return self._places[self.index(which)].folder

    def view_count(self, which: int | str) -> int:
        """How many views an object has."""
        return len(self._image_files(self._places[self.index(which)]))

    def load(self, which: int | str, views: Sequence[int] | None = None) -> PosedObject:
        """Chosen views of an object (default: all), each once or more, in the order that is given.

        Raises:
            InputError: there is no such object or view, or a file of it cannot be used; the sentence names the file.
        """
        place = self._places[self.index(which)]
        files = self._image_files(place)
        chosen = list(range(len(files))) if views is None else [operator.index(view) for view in views]
        wrong = next((view for view in chosen if not 0 <= view < len(files)), None)
        if wrong is not None or not chosen:
            asked = "no view was asked for" if wrong is None else f"there is no view {wrong}"
            raise InputError(f"{place.folder}: {asked}; give numbers from 0 to {len(files) - 1}.")
        return self._read(place, files, chosen)

    def draw_views(self, which: int | str, limit: int, *, generator: torch.Generator) -> list[int]:
        """At most `limit` different views of an object at random; all of them in order when there are no more."""
        count = self.view_count(which)
        if count <= limit:
            return list(range(count))
        return torch.randperm(count, generator=generator)[:limit].tolist()

    @abstractmethod
    def _image_files(self, place: Place) -> list[AnyPath]:
        """The views of an object, at least one, in the order that numbers them."""

    @abstractmethod
    def _read(self, place: Place, files: list[AnyPath], views: list[int]) -> PosedObject:
        """The chosen views; the numbers are valid."""

    def _seen(
        self,
        place: Place,
        views: Sequence[int],
        images: Float[Tensor, "v h w 3"],
        cameras: Camera,
        masks: Float[Tensor, "v h w 1"] | None,
        boxes: Float[Tensor, "v 4"] | None,
    ) -> PosedObject:
        """What a reader gives, with the data set's bounds and background."""
        return PosedObject(
            name=place.name,
            category=place.category,
            views=tuple(views),
            images=images,
            cameras=cameras,
            masks=None if masks is None else masks[..., 0],
            boxes=boxes,
            near=self.near,
            far=self.far,
            background=self.background,
        )

    def _first(self) -> str:
        return self._places[0].key if self._places else "none"
