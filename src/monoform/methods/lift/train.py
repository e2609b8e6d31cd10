"""Training of `lift`: one phase over packed objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ...camera import Camera
from ...data.objects.splits import excluded_names, validation_names
from ...data.packs.dataset import PackedObjects
from ...devices import CPU, device_of, to_device
from ...errors import InputError
from ...nn.efficientnet_lite import load_imagenet
from ...ranges import require_ranges
from ...scene.crop import around
from ...training import (
    Cosine,
    LoopSettings,
    Optimizer,
    Phase,
    Training,
    TrainOptions,
    TrainResult,
    publish,
    train,
)
from ...training.card import SCANS, weights_card
from ...training.weights import load_pretrained
from .config import LiftConfig
from .crop import frame_of, with_outlines
from .losses import (
    camera_loss,
    color_loss,
    depth_loss,
    hollow_loss,
    mirror_loss,
    normal_loss,
    scale_loss,
    slope_loss,
)
from .model import LiftNet, Surfaces, turned_over

BACKBONE_RATE = 0.3  # of the rate of what is new
PLANES = 12  # upright planes that may mirror the object
MIRRORED = 0.01  # world units, objects of radius 0.5; what is off by so much is mirrored in part


@dataclass(frozen=True)
class LiftTraining(LoopSettings):
    """How the network is trained.

    Attributes:
        objects: of a step, one view each.
        rate: highest learning rate.
        warmup: steps up to the highest rate; at most a tenth of all.
        early_size: side of the crops in the first steps, in pixels: half the pixels, twice the speed.
        early: share of the steps that see crops of `early_size`.
        backbone: file of ImageNet weights of EfficientNet-Lite0, whose features the network then takes and fine-tunes;
            "" for a network without them.
        start: folder of weights of lift from which what both networks have is taken; "" for none.
    """

    objects: int = 24
    rate: float = 1e-3
    warmup: int = 200
    early_size: int = 64
    early: float = 0.85
    backbone: str = ""
    start: str = ""

    def __post_init__(self) -> None:
        require_ranges(self, "lift's", objects=(1, 4096), rate=(1e-9, 10.0), warmup=(0, 1_000_000_000))
        require_ranges(self, "lift's", early_size=(16, 1024), early=(0.0, 1.0))
        if self.early_size % 16:
            raise InputError(f"lift's early_size is {self.early_size}; give a multiple of 16.")


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
        camera: numbers of the camera that the network predicts.
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
    camera: Float[Tensor, "b 2"]
    distance: Float[Tensor, " b"]
    hollow: Float[Tensor, "b 2 h w"]
    mirror: Float[Tensor, "b m"]


class LiftTask:
    """Data and loss of `lift` for the training loop.

    Args:
        module: the network.
        objects: the packed training objects.
        options: sizes of a step.
        steps: of the whole training, over which the rate falls to nothing.
    """

    def __init__(self, module: LiftNet, objects: PackedObjects, options: LiftTraining, *, steps: int = 3200) -> None:
        self.module: nn.Module = module
        self.net, self.objects, self.options, self.steps = module, objects, options, steps
        self.full_size = module.config.image_size

    def phases(self) -> list[Phase]:
        """One phase over all parameters."""
        schedule = Cosine(self.steps, warmup=min(self.options.warmup, self.steps // 10))
        optimizer = Optimizer(rate=self.options.rate, betas=(0.9, 0.98), weight_decay=0.02)
        return [Phase("lift", self._parameters(), self._loss, optimizer=optimizer, schedule=schedule)]

    def _parameters(self) -> Any:
        """All that learn: what a backbone knows already moves more slowly than what is new."""
        if not self.net.config.zoom:
            return self.module.parameters
        learning = [(name, each) for name, each in self.module.named_parameters() if each.requires_grad]
        known = [each for name, each in learning if name.startswith("backbone.")]
        new = [each for name, each in learning if not name.startswith("backbone.")]
        return [{"params": known, "lr": BACKBONE_RATE * self.options.rate}, {"params": new}]

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random objects, a random view of each, widened in colour, placing and handedness."""
        early = step < self.options.early * self.steps
        size = min(self.options.early_size, self.full_size) if early else self.full_size
        indices = torch.randint(len(self.objects), (self.options.objects,), generator=generator)
        packed = self.objects.batch(indices, generator, points=0, surface=0, views=1)
        return vars(self.assemble(packed, generator, size=size))

    def assemble(
        self, packed: dict[str, Tensor], generator: torch.Generator | None, *, size: int | None = None
    ) -> LiftBatch:
        """Cut the crops and bring depths into their frames; without a generator nothing is widened."""
        size = size or self.full_size
        images = packed["images"][:, 0].permute(0, 3, 1, 2)
        paint = packed["back_colors"][:, 0].permute(0, 3, 1, 2)
        height, width = images.shape[2:]
        camera = Camera(packed["world_from_camera"][:, 0], packed["intrinsics"][:, 0], width, height)
        crop = around(images[:, 3])
        if generator is not None:
            crop = crop.jittered(0.95, 1.15, generator, shift=0.02)
            images, paint = _recolored(images, paint, generator)
        painted = torch.cat((images[:, :3] * images[:, 3:], images[:, 3:]), 1)
        crops = with_outlines(crop.cut(painted, size * max(self.net.config.zoom, 1)))
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
        slope = torch.log(crop.half / camera.intrinsics[:, 1, 1])
        truth = torch.stack((elevation, slope), 1)
        hollow = torch.full_like(values, -1.0)
        if "hollows" in packed:
            ends = _at(packed["hollows"][:, 0].permute(0, 3, 1, 2), pixels)
            first, last = values.split(1, dim=1)
            shares = ((ends - first) / (last - first).clamp_min(1e-4)).clamp(0, 1)
            hollow = torch.where(torch.isfinite(ends), shares, -1.0)
        mirror = _mirrors(packed.get("mirrors"), frame.rotation, self.net.config.mirrors)
        made = LiftBatch(crops, front, back, valid, color, normal, truth, distance * shrink, hollow, mirror)
        return made if generator is None else _flipped(made, generator)

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        """A crop, the normals and the back's color that are seen in it, and the true ones below."""
        packed = self.objects.batch([0], torch.Generator().manual_seed(0), points=0, surface=0, views=1)
        made = self.assemble(packed, None)
        found: Surfaces = to_device(module(made.crops.to(device_of(module))), CPU)
        mask = made.valid[:, None]
        seen = functional.interpolate(made.crops[:, :3], mask.shape[2:], mode="area")
        rows = [
            torch.cat((seen, 0.5 - 0.5 * normal * mask, color * mask), dim=3)
            for normal, color in ((found.normal, found.color), (made.normal, made.color))
        ]
        return {"surfaces": torch.cat(rows, dim=2)[0].permute(1, 2, 0)}

    def _loss(
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step, generator
        surfaces, valid = self.net(batch["crops"]), batch["valid"]
        parts = {"camera": camera_loss(surfaces.camera, batch["camera"])}
        parts["normal"] = normal_loss(surfaces.normal, batch["normal"], valid)
        weights = {"camera": 0.3, "color": 0.5, "normal": 1.0}
        for index, name in enumerate(("front", "back")):
            found, true = getattr(surfaces, name), batch[name]
            parts[name] = depth_loss(found, true, valid)
            parts[f"{name}_slope"] = slope_loss(found, true, valid)
            parts[f"{name}_scale"] = scale_loss(found, true, surfaces.scale[:, index], valid)
            weights |= {name: 1.0, f"{name}_slope": 1.0, f"{name}_scale": 0.05}
        parts["color"] = color_loss(surfaces.color, batch["color"], valid)
        if self.net.config.hollows:
            parts["hollow"], weights["hollow"] = hollow_loss(surfaces.hollow, batch["hollow"], valid), 0.5
        if self.net.config.mirrors:
            parts["mirror"], weights["mirror"] = mirror_loss(surfaces.mirror, batch["mirror"]), 0.1
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: value.detach() for name, value in parts.items()}


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


def _network(settings: LiftTraining, *, hollows: bool) -> LiftNet:
    """The network before its training, with what is known already."""
    config = LiftConfig()
    if settings.backbone:
        config = replace(config, zoom=2)
    if hollows:
        config = replace(config, hollows=True, mirrors=PLANES)
    module = LiftNet(config)
    if settings.backbone:
        load_imagenet(module.backbone, settings.backbone)
    if settings.start:
        known = load_pretrained(LiftNet, LiftConfig, settings.start)[0].state_dict()
        own = module.state_dict()
        module.load_state_dict({**own, **{k: v for k, v in known.items() if k in own and own[k].shape == v.shape}})
    return module


def train_lift(
    data: str | Path, out: str | Path, options: TrainOptions, settings: LiftTraining | None = None
) -> TrainResult:
    """Train on a pack, without the validation objects and their near-duplicates; write `out`/weights.

    Raises:
        InputError: `data` is no pack, or `out` holds another training.
    """
    settings = settings or LiftTraining()
    packed = PackedObjects(data, exclude=[*validation_names(), *excluded_names()])
    torch.manual_seed(options.seed)
    module = _network(settings, hollows=packed.has_hollows)
    task = LiftTask(module, packed, settings, steps=options.steps)
    result = train(task, out, options=options)
    publish(module, module.config, result, Path(out) / "weights", card=_card(packed, settings, result))
    return result


TRAINING = Training(
    "lift",
    "the network of lift, from a pack of objects",
    LiftTraining,
    train_lift,
    data="Folder that `monoform prepare meshes` has made.",
)


def _card(packed: PackedObjects, settings: LiftTraining, result: TrainResult) -> str:
    return weights_card(
        "lift",
        "Front, back, normals and the back's colour behind one photo of an object, by a small network of monoform.",
        data=f"{packed.sentence()}, rendered by monoform: meshes, widened copies of them, and objects made by rules. "
        + SCANS,
        license="Apache-2.0.",
        training=f"{result.step} steps of {settings.objects} views for each process. Figures on unseen objects: "
        "docs/evaluation.md; those below are the last averages on the training data, depths relative to each object's "
        "relief.",
        fails="what neither front nor back shows (the air behind a chair's legs), the far side of heads and prints, "
        "thin sheets, objects unlike toys, furniture, food and vehicles.",
        figures=dict(sorted(result.metrics.items())),
    )
