"""What follows the training of a scene, scores, mesh and film, within the time that is left for it."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ...data.capture import CaptureView
from ...errors import InputError
from ...progress import in_words, work
from .fused import Look
from .held_out import Scores, judge
from .products import TEXTURE, looking, scene_mesh, write_turntable
from .scene import Scene
from .settings import SceneTraining

FRAMES = 36  # of the film
FEWEST_LOOKS = 12  # of a mesh that is worth having
PROBE_CAMERAS, PROBE_RAYS, PROBE_POINTS = 4, 512, 20_000
UNWRAP_SECONDS = 8.0  # simplifying, unwrapping and writing a mesh of 30,000 triangles, about
CAUTION = 1.25  # estimates are for a machine that others may use too


@dataclass(frozen=True)
class Speed:
    """Seconds to render a ray, and to look one point up in one camera's picture."""

    ray: float
    lookup: float


@dataclass(frozen=True, eq=False)
class Afterwards:
    """What is left to do for a scene that is trained, or being trained.

    Attributes:
        scene: with its views. settings: of the training. held: photos to judge it by.
        deadline: `time.perf_counter()` at which all should be done; None for no limit.
    """

    scene: Scene
    settings: SceneTraining
    held: Sequence[CaptureView]
    deadline: float | None = None

    def seconds(self) -> float:
        """How long all of it takes as the scene is now, measured on a few rays."""
        speed = measured(self.scene)
        return self._judging(speed) * len(self.held) + self._mesh(speed) + self._film(speed, self.settings.film)

    def scores(self, pictures: Path) -> Scores | None:
        """Of the held-out photos, of as many as there is time for; None where there are none."""
        count = len(self.held)
        if self.deadline is not None and count:
            count = min(count, max(0, int(self._left() / max(self._judging(measured(self.scene)), 1e-9))))
        if count < len(self.held):
            print(f"{count} of {len(self.held)} held-out photos are judged: {self._reason()}.")
        chosen = [self.held[index * len(self.held) // count] for index in range(count)]
        return judge(self.scene, chosen, reduced=self.settings.reduced, pictures=pictures) if chosen else None

    def make(self, out: Path) -> None:
        """`out`/mesh.glb and `out`/turntable.mp4; coarser ones, or none, where there is no time, with a sentence."""
        if self.settings.mesh:
            self._make_mesh(out / "mesh.glb")
        if self.settings.film:
            self._make_film(out / "turntable.mp4")

    def _make_mesh(self, file: Path) -> None:
        looks = len(looking(self.scene))
        if self.deadline is not None:
            fewest = min(looks, FEWEST_LOOKS)
            whole = self._mesh(measured(self.scene))
            looks = min(looks, int(looks * (self._left() - UNWRAP_SECONDS) / max(whole - UNWRAP_SECONDS, 1e-9)))
            if looks < fewest:
                print(f"There is no mesh: it takes about {in_words(whole)}, and {self._reason()}.")
                return
            if looks < len(looking(self.scene)):
                print(f"The mesh is put together from {looks} views only: {self._reason()}.")
        try:
            with work("making the mesh"):
                scene_mesh(self.scene, resolution=self.settings.mesh, looks=looks).export(file)
        except InputError as error:  # a scene without a surface, after a few steps
            print(f"There is no mesh: {error}")

    def _make_film(self, file: Path) -> None:
        size = self.settings.film
        if self.deadline is not None:
            whole = self._film(measured(self.scene), size)
            share = math.sqrt(min(1.0, max(self._left(), 0.0) / max(whole, 1e-9)))
            size = 2 * max(1, int(share * size / 2)) if share < 1.0 else size
            if size < 0.25 * self.settings.film:
                print(f"There is no film: it takes about {in_words(whole)}, and {self._reason()}.")
                return
            if size < self.settings.film:
                print(f"The film is {size} pixels wide instead of {self.settings.film}: {self._reason()}.")
        write_turntable(self.scene, file, frames=FRAMES, size=size)

    def _left(self) -> float:
        return math.inf if self.deadline is None else self.deadline - time.perf_counter()

    def _reason(self) -> str:
        return f"--minutes leaves {in_words(max(self._left(), 0.0))} for it"

    def _judging(self, speed: Speed) -> float:
        """Of one photo."""
        if not self.held:
            return 0.0
        pixels = self.held[0].camera.width * self.held[0].camera.height / self.settings.reduced**2
        return CAUTION * speed.ray * pixels

    def _mesh(self, speed: Speed) -> float:
        if not self.settings.mesh:
            return 0.0
        cameras = looking(self.scene)
        rays = sum(camera.width * camera.height for camera in cameras)
        points = (self.settings.mesh + 1) ** 3 + TEXTURE**2
        return CAUTION * (speed.ray * rays + speed.lookup * len(cameras) * points) + UNWRAP_SECONDS

    def _film(self, speed: Speed, size: int) -> float:
        return CAUTION * speed.ray * FRAMES * size**2


@torch.no_grad()
def measured(scene: Scene) -> Speed:
    """How fast this machine renders the scene as it is now."""
    cameras = looking(scene)
    cameras = cameras[:: max(1, len(cameras) // PROBE_CAMERAS)]
    place, renderer, rays = next(scene.net.parameters()).device, scene.renderer(), 0
    begun = time.perf_counter()
    for camera in cameras:
        origins, directions = (part[0].to(place) for part in camera.rays())
        every = max(1, len(origins) // PROBE_RAYS)
        rays += len(renderer(origins[::every], directions[::every]).alpha)
    ray = (time.perf_counter() - begun) / rays
    low, high = scene.field.bounds.cpu()
    points = low + (high - low) * torch.linspace(0.0, 1.0, PROBE_POINTS)[:, None]
    shape = cameras[0].height, cameras[0].width
    look = Look(cameras[0], torch.zeros(*shape, 3), torch.zeros(shape))
    begun = time.perf_counter()
    look.at(points)
    return Speed(ray, (time.perf_counter() - begun) / PROBE_POINTS)
