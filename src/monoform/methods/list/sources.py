"""Where the batches of LIST's training come from: packs, and sample files in ShapeNet's or Pix3D's layout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ...data.objects.splits import excluded_names, validation_names
from ...data.packs.arrays import INDEX
from ...data.packs.dataset import PackedObjects
from ...data.sdf.disn import FIRST_STAGE_MOST, SECOND_STAGE_MOST, DisnObjects
from ...data.sdf.items import ShapeObjects, as_tensor, drawing
from ...data.sdf.jitter import draw_byte_jitter, jittered
from ...data.sdf.pix3d import Pix3dObjects
from ...errors import InputError
from .config import ListConfig, ListTraining
from .model import CoarseNet, ListNet
from .packed import packed_batch, packed_solids
from .stages import Batches, Validate, cloud_scores, distance_scores

VALIDATION_OBJECTS = 48  # held-out objects
LEVELLED, LEVEL_POINTS = 96, 2048  # objects, and points of each, by which the level is chosen


@dataclass(frozen=True, eq=False)
class Source:
    """Where batches come from.

    Attributes:
        objects: how many there are.
        description: about them, for the card.
        make: (size, generator) -> a batch.
        held_out: a batch for the evaluation; None for none.
        solids: some of the training's objects with points in and out of them, for the level; None where there are none.
    """

    objects: int
    description: str
    make: Callable[[int, torch.Generator], dict[str, Tensor]]
    held_out: dict[str, Tensor] | None = None
    solids: Callable[[], dict[str, Tensor]] | None = None

    def batches(self, size: int) -> Batches:
        """Batches of a stage."""
        return lambda step, generator: self.make(size, generator)

    def validate(self) -> Validate | None:
        """Figures on the held-out objects, of either stage."""
        batch = self.held_out
        if batch is None:
            return None

        def validated(module: nn.Module) -> dict[str, float]:
            place = next(module.parameters()).device
            on_device = {name: values.to(place) for name, values in batch.items()}
            if isinstance(module, CoarseNet):
                return cloud_scores(module, on_device)
            assert isinstance(module, ListNet)
            return distance_scores(module, on_device)

        return validated


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
            f"{settings.config} learns from a pack of `monoform prepare meshes`; for {data} take shapenet."
        )
    chosen = list(settings.categories) or None
    objects: ShapeObjects
    if kind == "pix3d":
        objects = Pix3dObjects(data, "train", categories=chosen)
    else:
        most = SECOND_STAGE_MOST if settings.weights else FIRST_STAGE_MOST
        objects = DisnObjects(data, "train", categories=chosen, most=most if settings.published else 0)
    for reason in objects.missing[:5]:
        print(f"Left out: {reason}")
    description = f"{len(objects)} of {kind}, {len(objects.missing)} listed ones missing"
    return Source(len(objects), description, lambda size, generator: _drawn(objects, size, settings, generator))


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


def _held_out(data: Path, config: ListConfig, settings: ListTraining) -> dict[str, Tensor] | None:
    known = set(PackedObjects(data).names)
    names = [name for name in validation_names() if name in known][:VALIDATION_OBJECTS]
    if not names:
        return None
    objects = PackedObjects(data, names)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.arange(len(names))
    return packed_batch(objects, chosen, config, generator, points=settings.points, cloud=settings.cloud, augment=False)


def _drawn(objects: ShapeObjects, size: int, settings: ListTraining, generator: torch.Generator) -> dict[str, Tensor]:
    """Random objects of sample files, their pictures in other colours."""
    items = []
    for _ in range(size):
        index = int(torch.randint(len(objects), (1,), generator=generator))
        item = objects.item(index, settings.drawn, drawing(generator))
        if settings.recolor:
            seed = int(torch.randint(1 << 31, (1,), generator=generator))
            change = draw_byte_jitter(np.random.default_rng(seed))
            item = replace(item, picture=jittered(item.picture, change))
        items.append(item)
    shapes = {(item.picture.shape, item.cloud.shape) for item in items}
    if len(shapes) > 1:
        raise InputError(f"Pictures and clouds of a data set must have one size; found {sorted(shapes)}.")
    return {
        "images": torch.stack([as_tensor(item.picture) for item in items]),
        "cloud": torch.from_numpy(np.stack([item.cloud for item in items])),
        "points": torch.from_numpy(np.stack([item.points for item in items])),
        "sdf": torch.from_numpy(np.stack([item.sdf for item in items])),
    }
