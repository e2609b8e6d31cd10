"""What `lift` is trained on: crops of packed views, widened, and the truth behind their pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...camera import Camera
from ...scene.crop import around
from .config import LiftConfig
from .crop import frame_of, with_outlines
from .model import turned_over

MIRRORED = 0.01  # world units, objects of radius 0.5; what is off by so much is mirrored in part


@dataclass(frozen=True)
class LiftBatch:
    """Crops and the truth behind their pixels.

    Attributes:
        crops: what the network sees.
        front: z of the first surface.
        back: z of the last surface.
        valid: where the surfaces are known.
        color: of the back.
        normal: of the front.
        elevation: of the camera, in radians.
        distance: of the frame's origin from the camera.
        hollow: shares of the way from front to back where the hollow begins and ends; -1 where there is none.
        mirror: 1 for planes that mirror the object, 0 for those that do not.
    """

    crops: Float[Tensor, "b 6 s s"]
    front: Float[Tensor, "b h w"]
    back: Float[Tensor, "b h w"]
    valid: Bool[Tensor, "b h w"]
    color: Float[Tensor, "b 3 h w"]
    normal: Float[Tensor, "b 3 h w"]
    elevation: Float[Tensor, " b"]
    distance: Float[Tensor, " b"]
    hollow: Float[Tensor, "b 2 h w"]
    mirror: Float[Tensor, "b m"]


def lift_batch(
    packed: dict[str, Tensor], config: LiftConfig, generator: torch.Generator | None, *, size: int | None = None
) -> LiftBatch:
    """Cut the crops of packed views and bring depths into their frames; without a generator nothing is widened.

    Args:
        packed: a batch of `PackedObjects`, one view each.
        config: of the network that takes the crops.
        generator: of colors, placing and handedness.
        size: side of the crops in pixels of the network; by default the network's own.
    """
    size = size or config.image_size
    images = packed["images"][:, 0].permute(0, 3, 1, 2)
    paint = packed["back_colors"][:, 0].permute(0, 3, 1, 2)
    height, width = images.shape[2:]
    camera = Camera(packed["world_from_camera"][:, 0], packed["intrinsics"][:, 0], width, height)
    crop = around(images[:, 3])
    if generator is not None:
        crop = crop.jittered(0.95, 1.15, generator, shift=0.02)
        images, paint = _recolored(images, paint, generator)
    painted = torch.cat((images[:, :3] * images[:, 3:], images[:, 3:]), 1)
    crops = with_outlines(crop.cut(painted, size * max(config.zoom, 1)))
    frame = frame_of(camera, crop, camera.position.norm(dim=1))
    pixels = crop.grid(size // 2).floor()
    depths = torch.stack((packed["depth"][:, 0], packed["back_depth"][:, 0]), 1)
    values, color = _at(depths, pixels), torch.nan_to_num(_at(paint, pixels))
    facing = torch.nan_to_num(_at(packed["normals"][:, 0].permute(0, 3, 1, 2), pixels))
    frame_from_camera = frame.rotation.mT @ camera.world_from_camera[:, :3, :3]
    normal = torch.einsum("bij,bjhw->bihw", frame_from_camera, facing)
    valid = torch.isfinite(values).all(dim=1) & (_at(images[:, 3:], pixels)[:, 0] > 0.5)
    centers = (pixels + 0.5).flatten(1, 2)
    front, back = (
        frame.from_world(camera.unproject(centers, torch.where(valid, value, 1.0).flatten(1)))[..., 2].unflatten(
            1, valid.shape[1:]
        )
        for value in values.unbind(dim=1)
    )
    distance = camera.position.norm(dim=1)
    front, back, shrink = _from_the_middle(front, back, valid, frame.unit / distance)
    elevation = torch.asin((-frame.rotation[:, 1, 2]).clamp(-1, 1))
    hollow = torch.full_like(values, -1.0)
    if "hollows" in packed:
        ends = _at(packed["hollows"][:, 0].permute(0, 3, 1, 2), pixels)
        first, last = values.split(1, dim=1)
        shares = ((ends - first) / (last - first).clamp_min(1e-4)).clamp(0, 1)
        hollow = torch.where(torch.isfinite(ends), shares, -1.0)
    mirror = _mirrors(packed.get("mirrors"), frame.rotation, config.mirrors)
    made = LiftBatch(crops, front, back, valid, color, normal, elevation, distance * shrink, hollow, mirror)
    return made if generator is None else _flipped(made, generator)


def _from_the_middle(
    front: Float[Tensor, "b h w"], back: Float[Tensor, "b h w"], valid: Bool[Tensor, "b h w"], bend: Float[Tensor, " b"]
) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"], Float[Tensor, " b"]]:
    """Depths whose mean over front and back is 0, in half sides of the crop at that depth, and how far that is.

    One photo does not tell how far the object reaches back from its middle, and nothing depends on it: a network that
    has to guess it learns little else.

    Args:
        bend: half side of the crop over the distance, at z = 0.

    Returns:
        Front and back, and the distance of their mean from the camera over that of z = 0.
    """
    counted = valid.flatten(1).float()
    middle = (0.5 * (front + back).flatten(1) * counted).sum(1) / counted.sum(1).clamp_min(1)
    shrink = 1 + middle * bend
    front, back = ((depth - middle[:, None, None]) / shrink[:, None, None] for depth in (front, back))
    return front, back, shrink


def _at(maps: Float[Tensor, "b c h w"], pixels: Float[Tensor, "b s s 2"]) -> Float[Tensor, "b c s s"]:
    """Values of the pixels at these columns and rows, NaN where they lie outside."""
    height, width = maps.shape[2:]
    columns, rows = pixels.long().unbind(dim=-1)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    flat = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    found = (
        maps.flatten(2).gather(2, flat.flatten(1)[:, None].expand(-1, maps.shape[1], -1)).unflatten(2, flat.shape[1:])
    )
    return torch.where(inside[:, None], found, torch.nan)


def _flipped(batch: LiftBatch, generator: torch.Generator) -> LiftBatch:
    """Half of the crops and their maps mirrored."""
    flip = torch.rand(len(batch.crops), generator=generator) < 0.5

    def some(values: Tensor) -> Tensor:
        return torch.where(flip.reshape(-1, *[1] * (values.ndim - 1)), values.flip(-1), values)

    maps = ("crops", "front", "back", "valid", "color", "normal", "hollow")
    turned = replace(batch, **{name: some(getattr(batch, name)) for name in maps})
    across = torch.where(flip, -1.0, 1.0)[:, None, None, None]
    normal = turned.normal * torch.cat((across, across.abs(), across.abs()), 1)
    return replace(turned, normal=normal, mirror=torch.where(flip[:, None], turned_over(batch.mirror), batch.mirror))


def _mirrors(errors: Tensor | None, rotation: Float[Tensor, "b 3 3"], count: int) -> Float[Tensor, "b m"]:
    """Whether planes of these normals mirror the objects, from the errors of planes that stand fixed in the world."""
    if errors is None or not count:
        return rotation.new_zeros(len(rotation), count)
    turn = torch.atan2(rotation[:, 2, 0], rotation[:, 0, 0])[:, None] - torch.arange(count) * math.pi / count
    place = turn % math.pi * (errors.shape[1] / math.pi)
    before = place.long() % errors.shape[1]
    share = place - place.floor()
    near, far = errors.gather(1, before), errors.gather(1, (before + 1) % errors.shape[1])
    return torch.exp(-(((1 - share) * near + share * far) / MIRRORED).square())


def _recolored(
    images: Float[Tensor, "b 4 h w"], paint: Float[Tensor, "b 3 h w"], generator: torch.Generator
) -> tuple[Float[Tensor, "b 4 h w"], Float[Tensor, "b 3 h w"]]:
    """One random linear map of colours an image: channels swapped, greyer or richer, brighter or darker."""
    count = len(images)
    order = torch.rand(count, 3, generator=generator).argsort(1)
    keep = torch.rand(count, 1, generator=generator) < 0.6
    order = torch.where(keep, torch.arange(3).expand(count, 3), order)
    matrix = torch.nn.functional.one_hot(order, 3).float()
    saturation = 1.5 * torch.rand(count, 1, 1, generator=generator)
    saturation = torch.where(torch.rand(count, 1, 1, generator=generator) < 0.15, 0.0, saturation)
    matrix = saturation * matrix + (1 - saturation) / 3
    gain = 0.7 + 0.6 * torch.rand(count, 3, 1, 1, generator=generator)
    bias = 0.1 * torch.randn(count, 3, 1, 1, generator=generator)

    def recolored(colors: Tensor) -> Tensor:
        return (torch.einsum("bij,bjhw->bihw", matrix, colors) * gain + bias).clamp(0, 1)

    return torch.cat((recolored(images[:, :3]), images[:, 3:]), 1), recolored(paint)
