"""Training of `lift`: one phase over packed objects."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...camera import Camera
from ...data.dataset import PackedObjects
from ...data.labels import LabelOptions
from ...data.splits import excluded_names, validation_names
from ...training import (
    Cosine,
    Optimiser,
    Phase,
    TrainOptions,
    TrainResult,
    load_checkpoint,
    save_pretrained,
    train,
)
from .crop import Crop, around, frame_of, with_outlines
from .losses import camera_loss, colour_loss, distance_loss, scale_loss, side_loss
from .model import LiftNet

CARD = """# lift

Signed distance and colour behind one photo of an object, by a small network of monoform.

- Data: views of {objects} meshes ({licences}), rendered by monoform; real scans among them are Google Scanned Objects
  (Google Research) and the YCB Object and Model Set, CC-BY-4.0; see NOTICE.
- Licence of the weights: Apache-2.0.
- Training: {steps} steps, last averages on the training data:
{figures}
- Fails on: thin parts, hollows that the photo does not show, objects unlike toys, furniture, food and vehicles.
"""


@dataclass(frozen=True)
class LiftTraining:
    """How the network is trained.

    Attributes:
        objects: of a step, one view each; points: in space, of each; surface: points on the surface, of each.
        rate: highest learning rate; warmup: steps up to it.
        steps: of the whole training, over which the rate falls to nothing.
        early_size: side of the crops in the first `early` of the steps: half the pixels, twice the speed.
    """

    objects: int = 24
    points: int = 4096
    surface: int = 512
    rate: float = 1.5e-3
    warmup: int = 200
    steps: int = 9000
    early_size: int = 64
    early: float = 0.8


@dataclass(frozen=True)
class LiftBatch:
    """Crops, points in their frames with places, and what is true there; the last `colours` of the points are on it."""

    crops: Float[Tensor, "b 6 s s"]
    points: Float[Tensor, "b n 3"]
    uv: Float[Tensor, "b n 2"]
    signed: Float[Tensor, "b n"]
    colours: Float[Tensor, "b k 3"]
    camera: Float[Tensor, "b 2"]
    weight: Float[Tensor, "b p"]


class LiftTask:
    """Data and loss of `lift` for the training loop.

    Args:
        module: the network.
        objects: the packed training objects.
        options: sizes of a step.
    """

    def __init__(self, module: LiftNet, objects: PackedObjects, options: LiftTraining) -> None:
        self.module: nn.Module = module
        self.net, self.objects, self.options = module, objects, options
        self.full_size = module.config.image_size
        self.labels = LabelOptions(**_tuples(objects.index["options"]["labels"]))

    def phases(self) -> list[Phase]:
        """One phase over all parameters."""
        schedule = Cosine(self.options.steps, warmup=self.options.warmup)
        optimiser = Optimiser(rate=self.options.rate, betas=(0.9, 0.98), weight_decay=0.02)
        return [Phase("lift", self.module.parameters, self._loss, optimiser=optimiser, schedule=schedule)]

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random objects, a random view of each, widened in colour, placing and handedness."""
        early = step < self.options.early * self.options.steps
        size = min(self.options.early_size, self.full_size) if early else self.full_size
        indices = torch.randint(len(self.objects), (self.options.objects,), generator=generator)
        packed = self.objects.batch(
            indices, generator, points=self.options.points, surface=self.options.surface, views=1, maps=False
        )
        return vars(self.assemble(packed, generator, size=size))

    def assemble(
        self, packed: dict[str, Tensor], generator: torch.Generator | None, *, size: int | None = None
    ) -> LiftBatch:
        """Cut the crops and bring the points into their frames; without a generator nothing is widened."""
        images = packed["images"][:, 0].permute(0, 3, 1, 2)
        height, width = images.shape[2:]
        camera = Camera(packed["world_from_camera"][:, 0], packed["intrinsics"][:, 0], width, height)
        crop = around(images[:, 3])
        colours = packed["surface_colors"]
        if generator is not None:
            crop = _jittered(crop, generator)
            images, colours = _recoloured(images, colours, generator)
        painted = torch.cat((images[:, :3] * images[:, 3:], images[:, 3:]), 1)
        crops = with_outlines(crop.cut(painted, size or self.full_size))
        frame = frame_of(camera, crop, camera.position.norm(dim=1))
        world = torch.cat((packed["points"], packed["surface_points"]), 1)
        points, uv = frame.from_world(world), crop.places(camera, world)
        signed = torch.cat((packed["sdf"] / frame.unit[:, None], torch.zeros(colours.shape[:2])), 1)
        if generator is not None:
            flip = torch.rand(len(crops), generator=generator) < 0.5
            crops = torch.where(flip[:, None, None, None], crops.flip(-1), crops)
            across = torch.where(flip, -1.0, 1.0)[:, None]
            points = torch.cat((points[..., :1] * across[..., None], points[..., 1:]), -1)
            uv = torch.cat((uv[..., :1] * across[..., None], uv[..., 1:]), -1)
        elevation = torch.asin((-frame.rotation[:, 1, 2]).clamp(-1, 1))
        slope = torch.log(crop.half / camera.intrinsics[:, 1, 1])
        weight = 1 / drawn_density(packed["sdf"], self.labels)
        return LiftBatch(crops, points, uv, signed, colours, torch.stack((elevation, slope), 1), weight)

    def _loss(
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step, generator
        volumes = self.net(batch["crops"])
        points, uv, true = batch["points"], batch["uv"], batch["signed"]
        space, weight = self.options.points, batch["weight"]
        signed, scale = volumes.signed_at(points, uv), volumes.scale_at(points, uv)
        parts = {
            "distance": distance_loss(signed[:, :space], true[:, :space], weight),
            "side": side_loss(signed[:, :space], true[:, :space], weight),
            "scale": scale_loss(signed[:, :space], true[:, :space], scale[:, :space], weight),
            "colour": colour_loss(volumes.colour_at(points[:, space:], uv[:, space:]), batch["colours"]),
            "camera": camera_loss(volumes.camera, batch["camera"]),
        }
        weights = {"distance": 1.0, "side": 1.0, "scale": 0.05, "colour": 1.0, "camera": 0.5}
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        agree = ((signed[:, :space] < 0) == (true[:, :space] < 0)).float().mean()
        return total, {name: value.detach() for name, value in parts.items()} | {"agreement": agree}


def drawn_density(sdf: Float[Tensor, "b n"], labels: LabelOptions) -> Float[Tensor, "b n"]:
    """How densely the labelled points lie at this distance from a surface, up to a factor.

    Points are drawn near the surface more often. A network that is trained on them as they come learns that wherever
    the surface may be, inside and outside are equally likely; weighted by the inverse of this density they tell the
    true chance. The area of the surface is taken as 1, the square of the object's diameter.
    """
    volume = 4 / 3 * math.pi * labels.ball**3
    density = torch.full_like(sdf, (1 - sum(labels.near_shares) - labels.thin_share) / volume)
    for noise, share in zip(labels.noise, labels.near_shares, strict=True):
        share = share + labels.thin_share * (noise == min(labels.noise))
        density += share * torch.exp(-0.5 * (sdf / noise) ** 2) / (noise * math.sqrt(2 * math.pi))
    return density


def _tuples(stored: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}


def _jittered(crop: Crop, generator: torch.Generator) -> Crop:
    count = len(crop.half)
    half = crop.half * (0.95 + 0.2 * torch.rand(count, generator=generator))
    shift = 0.04 * torch.randn(count, 2, generator=generator)
    return Crop(crop.centre + shift * half[:, None], half)


def _recoloured(
    images: Float[Tensor, "b 4 h w"], colours: Float[Tensor, "b k 3"], generator: torch.Generator
) -> tuple[Float[Tensor, "b 4 h w"], Float[Tensor, "b k 3"]]:
    """One random linear map of colours an image: channels swapped, greyer or richer, brighter or darker."""
    count = len(images)
    order = torch.rand(count, 3, generator=generator).argsort(1)
    keep = torch.rand(count, 1, generator=generator) < 0.6
    order = torch.where(keep, torch.arange(3).expand(count, 3), order)
    matrix = torch.nn.functional.one_hot(order, 3).float()
    saturation = 1.5 * torch.rand(count, 1, 1, generator=generator)
    saturation = torch.where(torch.rand(count, 1, 1, generator=generator) < 0.15, 0.0, saturation)
    matrix = saturation * matrix + (1 - saturation) / 3
    gain = 0.7 + 0.6 * torch.rand(count, 1, 3, generator=generator)
    bias = 0.1 * torch.randn(count, 1, 3, generator=generator)
    painted = (images[:, :3].flatten(2).mT @ matrix.mT * gain + bias).clamp(0, 1).mT.unflatten(2, images.shape[2:])
    return torch.cat((painted, images[:, 3:]), 1), (colours @ matrix.mT * gain + bias).clamp(0, 1)


def train_lift(data: str | Path, out: str | Path, options: TrainOptions) -> TrainResult:
    """Train on a pack, without the validation objects and their near-duplicates; write `out`/weights.

    Raises:
        InputError: `data` is no pack, or `out` holds another training.
    """
    packed = PackedObjects(data, exclude=[*validation_names(), *excluded_names()])
    torch.manual_seed(options.seed)
    module = LiftNet()
    task = LiftTask(module, packed, _sizes(packed, options.steps))
    result = train(task, out, options=options)
    averaged = load_checkpoint(result.checkpoint).ema
    if averaged is not None:
        module.load_state_dict(averaged)
    save_pretrained(module, module.config, Path(out) / "weights", card=_card(packed, result))
    return result


def _sizes(packed: PackedObjects, steps: int) -> LiftTraining:
    """The usual sizes, or what a short training or a sparse pack allows."""
    usual = LiftTraining(steps=steps, warmup=min(200, steps // 10))
    labels = packed.index["options"]["labels"]
    return replace(usual, points=min(usual.points, labels["points"]), surface=min(usual.surface, labels["surface"]))


def _card(packed: PackedObjects, result: TrainResult) -> str:
    licences = sorted(set(packed.licences))
    figures = "\n".join(f"- {name}: {value:.4f}" for name, value in sorted(result.metrics.items()))
    return CARD.format(objects=len(packed), licences=", ".join(licences), steps=result.step, figures=figures)
