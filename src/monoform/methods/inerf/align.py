"""Poses by least squares: render, lay the picture over the photo, render again; coarse to fine, many starts at once.

A pose has six numbers, so that second-order steps are cheap. Rendering is not: a picture is rendered once and, as
points in space, followed for a dozen steps without asking the renderer (direct image alignment, Lucas and Kanade 1981;
Baker and Matthews 2004), until what it shows is too far from what would be seen.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...camera import Camera
from ...camera.least_squares import levenberg_marquardt
from ...errors import InputError
from ...metrics.pose import rotation_error, translation_error
from ...render.ray_renderer import RayRenderer
from .frames import Level, level
from .losses import AffineBrightness, Alignment, camera_of
from .reference import Reference, at_poses, render_reference

SETTLED, PATIENCE = 1e-4, 2  # least squares between two renderings end when the cost falls by less, so many times
LOCAL = 0.025  # of the longer side: around so much the mean is taken off in the last stages
APART = math.radians(5.0)  # hypotheses that are nearer to each other are one
WORSE = 1.1  # noise of the score: pictures that are rendered anew are sampled elsewhere


@dataclass(frozen=True)
class Stage:
    """One size of the pictures.

    Attributes:
        longest: pixels of the longer side.
        renders: how often what is seen is rendered anew, at most.
        steps: of least squares after each.
        keep: hypotheses that go on from here, at most.
        local: pixels around which the mean is taken off both pictures, so that light may vary slowly; 0: colours as
            they are.
        hopeless: hypotheses that score so many times worse than the best do not go on.
    """

    longest: int
    renders: int
    steps: int
    keep: int
    local: float = 0.0
    hopeless: float = 1.4


@dataclass(frozen=True)
class DirectAlignment:
    """How poses are aligned.

    Attributes:
        stages: from coarse to fine.
        brightness: how brightness may differ.
        zoom: standard deviation of the logarithm of the focal length's factor; 0: the focal length is known.
        delta: of Huber's loss on colours.
        turned: a stage ends when a pose turns by less (radians), and moves by less than `moved`.
        moved: least motion of a step that goes on, as a share of the camera's distance.
    """

    stages: tuple[Stage, ...] = (Stage(40, 6, 12, 3), Stage(80, 4, 12, 2), Stage(160, 4, 10, 1), Stage(288, 2, 8, 1))
    brightness: AffineBrightness = field(default_factory=AffineBrightness)
    zoom: float = 0.0
    delta: float = 0.08
    turned: float = 1e-3
    moved: float = 1e-3

    def __post_init__(self) -> None:
        if not self.stages or any(min(one.longest, one.renders, one.keep) < 1 for one in self.stages):
            raise InputError("Aligning needs stages, each of at least 1 pixel, 1 render and 1 hypothesis.")


@dataclass(frozen=True, eq=False)
class Hypotheses:
    """Poses with their tones and zooms, the better first.

    Attributes:
        poses: world_from_camera.
        brightness: logarithm of the gain, offset.
        zoom: logarithm of the focal length's factor.
        scores: mean robust difference of the whole rendered pictures to the photo at the last stage.
        starts: from which start each came.
        ratios: of those that were given up, their score then in the best one's; infinity for those that had come to
            the pose of a better one.
    """

    poses: Float[Tensor, "b 4 4"]
    brightness: Float[Tensor, "b 2"]
    zoom: Float[Tensor, "b 1"]
    scores: Float[Tensor, " b"]
    starts: Int[Tensor, " b"]
    ratios: Float[Tensor, " b"]

    def __getitem__(self, rows: Tensor | slice) -> Hypotheses:
        """Some of them."""
        return Hypotheses(**{name: getattr(self, name)[rows] for name in _FIELDS})

    @property
    def values(self) -> dict[str, Tensor]:
        """Variables of the least squares, by name."""
        return {"pose": self.poses, "brightness": self.brightness, "zoom": self.zoom}


@dataclass(frozen=True, eq=False)
class Aligned:
    """What came out.

    Attributes:
        best: the winner, and those that were kept to the end.
        finished: for every start, where it was when it was given up or ended: poses and scores.
        path: poses of the winner at every render, the result last.
        losses: their scores, at the size of their stage.
        seconds: when they were known.
        level: the last size.
        reference: what the winner shows there.
        rays: rendered in all.
    """

    best: Hypotheses
    finished: Hypotheses
    path: Float[Tensor, "t 4 4"]
    losses: Float[Tensor, " t"]
    seconds: Float[Tensor, " t"]
    level: Level
    reference: Reference
    rays: int

    def problem(self, options: DirectAlignment, dtype: torch.dtype = torch.float32) -> Alignment:
        """The least squares problem of the last size at the winner, of the points that count."""
        counted, _ = self.reference.compact()
        counted = Reference(counted.points.to(dtype), counted.colors.to(dtype), counted.weights.to(dtype))
        size = replace(self.level, layers=self.level.layers.to(dtype), camera=self.level.camera.to(dtype))
        return Alignment(counted, size, options.brightness, options.zoom, options.delta)

    @property
    def camera(self) -> Camera:
        """The winner's, of the last size."""
        return camera_of(at_poses(self.level.camera, self.best.poses[:1]), self.best[:1].values)


def align(
    renderer: RayRenderer,
    image: Float[Tensor, "h w 3"],
    camera: Camera,
    starts: Float[Tensor, "b 4 4"],
    options: DirectAlignment | None = None,
    *,
    generator: torch.Generator | None = None,
) -> Aligned:
    """The pose from which the scene looks like the photo.

    Args:
        image: the photo, 0..1, of the camera's size.
        camera: one, whose intrinsics are kept.
        starts: poses to try; those that look least like the photo are given up early.
    """
    options = options or DirectAlignment()
    run = _Run(renderer, camera, options, generator, starts)
    for number, stage in enumerate(options.stages):
        run.stage(level(image, camera, stage.longest, stage.local), stage, prune=number > 0)
    return run.result()


def scores(reference: Reference, level: Level, brightness: Float[Tensor, "b 2"], delta: float) -> Float[Tensor, " b"]:
    """Mean robust difference of whole pictures, in colors: Huber's loss over its slope."""
    seen = brightness[:, :1, None].exp() * reference.colors + brightness[:, 1:, None]
    gap = (seen - level.colors.reshape(1, -1, 3)).abs()
    loss = torch.where(gap < delta, 0.5 * gap.square() / delta, gap - 0.5 * delta)
    return loss.mean((1, 2))


class _Run:
    """The hypotheses on their way."""

    def __init__(
        self,
        renderer: RayRenderer,
        camera: Camera,
        options: DirectAlignment,
        generator: torch.Generator | None,
        starts: Tensor,
    ) -> None:
        self.renderer, self.camera, self.options, self.generator = renderer, camera, options, generator
        count = len(starts)
        like = starts.detach()
        self.now = Hypotheses(
            like, like.new_zeros(count, 2), like.new_zeros(count, 1), like.new_full((count,), torch.inf),
            torch.arange(count), like.new_ones(count),
        )  # fmt: skip
        self.finished: list[Hypotheses] = []
        self.paths: list[list[tuple[Tensor, float, float]]] = [[] for _ in like]
        self.began = time.perf_counter()
        self.rays = 0

    def render_reference(self, size: Level) -> Reference:
        """What the present hypotheses show."""
        cameras = camera_of(at_poses(size.camera, self.now.poses), self.now.values)
        self.rays += len(cameras) * cameras.width * cameras.height
        return render_reference(self.renderer, cameras, size.local, generator=self.generator)

    def stage(self, size: Level, stage: Stage, *, prune: bool) -> None:
        """All renders of one size, and at the end only the hypotheses that are kept."""
        best = self.now
        for number in range(stage.renders + 1):
            reference = self.render_reference(size)
            self.shown = self.now.poses, reference
            found = scores(reference, size, self.now.brightness, self.options.delta)
            self.now = replace(self.now, scores=found)
            self._note()
            best = self.now if number == 0 else _better(self.now, best)
            if number == stage.renders:
                break
            before = self.now.poses
            self.now = self._followed(size, reference, stage.steps)
            if self._still(before):
                break
        order = torch.argsort(best.scores, stable=True)
        self.now, given_up = _parted(best[order], stage)
        self.finished.append(given_up)
        self.size = size

    def _followed(self, size: Level, reference: Reference, steps: int) -> Hypotheses:
        counted, _ = reference.compact()
        problem = Alignment(counted, size, self.options.brightness, self.options.zoom, self.options.delta)
        found = levenberg_marquardt(
            self.now.values, problem.equations, problem.move, steps=steps, tolerance=SETTLED, patience=PATIENCE
        )
        values = found.values
        return replace(self.now, poses=values["pose"], brightness=values["brightness"], zoom=values["zoom"])

    def _still(self, before: Tensor) -> bool:
        turned = rotation_error(self.now.poses, before)
        distance = before[:, :3, 3].norm(dim=-1).clamp_min(1e-6)
        moved = translation_error(self.now.poses, before) / distance
        return bool(((turned < self.options.turned) & (moved < self.options.moved)).all())

    def _note(self) -> None:
        at = time.perf_counter() - self.began
        for start, pose, score in zip(self.now.starts.tolist(), self.now.poses, self.now.scores.tolist(), strict=True):
            self.paths[start].append((pose, score, at))

    def _final_reference(self) -> Reference:
        """What the winner shows, rendered anew where the last pictures were of other poses."""
        poses, reference = self.shown
        same = (poses == self.now.poses[:1]).all(-1).all(-1).nonzero()[:, 0]
        if len(same):
            return reference[same[:1]]
        cameras = camera_of(at_poses(self.size.camera, self.now.poses[:1]), self.now[:1].values)
        return render_reference(self.renderer, cameras, self.size.local, generator=self.generator)

    def result(self) -> Aligned:
        best = self.now.poses[0], float(self.now.scores[0]), time.perf_counter() - self.began
        path = [*self.paths[int(self.now.starts[0])], best]
        everything = [self.now, *self.finished]
        parts = {name: torch.cat([getattr(one, name) for one in everything]) for name in _FIELDS}
        return Aligned(
            best=self.now,
            finished=Hypotheses(**parts),
            path=torch.stack([pose for pose, _, _ in path]),
            losses=torch.tensor([score for _, score, _ in path], dtype=torch.float64),
            seconds=torch.tensor([at for _, _, at in path], dtype=torch.float64),
            level=self.size,
            reference=self._final_reference(),
            rays=self.rays,
        )


_FIELDS = ("poses", "brightness", "zoom", "scores", "starts", "ratios")


def _parted(ordered: Hypotheses, stage: Stage) -> tuple[Hypotheses, Hypotheses]:
    """The best ones that differ from each other, and those that are given up."""
    kept: list[int] = []
    ratios = ordered.scores / ordered.scores[0].clamp_min(1e-12)
    for number in range(len(ratios)):
        angles = rotation_error(ordered.poses[kept], ordered.poses[number].expand(len(kept), 4, 4))
        if bool((angles < APART).any()):
            ratios[number] = torch.inf
        elif len(kept) < stage.keep and ratios[number] < stage.hopeless:
            kept.append(number)
    others = [number for number in range(len(ratios)) if number not in kept]
    marked = replace(ordered, ratios=ratios)
    return replace(marked, ratios=torch.ones_like(ratios))[torch.tensor(kept)], marked[torch.tensor(others).long()]


def _better(one: Hypotheses, other: Hypotheses) -> Hypotheses:
    """Each hypothesis after a stage, or before it where its score was better."""
    lower = one.scores < other.scores * WORSE

    def chosen(name: str) -> Tensor:
        first, second = getattr(one, name), getattr(other, name)
        return torch.where(lower.reshape(-1, *[1] * (first.ndim - 1)), first, second)

    return Hypotheses(**{name: chosen(name) for name in _FIELDS})
