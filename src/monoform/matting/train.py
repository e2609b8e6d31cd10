"""Training of the matting network: packed objects over drawn backgrounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..data.objects.splits import excluded_names, validation_names
from ..data.packs.dataset import PackedObjects
from ..devices import device_of
from ..errors import InputError
from ..nn.efficientnet_lite import load_imagenet
from ..ranges import require_ranges
from ..renamed import renamed
from ..training import (
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
from ..training.card import SCANS, weights_card
from ..training.weights import architecture_of, load_pretrained
from .composites import Backdrop, Source, batch
from .lite import LiteMattingConfig, LiteMattingNet
from .network import MattingConfig, MattingNet
from .staging import PhotoBackgrounds

BACKBONE_RATE = 0.3  # of the rate of what is new


@renamed(judged="validation_images")
@dataclass(frozen=True)
class MattingTraining(LoopSettings):
    """How the network is trained.

    Attributes:
        pictures: of a step.
        rate: highest learning rate.
        warmup: steps up to the highest rate; at most a tenth of all.
        validation_images: pictures of an evaluation.
        backbone: file of ImageNet weights of EfficientNet-Lite0, from which the larger network is then fine-tuned; ""
            for the small network.
        start: folder of weights that are trained on; "" to begin anew.
        backgrounds: folder of photographs that objects are laid over; "" for drawn backgrounds.
        edges: how much more a pixel counts in the cross entropy that lies near an outline.
    """

    pictures: int = 16
    rate: float = 2e-3
    warmup: int = 100
    validation_images: int = 128
    backbone: str = ""
    start: str = ""
    backgrounds: str = ""
    edges: float = 0.0

    def __post_init__(self) -> None:
        require_ranges(self, "matting's", pictures=(1, 4096), rate=(1e-9, 10.0), warmup=(0, 1_000_000_000))
        require_ranges(self, "matting's", validation_images=(1, 1_000_000), edges=(0.0, 1000.0))
        if self.start and self.backbone:
            raise InputError("start names a network that is trained already, its backbone too: leave out backbone.")


class PackSource:
    """A random view of a random object of a pack at each call."""

    def __init__(self, objects: PackedObjects) -> None:
        self.objects = objects

    def __call__(self, rng: np.random.Generator) -> np.ndarray:
        """sRGB and coverage, (h, w, 4) uint8."""
        index = int(rng.integers(len(self.objects)))
        return self.objects.views(index, int(rng.integers(self.objects.view_count))).image


class MattingTask:
    """Data and loss of the matting network for the training loop.

    Args:
        module: the network.
        source: gives the objects.
        options: sizes of a step.
        held_out: gives objects for the evaluation; None for none.
        steps: of the whole training, over which the rate falls to nothing.
    """

    def __init__(
        self,
        module: MattingNet | LiteMattingNet,
        source: Source,
        options: MattingTraining,
        held_out: Source | None = None,
        *,
        steps: int = 4000,
    ) -> None:
        self.module: nn.Module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.size, self.source, self.options, self.held_out = module.config.image_size, source, options, held_out
        self.steps = steps
        self.backdrop: Backdrop | None = PhotoBackgrounds(options.backgrounds) if options.backgrounds else None

    def phases(self) -> list[Phase]:
        """One phase over all parameters."""
        schedule = Cosine(self.steps, warmup=min(self.options.warmup, self.steps // 10))
        optimizer = Optimizer(rate=self.options.rate, weight_decay=0.02)
        return [Phase("matting", self._parameters(), self._loss, optimizer=optimizer, schedule=schedule)]

    def _parameters(self) -> Any:
        """All that learn: what a backbone knows already moves more slowly than what is new."""
        if not isinstance(self.module, LiteMattingNet):
            return self.module.parameters
        known = [each for each in self.module.backbone.parameters() if each.requires_grad]
        new = [each for name, each in self.module.named_parameters() if not name.startswith("backbone.")]
        return [{"params": known, "lr": BACKBONE_RATE * self.options.rate}, {"params": new}]

    def batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Inputs, true masks, and where they count."""
        del step
        return batch(generator, self.source, self.options.pictures, self.size, self.backdrop)

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """Mean IoU and calibration on pictures of held-out objects, the same at each step."""
        del step
        if self.held_out is None:
            return {}
        generator = torch.Generator().manual_seed(1)
        device = next(module.parameters()).device
        ious, errors = [], []
        for _ in range(max(1, self.options.validation_images // 16)):
            inputs, masks, inside = batch(generator, self.held_out, 16, self.size, self.backdrop)
            with torch.no_grad():
                probability = torch.sigmoid(module(inputs.to(device)).float()).cpu()
            ious.append(overlap(probability, masks, inside))
            errors.append(((probability - masks).abs() * inside).sum() / inside.sum())
        return {"iou": float(torch.cat(ious).mean()), "absolute": float(torch.stack(errors).mean())}

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        """A composite, the probability that is found in it, and its true mask, side by side."""
        generator = torch.Generator().manual_seed(1)
        inputs, masks, _ = batch(generator, self.held_out or self.source, 1, self.size, self.backdrop)
        probability = torch.sigmoid(module(inputs.to(device_of(module))).float()).cpu()
        composite = (inputs[0, :3].permute(1, 2, 0) + 2) / 4
        gray = [maps[0, ..., None].expand_as(composite) for maps in (probability, masks)]
        return {"mask": torch.cat((composite, *gray), dim=1)}

    def _loss(
        self, made: tuple[Tensor, Tensor, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step, generator
        inputs, masks, inside = made
        logits = self.module(inputs.contiguous(memory_format=torch.channels_last)).float()
        total, parts = mask_loss(logits, masks, inside, edges=self.options.edges)
        iou = overlap(torch.sigmoid(logits.detach()), masks, inside).mean()
        return total, {name: value.detach() for name, value in parts.items()} | {"iou": iou}


def mask_loss(
    logits: Float[Tensor, "b h w"],
    masks: Float[Tensor, "b h w"],
    inside: Float[Tensor, "b h w"],
    *,
    edges: float = 0.0,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Cross entropy plus soft Dice (Milletari et al. 2016, eq. 2 with the L1 denominator), where `inside` is 1.

    Args:
        edges: what is added to a pixel's weight in the cross entropy where the mask changes within three pixels of it.
    """
    near = functional.max_pool2d(masks, 7, 1, 3) + functional.max_pool2d(-masks, 7, 1, 3)
    weight = inside * (1 + edges * near)
    entropy = functional.binary_cross_entropy_with_logits(logits, masks, weight=weight, reduction="sum") / weight.sum()
    probability, true = torch.sigmoid(logits) * inside, masks * inside
    shared = 2 * (probability * true).sum(dim=(1, 2)) + 1
    dice = (1 - shared / (probability.sum(dim=(1, 2)) + true.sum(dim=(1, 2)) + 1)).mean()
    return entropy + dice, {"entropy": entropy, "dice": dice}


def overlap(
    probability: Float[Tensor, "b h w"], masks: Float[Tensor, "b h w"], inside: Float[Tensor, "b h w"]
) -> Float[Tensor, " b"]:
    """Intersection over union of the masks cut at a half, each picture for itself; 1 where both are empty."""
    found, true = (probability > 0.5) & (inside > 0), (masks > 0.5) & (inside > 0)
    union = (found | true).sum(dim=(1, 2))
    return torch.where(union > 0, (found & true).sum(dim=(1, 2)) / union.clamp(min=1), 1.0)


def train_matting(
    data: str | Path, out: str | Path, options: TrainOptions, settings: MattingTraining | None = None
) -> TrainResult:
    """Train on a pack, without the validation objects and their near-duplicates; write `out`/weights.

    Raises:
        InputError: `data` is no pack, or `out` holds another training.
    """
    sizes = settings or MattingTraining()
    packed = PackedObjects(data, exclude=[*validation_names(), *excluded_names()])
    known = set(validation_names())
    validation_images = [name for name in PackedObjects(data).names if name in known]
    held_out = PackSource(PackedObjects(data, validation_images)) if validation_images else None
    torch.manual_seed(options.seed)
    module = begun(sizes)
    result = train(MattingTask(module, PackSource(packed), sizes, held_out, steps=options.steps), out, options=options)
    publish(module, module.config, result, Path(out) / "weights", card=_card(packed, module, sizes, result))
    return result


def begun(sizes: MattingTraining) -> MattingNet | LiteMattingNet:
    """The network before its training, with what is known already."""
    if sizes.start and architecture_of(sizes.start) == LiteMattingNet.__name__:
        return load_pretrained(LiteMattingNet, LiteMattingConfig, sizes.start)[0]
    if sizes.start:
        return load_pretrained(MattingNet, MattingConfig, sizes.start)[0]
    if not sizes.backbone:
        return MattingNet()
    module = LiteMattingNet()
    load_imagenet(module.backbone, sizes.backbone)
    return module


TRAINING = Training(
    "matting",
    "the network that finds an object's mask, from a pack",
    MattingTraining,
    train_matting,
    data="Folder that `monoform prepare meshes` has made.",
)


def _card(
    packed: PackedObjects, module: MattingNet | LiteMattingNet, sizes: MattingTraining, result: TrainResult
) -> str:
    columns = ("evaluate/iou", "evaluate/absolute", "matting/iou", "matting/entropy", "matting/dice")
    behind = "photographs and drawn backgrounds" if sizes.backgrounds else "drawn backgrounds"
    lite = isinstance(module, LiteMattingNet)
    network = "a decoder over EfficientNet-Lite0" if lite else "a small U-shaped network"
    before = f", on weights that were there ({Path(sizes.start).name})" if sizes.start else ""
    scans = SCANS.replace("No photo was used", "No photo with a true mask was used") if sizes.backgrounds else SCANS
    notice = (
        " The backbone was fine-tuned from ImageNet weights of EfficientNet-Lite0 (Google, Apache-2.0, converted by ML "
        "Illustrated, 2020); they were changed."
    )
    return weights_card(
        "matting",
        f"The mask of the object in a photo, by monoform's own network, {network}.",
        data=f"{packed.sentence()}, rendered by monoform and laid over {behind}. {scans}",
        license=f"Apache-2.0.{notice if lite else ''}",
        training=f"{result.step} steps of {sizes.pictures} pictures{before}. Of the figures, evaluate is of validation "
        f"meshes over {behind}, iou of the network alone, absolute the mean error of the probability.",
        fails="several objects of which one is meant, objects that fill the frame or lie at its edge, thin parts such "
        "as wires and stems, glass and mirrors, hair and fur, an object of the colours of what it stands on; a strong "
        "shadow or the plate under the food may be taken for the object.",
        figures={name: result.metrics[name] for name in columns if name in result.metrics},
    )
