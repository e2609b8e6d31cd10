"""Training of `lift`: one phase over packed objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data.objects.splits import excluded_names, validation_names
from ...data.packs.dataset import PackedObjects
from ...devices import CPU, device_of, to_device
from ...errors import InputError
from ...nn.efficientnet_lite import load_imagenet
from ...ranges import require_ranges
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
from .batches import LiftBatch, lift_batch
from .config import LiftConfig, weights_folder
from .losses import (
    color_loss,
    depth_loss,
    elevation_loss,
    hollow_loss,
    mirror_loss,
    normal_loss,
    scale_loss,
    slope_loss,
    surface_loss,
)
from .model import LiftNet, Surfaces

BACKBONE_RATE = 0.3  # of the rate of what is new
CAMERA = ("camera.2.weight", "camera.2.bias")  # the last layer of the head of the camera
PLANES = 12  # upright planes that may mirror the object


@dataclass(frozen=True)
class LiftTraining(LoopSettings):
    """How the network is trained.

    Attributes:
        objects: of a step, one view each.
        rate: highest learning rate.
        warmup: steps up to the highest rate; at most a tenth of all.
        early_size: side of the crops in the first steps, in pixels: half the pixels, twice the speed.
        early: share of the steps that see crops of `early_size`; where all do, the network is one for such crops.
        backbone: file of ImageNet weights of EfficientNet-Lite0, whose features the network then takes and fine-tunes;
            "" for a network without them.
        start: folder of weights of lift to go on from, or "shipped" for those that ship; with a `backbone` what both
            networks have is taken, else the network is theirs; "" for none.
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
        """`lift_batch` for this network."""
        return lift_batch(packed, self.net.config, generator, size=size)

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
        parts = {"elevation": elevation_loss(surfaces.elevation, batch["elevation"])}
        parts["normal"] = normal_loss(surfaces.normal, batch["normal"], valid)
        weights = {"elevation": 0.3, "color": 0.5, "normal": 1.0}
        for index, name in enumerate(("front", "back")):
            found, true = getattr(surfaces, name), batch[name]
            parts[name] = depth_loss(found, true, valid)
            parts[f"{name}_surface"] = surface_loss(found, true, valid)
            parts[f"{name}_slope"] = slope_loss(found, true, valid)
            parts[f"{name}_scale"] = scale_loss(found, true, surfaces.scale[:, index], valid)
            weights |= {name: 1.0, f"{name}_surface": 1.0, f"{name}_slope": 1.0, f"{name}_scale": 0.05}
        parts["color"] = color_loss(surfaces.color, batch["color"], valid)
        if self.net.config.hollows:
            parts["hollow"], weights["hollow"] = hollow_loss(surfaces.hollow, batch["hollow"], valid), 0.5
        if self.net.config.mirrors:
            parts["mirror"], weights["mirror"] = mirror_loss(surfaces.mirror, batch["mirror"]), 0.1
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        return total, {name: value.detach() for name, value in parts.items()}


def _network(settings: LiftTraining, *, hollows: bool) -> LiftNet:
    """The network before its training, with what is known already."""
    config, known = LiftConfig(camera_outputs=1), {}
    if settings.start:
        module, theirs = load_pretrained(LiftNet, LiftConfig, weights_folder(settings.start))
        known = module.state_dict()
        if not settings.backbone:
            config = replace(theirs, camera_outputs=1, hollows=False, mirrors=0)
    if settings.early == 1:
        config = replace(config, image_size=settings.early_size)
    if settings.backbone:
        config = replace(config, zoom=2)
    if hollows:
        config = replace(config, hollows=True, mirrors=PLANES)
    module = LiftNet(config)
    if settings.backbone:
        load_imagenet(module.backbone, settings.backbone)
    if known:
        own = module.state_dict()
        known |= {name: known[name][:1] for name in CAMERA}  # of two outputs of older weights the elevation
        known["places"] = functional.interpolate(known["places"], own["places"].shape[2:], mode="bilinear")
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
