"""Where the batches of LIST's training come from: packs, and sample files in ShapeNet's or Pix3D's layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ...data.objects.splits import excluded_names, validation_names
from ...data.packs.arrays import INDEX
from ...data.packs.dataset import PackedObjects
from ...data.sdf.disn import FIRST_STAGE_MOST, SECOND_STAGE_MOST, DisnObjects
from ...data.sdf.items import ShapeItem, ShapeObjects, as_tensor, drawing
from ...data.sdf.jitter import draw_byte_jitter, jittered
from ...data.sdf.pix3d import Pix3dObjects
from ...data.sdf.truths import truth_file, truth_of
from ...errors import InputError
from .config import ListConfig, ListTraining
from .judged import HeldOut, chosen_objects
from .packed import packed_batch, packed_solids
from .stages import Batches

VALIDATION_OBJECTS = 48  # held-out objects
LEVELLED, LEVEL_POINTS = 96, 2048  # objects, and points of each, by which the level is chosen


@dataclass(frozen=True, eq=False)
class Source:
    """Where batches come from.

    Attributes:
        objects: how many there are.
        description: about them, for the card.
        make: (size, generator) -> a batch.
        held_out: what an evaluation judges on; None for none.
        solids: some of the training's objects with points in and out of them, for the level; None where there are none.
        second: what the second stage learns from, where that is something else.
    """

    objects: int
    description: str
    make: Callable[[int, torch.Generator], dict[str, Tensor]]
    held_out: HeldOut | None = None
    solids: Callable[[], dict[str, Tensor]] | None = None
    second: Source | None = None

    def batches(self, size: int) -> Batches:
        """Batches of a stage."""
        return lambda step, generator: self.make(size, generator)

    def epoch(self, size: int) -> int:
        """Steps of batches of this size in an epoch; what is left over is dropped."""
        return max(1, self.objects // size)


def open_source(data: Path, config: ListConfig, settings: ListTraining) -> Source:
    """The data of a training.

    Raises:
        InputError: it cannot be read, or the configuration learns from another kind.
    """
    kind = _kind(data) if settings.format == "auto" else settings.format
    if kind == "pack":
        return _packed(data, config, settings)
    if config.frame != "object":
        raise InputError(
            f"{settings.config} learns from a pack of `monoform prepare meshes`; for {data} take small_object or "
            "shapenet."
        )
    most = SECOND_STAGE_MOST if settings.weights else FIRST_STAGE_MOST
    objects = _opened(data, kind, "train", config, settings, most if settings.published else 0)
    for reason in objects.missing[:5]:
        print(f"Left out: {reason}")
    held_out = _judged_on(data, kind, config, settings)
    first = _of_samples(objects, kind, settings, held_out)
    # One command keeps the numbers of both published stages.
    if settings.published and isinstance(objects, DisnObjects) and not settings.weights:
        later = objects.first(SECOND_STAGE_MOST)
        first = replace(first, second=_of_samples(later, kind, settings, held_out))
    return first


def _opened(
    data: Path, kind: str, split: Literal["train", "test"], config: ListConfig, settings: ListTraining, most: int = 0
) -> DisnObjects | Pix3dObjects:
    """A split of sample files, its pictures as large as the network takes them."""
    chosen, side = list(settings.categories) or None, config.image_size
    if kind == "pix3d":
        return Pix3dObjects(data, split, categories=chosen, side=side)
    return DisnObjects(data, split, categories=chosen, most=most, variation=settings.variation, side=side)


def _of_samples(
    objects: DisnObjects | Pix3dObjects, kind: str, settings: ListTraining, held_out: HeldOut | None
) -> Source:
    description = f"{len(objects)} of {kind}, {len(objects.missing)} listed ones missing"

    def make(size: int, generator: torch.Generator) -> dict[str, Tensor]:
        return _drawn(objects, size, settings, generator)

    return Source(len(objects), description, make, held_out)


def _judged_on(data: Path, kind: str, config: ListConfig, settings: ListTraining) -> HeldOut | None:
    """Objects of the test split, each with one view, drawn the same in every training."""
    if not settings.test_objects:
        return None
    try:
        objects = _opened(data, kind, "test", config, settings)
    except InputError as error:
        if settings.test_list:
            raise
        print(f"Nothing is judged while it trains, for want of test objects: {error}")
        return None
    if isinstance(objects, Pix3dObjects):
        views = [1] * len(objects)
    else:
        views = [len(each.pictures) for each in objects.objects]
    chosen = chosen_objects(objects.names, views, settings.test_objects, settings.test_list)
    draw = drawing(torch.Generator().manual_seed(0))
    items, names, truths = [], [], []
    for number, view in chosen:
        if isinstance(objects, Pix3dObjects):
            items.append(objects.item(number, settings.drawn, draw))
        else:
            view = objects.objects[number].views[view]
            items.append(objects.shape(number, objects.picture(number, view), settings.drawn, draw))
        names.append(f"{objects.names[number]}_{view:02d}")
        truths.append(truth_of(objects, number) if truth_file(objects, number) else None)
    return HeldOut(_stacked(items), tuple(names), tuple(truths))


def _kind(data: Path) -> str:
    if (data / INDEX).is_file():
        return "pack"
    if (data / "data" / "pix3d.json").is_file():
        return "pix3d"
    if (data / "splits").is_dir():
        return "shapenet"
    raise InputError(
        f"{data} is neither a pack of `monoform prepare meshes` nor in ShapeNet's or Pix3D's layout (docs/list.md)."
    )


def _packed(data: Path, config: ListConfig, settings: ListTraining) -> Source:
    """A pack without its validation objects and their near-duplicates; some of the former are for the evaluation."""
    if config.frame != "upright":
        raise InputError(
            f"{settings.config} learns from sample files of `monoform prepare sdf`; for a pack take small."
        )
    objects = PackedObjects(data, exclude=[*validation_names(), *excluded_names()])

    def make(size: int, generator: torch.Generator) -> dict[str, Tensor]:
        chosen = torch.randint(len(objects), (size,), generator=generator)
        return packed_batch(
            objects,
            chosen,
            config,
            generator,
            points=settings.points,
            cloud=settings.cloud,
            recolor=settings.recolor,
        )

    def solids() -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(0)
        chosen = torch.randperm(len(objects), generator=generator)[:LEVELLED]
        return packed_solids(objects, chosen, config, generator, points=LEVEL_POINTS)

    description = (
        f"{len(objects)} packed objects of {objects.view_count} views ({', '.join(sorted(set(objects.licenses)))})"
    )
    return Source(len(objects), description, make, _held_out(data, config, settings), solids)


def _held_out(data: Path, config: ListConfig, settings: ListTraining) -> HeldOut | None:
    known = set(PackedObjects(data).names)
    names = [name for name in validation_names() if name in known][:VALIDATION_OBJECTS]
    if not names:
        return None
    objects = PackedObjects(data, names)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.arange(len(names))
    batch = packed_batch(
        objects, chosen, config, generator, points=settings.points, cloud=settings.cloud, augment=False
    )
    shown = names[: settings.test_objects]
    return HeldOut(batch, tuple(shown), (None,) * len(shown))


def _drawn(objects: ShapeObjects, size: int, settings: ListTraining, generator: torch.Generator) -> dict[str, Tensor]:
    """Random objects of sample files, their pictures in other colours, and mirrored where that is asked for."""
    items = []
    for _ in range(size):
        index = int(torch.randint(len(objects), (1,), generator=generator))
        item = objects.item(index, settings.drawn, drawing(generator))
        if settings.recolor:
            seed = int(torch.randint(1 << 31, (1,), generator=generator))
            change = draw_byte_jitter(np.random.default_rng(seed))
            item = replace(item, picture=jittered(item.picture, change))
        if settings.flip != "none" and float(torch.rand(1, generator=generator)) < 0.5:
            item = mirrored_item(item, shape=settings.flip == "both")
        items.append(item)
    return _stacked(items)


def mirrored_item(item: ShapeItem, *, shape: bool) -> ShapeItem:
    """A mirrored picture, with its shape mirrored in x or left as it is.

    A picture by an upright camera, mirrored, is one of the mirrored shape, whichever upright plane that is mirrored in.
    """
    across = np.array([-1 if shape else 1, 1, 1], np.float32)
    picture = np.ascontiguousarray(item.picture[:, ::-1])
    return replace(item, picture=picture, cloud=item.cloud * across, points=item.points * across)


def _stacked(items: Sequence[ShapeItem]) -> dict[str, Tensor]:
    """Items as a batch.

    Raises:
        InputError: their pictures or clouds differ in size.
    """
    shapes = {(item.picture.shape, item.cloud.shape) for item in items}
    if len(shapes) > 1:
        raise InputError(f"Pictures and clouds of a data set must have one size; found {sorted(shapes)}.")
    return {
        "images": torch.stack([as_tensor(item.picture) for item in items]),
        "cloud": torch.from_numpy(np.stack([item.cloud for item in items])),
        "points": torch.from_numpy(np.stack([item.points for item in items])),
        "sdf": torch.from_numpy(np.stack([item.sdf for item in items])),
    }
