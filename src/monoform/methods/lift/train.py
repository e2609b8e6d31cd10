"""Training of `lift`: one phase over packed objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...atomic import atomic_file
from ...camera import Camera
from ...data.dataset import PackedObjects
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
from .crop import Crop, around, frame_of
from .infer import shape_pixels
from .losses import colour_loss, distance_loss, elevation_loss, side_loss
from .model import LiftNet

OUTLINES = "lift_outlines.npy"
CARD = """# lift

Signed distance and colour behind one photo of an object, by a small pixel-aligned network of monoform.

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
    """

    objects: int = 16
    points: int = 1024
    surface: int = 256
    rate: float = 1.5e-3
    warmup: int = 200
    steps: int = 4000


@dataclass(frozen=True)
class LiftBatch:
    """Crops, points in their frames with places, and what is true there."""

    crops: Float[Tensor, "b 6 s s"]
    points: Float[Tensor, "b n 3"]
    uv: Float[Tensor, "b n 2"]
    signed: Float[Tensor, "b n"]
    colours: Float[Tensor, "b k 3"]
    elevation: Float[Tensor, " b"]


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
        self._outlines = outlines_of(objects)

    def phases(self) -> list[Phase]:
        """One phase over all parameters."""
        schedule = Cosine(self.options.steps, warmup=self.options.warmup)
        optimiser = Optimiser(rate=self.options.rate, betas=(0.9, 0.98), weight_decay=0.02)
        return [Phase("lift", self.module.parameters, self._loss, optimiser=optimiser, schedule=schedule)]

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random objects, a random view of each, widened in colour, placing and handedness."""
        del step
        indices = torch.randint(len(self.objects), (self.options.objects,), generator=generator)
        packed = self.objects.batch(
            indices, generator, points=self.options.points, surface=self.options.surface, views=1, maps=False
        )
        places = self.objects.rows[indices.numpy()], packed["view"][:, 0].numpy()
        outlines = torch.from_numpy(np.stack([self._outlines[i, j] for i, j in zip(*places, strict=True)])).float()
        return vars(self.assemble(packed, outlines, generator))

    def assemble(
        self, packed: dict[str, Tensor], outlines: Float[Tensor, "b 2 h w"], generator: torch.Generator | None
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
        size = self.net.config.image_size
        # Lengths in view pixels become lengths in half sides of the crop.
        maps = outlines / crop.half[:, None, None, None]
        coloured = torch.cat((images[:, :3] * images[:, 3:], images[:, 3:]), 1)
        crops = torch.cat((crop.cut(coloured, size), crop.cut(maps, size)), 1)
        frame = frame_of(camera, crop, camera.position.norm(dim=1))
        world = torch.cat((packed["points"], packed["surface_points"]), 1)
        points, uv = frame.from_world(world), crop.places(camera, world)
        signed = torch.cat((packed["sdf"] / frame.unit[:, None], torch.zeros(colours.shape[:2])), 1)
        if generator is not None:
            flip = torch.rand(len(crops), generator=generator) < 0.5
            crops = torch.where(flip[:, None, None, None], crops.flip(-1), crops)
            sign = 1 - 2 * flip.float()
            points = points * torch.stack((sign, torch.ones_like(sign), torch.ones_like(sign)), -1)[:, None]
            uv = uv * torch.stack((sign, torch.ones_like(sign)), -1)[:, None]
        elevation = torch.asin((-frame.rotation[:, 1, 2]).clamp(-1, 1))
        return LiftBatch(crops, points, uv, signed, colours, elevation)

    def _loss(
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step, generator
        features = self.net.encode(batch["crops"])
        signed, colours = self.net(features, batch["crops"], batch["points"], batch["uv"])
        space = self.options.points
        parts = {
            "distance": distance_loss(signed, batch["signed"]),
            "side": side_loss(signed[:, :space], batch["signed"][:, :space]),
            "colour": colour_loss(colours[:, space:], batch["colours"]),
            "elevation": elevation_loss(self.net.elevations(features), batch["elevation"]),
        }
        agree = ((signed[:, :space] < 0) == (batch["signed"][:, :space] < 0)).float().mean()
        total = parts["distance"] + parts["side"] + 0.5 * parts["colour"] + 0.2 * parts["elevation"]
        return total, {name: value.detach() for name, value in parts.items()} | {"agreement": agree}


def outlines_of(objects: PackedObjects) -> np.ndarray:
    """Distance to the outline and half thickness of every view of a pack, in pixels; made once, kept beside it."""
    path = Path(objects.folder) / OUTLINES
    if not path.exists():
        images = np.load(Path(objects.folder) / "images.npy", mmap_mode="r")
        made = np.zeros((*images.shape[:2], 2, *images.shape[2:4]), np.float16)
        for row in range(len(images)):
            for view in range(images.shape[1]):
                made[row, view] = shape_pixels(images[row, view, ..., 3].astype(np.float32) / 255)
        with atomic_file(path) as temporary:
            np.save(temporary, made)
    return np.load(path, mmap_mode="r")


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
    task = LiftTask(module, packed, LiftTraining(steps=options.steps, warmup=min(200, options.steps // 10)))
    result = train(task, out, options=options)
    averaged = load_checkpoint(result.checkpoint).ema
    if averaged is not None:
        module.load_state_dict(averaged)
    save_pretrained(module, module.config, Path(out) / "weights", card=_card(packed, result))
    return result


def _card(packed: PackedObjects, result: TrainResult) -> str:
    licences = sorted(set(packed.licences))
    figures = "\n".join(f"- {name}: {value:.4f}" for name, value in sorted(result.metrics.items()))
    return CARD.format(objects=len(packed), licences=", ".join(licences), steps=result.step, figures=figures)
