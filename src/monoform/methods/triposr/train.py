"""Training of TripoSR, or fine-tuning from its weights: pictures of the field beside those of the object (the paper,
section 2; its training program was never published, so that what it does not tell is LRM's, Hong et al. 2023)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ...data.objects.splits import excluded_names, validation_names
from ...data.packs.dataset import PackedObjects
from ...devices import CPU, device_of, full_precision, to_device
from ...errors import InputError
from ...metrics.lpips import Lpips
from ...nn.transformer import TransformerConfig
from ...nn.vit import VitConfig
from ...ranges import require_ranges
from ...training import Cosine, LoopSettings, Optimizer, Phase, Training, TrainOptions, TrainResult, publish, train
from ...training.card import SCANS, weights_card
from .batches import training_batch
from .config import Rendering, TripoSrConfig
from .losses import PERCEPTUAL, color_loss, mask_loss
from .model import TripoSrNet
from .planes import PlaneVolume
from .published import open_network
from .rendering import render

RAYS = 1024  # rendered at once
PRESETS = {
    "published": TripoSrConfig(),
    "small": TripoSrConfig(
        image=VitConfig(width=96, layers=4, heads=4, hidden=192, image_size=96, patch=8),
        image_size=96,
        plane_size=16,
        transformer=TransformerConfig(channels=96, heads=4, head_width=24, blocks=3, context=96),
        features=16,
        rendering=Rendering(samples=48),
    ),
}
"""Networks to begin anew with; small is for a CPU."""


@dataclass(frozen=True)
class TripoSrTraining(LoopSettings):
    """What is trained, and what a step consists of.

    Attributes:
        ema_decay: decay of averaged weights; none for no averaging.
        weights: folder of weights or hub id to fine-tune, as `reconstruct --weights` takes it; "" to begin anew.
        config: of a network that begins anew: published, or small, for a CPU.
        objects: in a step.
        views: of each object whose patches are compared, that of the network's picture among them.
        patch: side of a patch in pixels.
        rate: highest learning rate; the paper's 4e-4 is for a network that begins anew.
        warmup: steps up to the highest rate; at most a tenth of all.
        image_rate: share of the rate by which the network that sees the photo learns; 0 leaves it as it is.
        checkpointing: compute parts once more for their gradients, which takes a fraction of the memory.
        vgg: file of torchvision's VGG-16 weights, for the perceptual part of the loss; "" to leave that out.
        lpips: file of the linear layers of LPIPS for VGG, for the same.
    """

    ema_decay: float | None = None
    weights: str = ""
    config: Literal["published", "small"] = "published"
    objects: int = 1
    views: int = 4
    patch: int = 64
    rate: float = 4e-5
    warmup: int = 2000
    image_rate: float = 0.0
    checkpointing: bool = True
    vgg: str = ""
    lpips: str = ""

    def __post_init__(self) -> None:
        require_ranges(self, "TripoSR's", objects=(1, 4096), views=(1, 64), patch=(1, 1024), rate=(1e-9, 10.0))
        require_ranges(self, "TripoSR's", warmup=(0, 1_000_000_000), image_rate=(0.0, 10.0))
        if self.config not in PRESETS:
            raise InputError(f"TripoSR's config is {self.config!r}; choose one of {', '.join(PRESETS)}.")
        if bool(self.vgg) != bool(self.lpips):
            raise InputError("The perceptual part of the loss needs both files, vgg and lpips: give both, or neither.")


class TripoSrTask:
    """Data and loss for the training loop.

    Args:
        module: the network.
        objects: the packed training objects.
        options: sizes of a step.
        steps: of the whole training, over which the rate falls to nothing.
    """

    def __init__(self, module: TripoSrNet, objects: PackedObjects, options: TripoSrTraining, *, steps: int) -> None:
        self.module: nn.Module = module
        self.net, self.objects, self.options, self.steps = module, objects, options, steps
        self.distance = Lpips.load(options.vgg, options.lpips) if options.vgg else None
        module.backbone.checkpointing = options.checkpointing

    def phases(self) -> list[Phase]:
        """One phase; the network that sees the photo has a rate of its own."""
        schedule = Cosine(self.steps, warmup=min(self.options.warmup, self.steps // 10))
        optimizer = Optimizer(rate=self.options.rate, betas=(0.9, 0.95), weight_decay=0.05)
        return [Phase("triposr", self._parameters, self._loss, optimizer=optimizer, schedule=schedule)]

    def _parameters(self) -> list[dict[str, Any]]:
        seeing = list(self.net.image_tokenizer.parameters())
        known = {id(each) for each in seeing}
        others = [each for each in self.net.parameters() if id(each) not in known]
        rate = self.options.image_rate * self.options.rate
        return [{"params": others}] + ([{"params": seeing, "lr": rate}] if rate else [])

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random objects, random views of them."""
        del step
        indices = torch.randint(len(self.objects), (self.options.objects,), generator=generator)
        return self._batch(indices, generator, self.options.views, self.options.patch)

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        """What the network sees of an object, what comes of it from another side, and what should."""
        side = min(self.objects.image_size, 64)
        made = self._batch(torch.tensor([0]), torch.Generator().manual_seed(0), min(2, self.objects.view_count), side)
        with torch.no_grad():
            seen = to_device(self._seen(module, to_device(made, device_of(module)), None)[0][0], CPU)
        shown = torch.nn.functional.interpolate(made["pictures"], (side, side), mode="area")[0].permute(1, 2, 0)
        return {"views": torch.cat((shown, *seen.clamp(0, 1), *made["rgb"][0]), dim=1)}

    def _batch(self, indices: Tensor, generator: torch.Generator, views: int, patch: int) -> dict[str, Tensor]:
        size = self.net.config.image_size
        return training_batch(self.objects, indices, generator, views=views, patch=patch, image_size=size)

    def _seen(
        self, module: nn.Module, batch: dict[str, Tensor], generator: torch.Generator | None
    ) -> tuple[Float[Tensor, "b v p p 3"], Float[Tensor, "b v p p"]]:
        """Colors and coverage of the batch's rays."""
        planes = module(batch["pictures"])
        with full_precision(planes):
            found = [
                self._rays(own, origins.flatten(0, 2), directions.flatten(0, 2), generator)
                for own, origins, directions in zip(planes.float(), batch["origins"], batch["directions"], strict=True)
            ]
        shape = batch["alpha"].shape[1:]
        rgb, alpha = (torch.stack(each) for each in zip(*found, strict=True))
        return rgb.unflatten(1, shape), alpha.unflatten(1, shape)

    def _rays(
        self,
        planes: Float[Tensor, "3 f q q"],
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        generator: torch.Generator | None,
    ) -> tuple[Float[Tensor, "r 3"], Float[Tensor, " r"]]:
        rendering = self.net.config.rendering

        def some(planes: Tensor, origins: Tensor, directions: Tensor, seed: int) -> tuple[Tensor, Tensor]:
            volume = PlaneVolume(planes, self.net.decoder, rendering, chunk=0)
            jitter = None if generator is None else torch.Generator().manual_seed(seed)  # the same when done again
            seen, hit = render(volume.query, origins, directions, rendering, generator=jitter)
            rgb, alpha = torch.ones_like(origins), torch.zeros_like(origins[:, 0])
            return rgb.index_put((hit,), seen.rgb), alpha.index_put((hit,), seen.alpha)

        parts = []
        for rays in zip(origins.split(RAYS), directions.split(RAYS), strict=True):
            seed = int(torch.randint(2**31, (), generator=generator, device=generator.device)) if generator else 0
            if self.options.checkpointing and torch.is_grad_enabled():
                parts.append(checkpoint(some, planes, *rays, seed, use_reentrant=False))
            else:
                parts.append(some(planes, *rays, seed))
        rgb, alpha = (torch.cat(each) for each in zip(*parts, strict=True))
        return rgb, alpha

    def _loss(
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step
        rgb, alpha = self._seen(self.module, batch, generator)
        parts = {"color": color_loss(rgb, batch["rgb"]), "mask": mask_loss(alpha, batch["alpha"])}
        if self.distance is not None:
            ours, true = (2 * each.flatten(0, 1).permute(0, 3, 1, 2) - 1 for each in (rgb, batch["rgb"]))
            parts["perceptual"] = PERCEPTUAL * self.distance.to(rgb.device).distances(ours, true).mean()
        return torch.stack(list(parts.values())).sum(), {name: each.detach() for name, each in parts.items()}


def train_triposr(
    data: str | Path, out: str | Path, options: TrainOptions, settings: TripoSrTraining | None = None
) -> TrainResult:
    """Train on a pack, without the validation objects and their near-duplicates; write `out`/weights.

    Raises:
        InputError: `data` is no pack, a patch is larger than its views, weights cannot be had, or `out` holds another
            training.
    """
    settings = settings or TripoSrTraining()
    packed = PackedObjects(data, exclude=[*validation_names(), *excluded_names()])
    if settings.patch > packed.image_size:
        raise InputError(f"TripoSR's patch is {settings.patch} pixels; the views of {data} have {packed.image_size}.")
    torch.manual_seed(options.seed)
    module = open_network(settings.weights) if settings.weights else TripoSrNet(PRESETS[settings.config])
    module.image_tokenizer.requires_grad_(bool(settings.image_rate))
    assert module.image_tokenizer.model.pooler is not None
    module.image_tokenizer.model.pooler.requires_grad_(False)  # nothing runs it
    task = TripoSrTask(module, packed, settings, steps=options.steps)
    result = train(task, out, options=options)
    publish(module, module.config, result, Path(out) / "weights", card=_card(packed, settings, result))
    return result


TRAINING = Training(
    "triposr",
    "TripoSR, anew or from its weights, from a pack of objects",
    TripoSrTraining,
    train_triposr,
    data="Folder that `monoform prepare meshes` has made.",
)


def _card(packed: PackedObjects, settings: TripoSrTraining, result: TrainResult) -> str:
    begun = f"fine-tuned from {settings.weights}" if settings.weights else "begun anew"
    return weights_card(
        "TripoSR, trained with monoform",
        "One photo to a tri-plane radiance field (Tochilkin et al. 2024).",
        data=f"{packed.sentence()}, rendered by monoform. {SCANS}",
        license="that of the data and of the weights that were fine-tuned, where there are such.",
        training=f"{result.step} steps of {settings.objects} objects x {settings.views} patches of {settings.patch} "
        f"pixels for each process, {begun}.",
        fails="objects unlike those of the data; hidden sides, which are guessed.",
        figures=dict(sorted(result.metrics.items())),
    )
