"""Training of pixelNeRF (Yu et al. 2021, section 5 and supplement B.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...data.objects.color_jitter import changed_colors, draw_color_change
from ...data.posed.cached import CachedObjects
from ...data.posed.objects import PosedObject, PosedObjects
from ...data.posed.open import open_posed
from ...data.posed.srn import Split
from ...devices import device_of, to_device
from ...errors import InputError
from ...metrics import psnr
from ...nn.resnet import load_resnet
from ...training import (
    Checkpoint,
    Constant,
    Cosine,
    Optimizer,
    Phase,
    Schedule,
    Training,
    TrainOptions,
    TrainResult,
    load_pretrained,
    publish,
    train,
)
from ...training.card import weights_card
from .batches import RayBatch, sample_rays, stacked
from .cameras import published_rays
from .config import PixelNerfConfig, preset
from .fast import render_image
from .losses import color_loss
from .model import PixelNerfNet
from .published import config_from_file, published_config, schedule_from_file
from .published_training import read_training, seen_objects
from .render import render
from .sample_schedule import SampleSchedule
from .training_options import PixelNerfTraining

__all__ = ["PixelNerfTask", "PixelNerfTraining", "train_pixelnerf"]

PICTURE = 48  # pixels of the longer side of what is shown while it trains


class PixelNerfTask:
    """Data and loss of pixelNeRF for the training loop.

    Args:
        module: the network.
        objects: what is learned from.
        options: sizes of a step.
        steps: of the whole training, for the schedule.
        held_out: objects for the evaluation; None for none.
        started: state to begin with; None to begin anew.
        samples: of the rays, by the objects that have been seen; None: those of the configuration at all times.
        seen: objects that the training had seen where it started.
    """

    def __init__(
        self,
        module: PixelNerfNet,
        objects: PosedObjects,
        options: PixelNerfTraining,
        *,
        steps: int,
        held_out: PosedObjects | None = None,
        started: Checkpoint | None = None,
        samples: SampleSchedule | None = None,
        seen: int = 0,
    ) -> None:
        self.started, self.seen = started, seen
        self.samples = samples or SampleSchedule(module.config.sampling)
        self.module: nn.Module = module
        self.net, self.options, self.steps = module, options, steps
        self.objects = CachedObjects(objects)
        self.held_out = None if held_out is None else CachedObjects(held_out)
        if options.freeze_encoder:
            module.encoder.requires_grad_(False)

    def phases(self) -> list[Phase]:
        """One phase over all parameters: Adam at a constant rate, as published, or one that falls."""
        options = self.options
        schedule: Schedule = Cosine(self.steps, warmup=options.warmup) if options.falling else Constant()
        optimizer = Optimizer(name="adam", rate=options.rate)
        return [Phase("pixelnerf", self.module.parameters, self._loss, optimizer=optimizer, schedule=schedule)]

    def start(self) -> Checkpoint | None:
        """Where a training with the authors' program stopped."""
        return self.started

    def batch(self, step: int, generator: torch.Generator) -> RayBatch:
        """Random objects, as many random source views of each, and rays over all of their views."""
        counts = self.options.views
        views = counts[_one_of(len(counts), generator)]
        chosen = torch.randint(len(self.objects), (self.options.objects,), generator=generator).tolist()
        boxed = step < self.options.boxes_until
        return stacked([self._part(self.objects[which], views, boxed, generator) for which in chosen])

    def _part(self, content: PosedObject, views: int, boxed: bool, generator: torch.Generator) -> RayBatch:
        """The part of one object."""
        if len(content) < views:
            raise InputError(f"{content.key} has {len(content)} views; {views} source views are asked for.")
        most = self.options.most_views or len(content)
        usable = torch.randperm(len(content), generator=generator)[:most]
        sources = usable[torch.randperm(len(usable), generator=generator)[:views]]
        images = content.images
        if self.options.recolor:
            images = changed_colors(images, draw_color_change(generator=generator))
        boxes = content.boxes if boxed else None
        return sample_rays(replace(content, images=images), sources, usable, self.options.rays, boxes, generator)

    def before_step(self, step: int, generator: torch.Generator) -> None:
        """Training mode, without a frozen encoder's batch statistics."""
        del generator
        self.net.begin_step(step)
        if self.options.freeze_encoder:
            self.net.encoder.eval()

    def _loss(self, batch: RayBatch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        since = step if self.started is None else step - self.started.step
        sampling = self.samples.at(self.seen + since * self.options.objects)
        encoded = self.net.encode(batch.images, batch.cameras)
        rendered = render(self.net, encoded, batch.rays, sampling=sampling, generator=generator, sparse=True)
        return color_loss(rendered, batch.colors, absolute=self.options.absolute)

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """PSNR over random rays of whole images of objects that were held out, the same at each step."""
        del step
        if self.held_out is None:
            return {}
        assert isinstance(module, PixelNerfNet)
        generator = torch.Generator().manual_seed(0)
        views = self.options.views[0]
        found = []
        for which in range(min(self.options.validation_objects, len(self.held_out))):
            content = self.held_out[which]
            order = torch.randperm(len(content), generator=generator)
            batch = sample_rays(content, order[:views], order, self.options.validation_rays, None, generator)
            place = next(module.parameters()).device
            with torch.no_grad():
                encoded = module.encode(batch.images.to(place), batch.cameras.to(place))
                seen = render(module, encoded, batch.rays.to(place)).best.rgb.cpu()
            found.append(psnr(seen, batch.colors))
        return {"psnr": sum(found) / len(found)}

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        """A small view of an object that was held out where there is one: source, truth, depth, what is seen, alpha."""
        assert isinstance(module, PixelNerfNet)
        content = to_device((self.held_out or self.objects)[0], device_of(module))
        camera = content.cameras[len(content) - 1]
        share = min(1.0, PICTURE / max(camera.width, camera.height))
        small = camera.resized(max(1, round(share * camera.width)), max(1, round(share * camera.height)))
        encoded = module.encode(content.images[None, :1], content.cameras[:1])
        rays = published_rays(small, content.near, content.far)[0].to(content.images)
        seen = render_image(module, encoded, rays)
        size = (small.height, small.width)
        known = functional.interpolate(content.images[[0, -1]].permute(0, 3, 1, 2), size, mode="area")
        source, truth = known.permute(0, 2, 3, 1)
        low, high = seen.depth.aminmax()
        depth = (seen.depth - low) / (high - low).clamp_min(1e-6)
        grays = [one[..., None].expand(-1, -1, 3) for one in (depth, seen.alpha)]
        return {"view": torch.cat((source, truth, grays[0], seen.rgb, grays[1]), dim=1)}


def _one_of(count: int, generator: torch.Generator) -> int:
    return int(torch.randint(count, (1,), generator=generator))


def train_pixelnerf(
    data: str | Path, out: str | Path, options: TrainOptions, settings: PixelNerfTraining | None = None
) -> TrainResult:
    """Train on the "train" split of a posed data set, judge by its "val" split if it has one; write `out`/weights.

    Raises:
        InputError: the data cannot be read, or `out` holds another training.
    """
    settings = settings or PixelNerfTraining()
    torch.manual_seed(options.seed)
    net, started = _network(settings)
    samples = _samples(settings, net)
    objects = _opened(data, "train", settings, net.config)
    held_out = _held_out(data, settings, net.config)
    seen = 0 if started is None else seen_objects(settings.published, started.step * settings.objects)
    task = PixelNerfTask(
        net, objects, settings, steps=options.steps, held_out=held_out, started=started, samples=samples, seen=seen
    )
    result = train(task, out, options=options)
    publish(net, net.config, result, Path(out) / "weights", card=_card(objects, result, settings))
    return result


def _network(settings: PixelNerfTraining) -> tuple[PixelNerfNet, Checkpoint | None]:
    """The network, and the state of a training with the authors' program that goes on."""
    if settings.published:
        name = settings.config
        config = config_from_file(settings.conf, name) if settings.conf else published_config(name)
        return read_training(settings.published, config, rate=settings.rate)
    if settings.weights:
        return load_pretrained(PixelNerfNet, PixelNerfConfig, settings.weights)[0].train(), None
    net = PixelNerfNet(published_config(settings.config) if settings.original else preset(settings.config))
    if settings.encoder_init:
        load_resnet(net.encoder.model, settings.encoder_init)
    return net, None


def _samples(settings: PixelNerfTraining, net: PixelNerfNet) -> SampleSchedule:
    """The schedule of samples that is asked for, or else that of the published file; its last ones become those of the
    network's configuration."""
    if settings.conf and not settings.samples_from:
        return schedule_from_file(settings.conf, net.config.sampling)
    wanted = settings.samples_from, settings.coarse_samples, settings.fine_samples
    samples = SampleSchedule(net.config.sampling, *wanted)
    net.config = replace(net.config, sampling=samples.last)
    return samples


def _opened(data: str | Path, split: Split, settings: PixelNerfTraining, config: PixelNerfConfig) -> PosedObjects:
    kind, domain = settings.format, config.domain
    return open_posed(
        data,
        split,
        format=kind,  # type: ignore[arg-type]
        unseen=settings.unseen,
        size=domain.size,
        radius=domain.world_radius,
    )


def _held_out(data: str | Path, settings: PixelNerfTraining, config: PixelNerfConfig) -> PosedObjects | None:
    try:
        return _opened(data, "val", settings, config)
    except InputError:
        return None


def _card(objects: PosedObjects, result: TrainResult, settings: PixelNerfTraining) -> str:
    views = sum(objects.view_count(number) for number in range(len(objects)))
    start = f", starting from the weights {Path(settings.weights).name}" if settings.weights else ""
    return weights_card(
        "pixelNeRF, trained with monoform",
        "One or a few photos of an object with their cameras to a radiance field (Yu et al. 2021).",
        data=f"{len(objects)} objects, {views} views.",
        license="that of the data; the code is under Apache-2.0.",
        training=f"{result.step} steps of {settings.objects} objects x {settings.rays} rays, source views "
        f"{' '.join(map(str, settings.views))}, configuration `{settings.config}`{start}.",
        fails="objects unlike those of the data; hidden sides, which are blurred; photos without a camera that are "
        "taken otherwise than those of the data.",
        figures=dict(sorted(result.metrics.items())),
    )


TRAINING = Training(
    "pixelnerf",
    "a radiance field from a posed data set",
    PixelNerfTraining,
    train_pixelnerf,
    data="A posed data set, see `monoform prepare check`, or captures of scenes: transforms.json, LLFF, COLMAP.",
)
