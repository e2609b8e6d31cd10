"""The two stages of LIST's training as tasks of the training loop (Arshad and Beksi 2023, section 3.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ...devices import device_of
from ...training import Constant, Cosine, Optimizer, Phase, Schedule
from .localize import network_query, project
from .losses import (
    chamfer_loss,
    distance_error,
    distance_loss,
    matrix_loss,
    near_distance_loss,
    occupancy_loss,
    side_loss,
    sign_accuracy,
)
from .model import CoarseNet, ListNet
from .volume import occupancy

LEVELS = tuple(round(0.01 * number, 2) for number in range(-20, 51))  # of scaled distances that are tried
PICTURE = 64  # pixels of the side of what is shown while it trains
Net = TypeVar("Net", bound=nn.Module)
Batches = Callable[[int, torch.Generator], dict[str, Tensor]]
Validate = Callable[[nn.Module, int], dict[str, float]]


@dataclass(frozen=True)
class StageOptions:
    """How a stage is trained.

    Attributes:
        steps: of the stage.
        rate: highest learning rate.
        published: losses, optimizer and constant rate of the original; else AdamW along a cosine, distances near the
            surface, on which side of it a point lies, and the camera where it is known.
        matrix: weight of the projection matrix beside the distances, in the clean form.
        occupancy: weight of the occupancy beside the distances, in the clean form.
        side: weight of the side of the surface beside the distances, in the clean form.
    """

    steps: int
    rate: float = 1e-4
    published: bool = False
    matrix: float = 2.0
    occupancy: float = 2e-3
    side: float = 0.5

    def phase(self, name: str, module: nn.Module, loss: Callable) -> Phase:
        """One phase over the parameters that are not frozen."""
        if self.published:
            optimizer, schedule = published_optimizer(), Constant()
            return Phase(name, module.parameters, loss, optimizer=optimizer, schedule=schedule)
        falling: Schedule = Cosine(self.steps, warmup=min(100, self.steps // 10))
        optimizer = Optimizer(rate=self.rate, betas=(0.9, 0.99), weight_decay=0.01)
        return Phase(name, module.parameters, loss, optimizer=optimizer, schedule=falling)


def published_optimizer() -> Optimizer:
    """Adam with the published rate and decay, the decay added to the gradient."""
    return Optimizer(name="adam", rate=1e-4, betas=(0.9, 0.999), weight_decay=1e-5)


class _StageTask(Generic[Net]):
    """Data of a stage, and the figures of objects that were held out.

    Args:
        module: the network.
        batches: (step, generator) -> what a step learns from.
        validate: (module, step) -> figures of the evaluation.
    """

    def __init__(self, module: Net, batches: Batches, options: StageOptions, validate: Validate | None = None) -> None:
        self.module: nn.Module = module
        self.net, self.batches, self.options, self.validate = module, batches, options, validate

    def batch(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Random objects."""
        return self.batches(step, generator)

    def evaluate(self, module: nn.Module, step: int) -> dict[str, float]:
        """Figures of objects that were held out."""
        return {} if self.validate is None else self.validate(module, step)


class CoarseTask(_StageTask[CoarseNet]):
    """The first stage: clouds by their chamfer distance; a batch has images and cloud."""

    def phases(self) -> list[Phase]:
        """One phase over all parameters."""
        return [self.options.phase("coarse", self.module, self._loss)]

    def _loss(
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step, generator
        loss = chamfer_loss(self.net(batch["images"]), batch["cloud"])
        return loss, {"chamfer": loss.detach()}

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        """A picture, and the cloud that is seen in it, from the front."""
        image = self.batches(0, torch.Generator().manual_seed(0))["images"][:2]
        cloud = module(image.to(device_of(module)))[0].cpu()
        half = self.net.config.network.half_side
        shares = torch.stack((-cloud[:, 1], cloud[:, 0]), dim=1).clamp(-half, half) / (2 * half) + 0.5
        rows, columns = (shares * (PICTURE - 1)).round().long().unbind(dim=1)
        drawn = torch.zeros(PICTURE, PICTURE).index_put_((rows, columns), torch.tensor(0.3), accumulate=True)
        return {"cloud": _beside(image[0], drawn)}


class ListTask(_StageTask[ListNet]):
    """The second stage: distances and occupancy, the first stage frozen.

    A batch has images, cloud, points, sdf and, where cameras are known, matrix.
    """

    def __init__(
        self, module: ListNet, batches: Batches, options: StageOptions, validate: Validate | None = None
    ) -> None:
        super().__init__(module, batches, options, validate)
        module.freeze_first_stage()

    def phases(self) -> list[Phase]:
        """One phase over the parameters that are not frozen."""
        return [self.options.phase("list", self.module, self._loss)]

    def _loss(
        self, batch: dict[str, Tensor], step: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        del step, generator
        net, scale = self.net, self.net.config.sdf_scale
        network = net.config.network
        seen = net.encode(batch["images"])
        scaled = net.distances(seen, batch["points"])
        target = occupancy(batch["cloud"], network.volume_nodes, network.half_side)
        parts = {"occupancy": occupancy_loss(seen.volumes[0][:, 0], target)}
        if self.options.published:
            parts["distance"] = distance_loss(scaled, batch["sdf"], scale)
            weights = {"occupancy": 1.0, "distance": 1.0}
        else:
            parts["distance"] = near_distance_loss(scaled, batch["sdf"], scale)
            parts["side"] = side_loss(scaled, batch["sdf"], scale)
            weights = {"occupancy": self.options.occupancy, "distance": 1.0, "side": self.options.side}
            if "matrix" in batch:
                parts["matrix"] = _matrix_part(net, seen.matrix, batch)
                weights["matrix"] = self.options.matrix
        total = torch.stack([weights[name] * part for name, part in parts.items()]).sum()
        measures = {name: part.detach() for name, part in parts.items()}
        measures["error"] = distance_error(scaled.detach(), batch["sdf"], scale)
        measures["sign"] = sign_accuracy(scaled.detach(), batch["sdf"])
        return total, measures

    def pictures(self, module: nn.Module) -> dict[str, Tensor]:
        """A picture, and a cut through the middle of what is seen in it: white within, black outside."""
        image, device = self.batches(0, torch.Generator().manual_seed(0))["images"][:2], device_of(module)
        assert isinstance(module, ListNet)
        steps = torch.linspace(-1, 1, PICTURE, device=device) * module.config.network.half_side
        rows, columns = torch.meshgrid(-steps, steps, indexing="ij")
        points = torch.stack((columns, rows, torch.zeros_like(rows)), dim=-1).reshape(1, -1, 3)
        found = module.distances(module.encode(image.to(device)), points.expand(len(image), -1, -1))[0]
        return {"cut": _beside(image[0], (found < module.config.level).float().reshape(PICTURE, PICTURE).cpu())}


def _beside(image: Float[Tensor, "3 s s"], drawn: Float[Tensor, "p p"]) -> Float[Tensor, "p w 3"]:
    """A picture at the size of what is drawn, and that beside it."""
    small = functional.interpolate(image[None], drawn.shape, mode="area")[0].permute(1, 2, 0)
    return torch.cat((small, drawn.clamp(0, 1)[..., None].expand_as(small)), dim=1)


def _matrix_part(net: ListNet, matrix: Float[Tensor, "b 4 3"], batch: dict[str, Tensor]) -> Float[Tensor, ""]:
    """Distance of surface points projected by the predicted matrix from their true projections."""
    query = network_query(batch["cloud"], net.config.network.half_side)
    return matrix_loss(project(query, matrix), project(query, batch["matrix"]), net.config.network.map_side)


@torch.no_grad()
def cloud_scores(net: CoarseNet, batch: dict[str, Tensor]) -> dict[str, float]:
    """The chamfer loss on held-out objects."""
    return {"chamfer": float(chamfer_loss(net(batch["images"]), batch["cloud"]))}


@torch.no_grad()
def distance_scores(net: ListNet, batch: dict[str, Tensor]) -> dict[str, float]:
    """IoU over the held-out points, and the mean distance on the map between predicted and true places."""
    seen = net.encode(batch["images"])
    ours, true = net.distances(seen, batch["points"]) < 0, batch["sdf"] < 0
    iou = (ours & true).sum(1) / (ours | true).sum(1).clamp_min(1)
    found = {"iou": float(iou.mean())}
    if "matrix" in batch:
        found["matrix"] = float(_matrix_part(net, seen.matrix, batch))
    return found


@torch.no_grad()
def best_level(net: ListNet, solids: dict[str, Tensor]) -> float:
    """The level of the network's output whose inside agrees best with that of the solids, by their mean IoU."""
    found = net.distances(net.encode(solids["images"]), solids["points"])
    scores = {}
    for level in LEVELS:
        ours, true = found < level, solids["inside"]
        scores[level] = float(((ours & true).sum(1) / (ours | true).sum(1).clamp_min(1)).mean())
    return max(scores, key=lambda level: scores[level])
