"""Packed objects as LIST learns from them: cut out, turned so that the camera stands in front, in the unit box."""

from __future__ import annotations

import torch
from jaxtyping import Float
from scipy.spatial import cKDTree
from torch import Tensor

from ...data.objects.color_jitter import changed_colors, draw_color_change
from ...data.packs.dataset import PackedObjects
from ...scene.crop import Crop, around
from .config import ListConfig
from .frame import BoxFrame, map_matrix, turned_to

HUE, FACTOR = 0.5, 0.3
GROW = 0.1  # by how much the side of the window around the object changes, in its sides
CLEAR = 0.52  # of the sphere beyond which no packed object reaches, in its world units
FAR_SHARE = 16  # one of so many points is drawn from all of the box
DRAWN = 3  # times as many points as are used; half of these lie
AWAY = 0.02  # further from the surface than this, in sides of the box: packs hold few such points


def packed_batch(
    objects: PackedObjects,
    indices: Tensor,
    config: ListConfig,
    generator: torch.Generator,
    *,
    points: int,
    cloud: int,
    augment: bool = True,
    recolor: bool = True,
) -> dict[str, Tensor]:
    """A random view of each object.

    Args:
        points: with distances; a few of them anywhere in the box, beyond the object.
        cloud: points on the surface.
        augment: other windows, half of the objects mirrored.
        recolor: with `augment`, other colours.

    Returns:
        images (b 3 s s), 0..1 on black; cloud (b m 3), points (b n 3), sdf (b n) in the unit box; matrix (b 4 3), the
        true one.
    """
    network = config.network
    packed = objects.batch(indices, generator, points=DRAWN * points, surface=_all(objects), views=1, maps=False)
    pictures, windows = _pictures(packed, config, generator if augment else None, recolor=recolor)
    frame = turned_to(packed["world_from_camera"][:, 0], packed["surface_points"], network.half_side)
    matrix = map_matrix(
        packed["world_from_camera"][:, 0], packed["intrinsics"][:, 0], windows, frame, config.image_size, network
    )
    some = torch.randperm(packed["surface_points"].shape[1], generator=generator)[:cloud]
    near, sdf = _with_far(*_balanced(packed, frame, points, generator), packed, frame, network.half_side, generator)
    made = {
        "images": pictures,
        "cloud": frame.into(packed["surface_points"][:, some]),
        "points": near,
        "sdf": sdf,
        "matrix": matrix,
    }
    return mirrored(made, network.map_side, generator) if augment else made


def packed_solids(
    objects: PackedObjects, indices: Tensor, config: ListConfig, generator: torch.Generator, *, points: int
) -> dict[str, Tensor]:
    """A random view of each object, and points anywhere in its box.

    Returns:
        images (b 3 s s) as `packed_batch` has them; points (b n 3) in the unit box; inside (b n) bool: whether the
        nearest packed point is inside.
    """
    half = config.network.half_side
    packed = objects.batch(indices, generator, points=1, surface=_all(objects), views=1, maps=False)
    frame = turned_to(packed["world_from_camera"][:, 0], packed["surface_points"], half)
    points_in_box = half * (2 * torch.rand(len(indices), points, 3, generator=generator) - 1)
    inside = []
    for index, world in zip(indices.tolist(), frame.out_of(points_in_box), strict=True):
        known = objects.labels(index)
        nearest = cKDTree(known["points"]).query(world.numpy())[1]
        inside.append((known["sdf"][torch.from_numpy(nearest)] < 0) & (world.norm(dim=-1) < CLEAR))
    pictures, _ = _pictures(packed, config, None)
    return {"images": pictures, "points": points_in_box, "inside": torch.stack(inside)}


def _pictures(
    packed: dict[str, Tensor], config: ListConfig, generator: torch.Generator | None, *, recolor: bool = False
) -> tuple[Float[Tensor, "b 3 s s"], Float[Tensor, "b 3"]]:
    """The objects on black, cut out, and their windows; moved at random, and recoloured, where there is a generator."""
    images = packed["images"][:, 0].permute(0, 3, 1, 2)
    windows = windows_of(images[:, 3], max(config.margin, 1.0), generator)
    colors = images[:, :3] * images[:, 3:]
    if generator is not None and recolor:
        colors = _recolored(colors, generator)
    crop = Crop(windows[:, :2] + 0.5 * windows[:, 2:], 0.5 * windows[:, 2])
    return crop.cut(colors, config.image_size), windows


def windows_of(
    masks: Float[Tensor, "b h w"], margin: float, generator: torch.Generator | None = None
) -> Float[Tensor, "b 3"]:
    """A square around each object: left, top and side in pixels, the side `margin` times the mask's longest.

    Args:
        generator: of small random shifts and sizes; None for none.
    """
    crop = around(masks, margin=margin)
    if generator is not None:
        crop = crop.jittered(1 - 0.3 * GROW, 1 + 0.7 * GROW, generator)
    return torch.cat((crop.center - crop.half[:, None], 2 * crop.half[:, None]), 1)


def mirrored(batch: dict[str, Tensor], map_side: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Half of the objects, with their pictures and matrices, mirrored left to right."""
    flip = torch.rand(len(batch["images"]), generator=generator) < 0.5
    made = dict(batch)
    made["images"] = torch.where(flip[:, None, None, None], batch["images"].flip(-1), batch["images"])
    sign = torch.where(flip, -1.0, 1.0)
    across = torch.stack((sign, torch.ones_like(sign), torch.ones_like(sign)), 1)[:, None]
    for name in ("cloud", "points"):
        made[name] = batch[name] * across
    matrix = batch["matrix"].clone()
    matrix[flip, 2] *= -1  # the row of x
    matrix[flip, :, 0] = (map_side - 1) * matrix[flip, :, 2] - matrix[flip, :, 0]
    made["matrix"] = matrix
    return made


def _all(objects: PackedObjects) -> int:
    return int(objects.labels(0)["surface_points"].shape[0])


def _balanced(
    packed: dict[str, Tensor], frame: BoxFrame, count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n"]]:
    """Some of the packed points and their distances in the unit box, in random order; half of them away from the
    surface."""
    sdf = packed["sdf"] / frame.scale[:, None]
    chance = torch.rand(sdf.shape, generator=generator)
    first = (chance + (sdf.abs() < AWAY)).argsort(dim=1)[:, : count // 2]
    chance.scatter_(1, first, 2.0)
    chosen = torch.cat((first, chance.argsort(dim=1)[:, : count - count // 2]), dim=1)
    chosen = chosen[:, torch.randperm(count, generator=generator)]
    points = packed["points"].gather(1, chosen[..., None].expand(-1, -1, 3))
    return frame.into(points), sdf.gather(1, chosen)


def _with_far(
    points: Float[Tensor, "b n 3"],
    sdf: Float[Tensor, "b n"],
    packed: dict[str, Tensor],
    frame: BoxFrame,
    half_side: float,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n"]]:
    """The points, the last few replaced by points anywhere in the box but outside the object's sphere."""
    count = points.shape[1] // FAR_SHARE
    far = half_side * (2 * torch.rand(len(points), count, 3, generator=generator) - 1)
    world = frame.out_of(far)
    world = world * (CLEAR / world.norm(dim=-1, keepdim=True).clamp_min(1e-6)).clamp_min(1.0)
    gap = torch.cdist(world, packed["surface_points"]).amin(2) / frame.scale[:, None]
    kept = points.shape[1] - count
    return torch.cat((points[:, :kept], frame.into(world)), 1), torch.cat((sdf[:, :kept], gap), 1)


def _recolored(colors: Float[Tensor, "b 3 h w"], generator: torch.Generator) -> Float[Tensor, "b 3 h w"]:
    """Each picture with other colours; black stays black."""
    changed = [
        changed_colors(each.permute(1, 2, 0)[None], draw_color_change(hue=HUE, factor=FACTOR, generator=generator))[
            0
        ].permute(2, 0, 1)
        for each in colors
    ]
    return torch.stack(changed) * (colors.amax(1, keepdim=True) > 0)
