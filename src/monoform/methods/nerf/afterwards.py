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
from ...scene.fusion import DepthView
from .config import SceneTraining
from .evaluate import Scores, evaluate
from .products import TEXTURE, looking, scene_mesh, write_turntable
from .scene import Scene

FRAMES = 36  # of the film
FEWEST_VIEWS = 12  # of a mesh that is worth having
SMALLEST_FILM = 0.25  # of its side
PROBE_CAMERAS, PROBE_RAYS, PROBE_POINTS = 4, 512, 20_000
UNWRAP_SECONDS = 8.0  # simplifying, unwrapping and writing a mesh of 30,000 triangles, about
CAUTION = 1.25  # estimates are for a machine that others may use too


@dataclass(frozen=True)
class Speed:
    """How fast a machine renders, in seconds.

    Attributes:
        ray: to render a ray.
        lookup: to look one point up in one camera's picture.
    """

    ray: float
    lookup: float


@dataclass(frozen=True, eq=False)
class Afterwards:
    """What is left to do for a scene that is trained, or being trained.

    Attributes:
        scene: with its views.
        settings: of the training.
        held: photos to judge it by.
        deadline: `time.perf_counter()` at which all should be done; None for no limit.
    """

    scene: Scene
    settings: SceneTraining
    held: Sequence[CaptureView]
    deadline: float | None = None

    def seconds(self) -> float:
        """How long all of it takes as the scene is now, measured on a few rays."""
        return sum(self._needs(measured(self.scene)))

    def scores(self, pictures: Path) -> Scores | None:
        """Scores of as many held-out photos as there is time for; None where there are none."""
        count = len(self.held)
        if self.deadline is not None and count:
            judging, mesh, film = self._needs(measured(self.scene))
            count = int(count * min(1.0, max(self._left(), 0.0) / (judging + mesh + film)))
        if count < len(self.held):
            print(f"{count} of {len(self.held)} held-out photos are judged: {self._reason()}.")
        chosen = [self.held[index * len(self.held) // count] for index in range(count)]
        return (
            evaluate(self.scene, chosen, downscale_factor=self.settings.downscale_factor, pictures=pictures)
            if chosen
            else None
        )

    def make(self, out: Path) -> None:
        """`out`/mesh.glb and `out`/turntable.mp4; coarser ones, or none, where there is no time, with a sentence."""
        if self.settings.mesh:
            self._make_mesh(out / "mesh.glb")
        if self.settings.film:
            self._make_film(out / "turntable.mp4")

    def _make_mesh(self, file: Path) -> None:
        views = len(looking(self.scene))
        if self.deadline is not None:
            _, mesh, film = self._needs(measured(self.scene))
            share = self._left() * mesh / (mesh + film)
            fits = int(views * min(1.0, (share - UNWRAP_SECONDS) / max(mesh - UNWRAP_SECONDS, 1e-9)))
            if fits < min(views, FEWEST_VIEWS):
                print(f"There is no mesh: it takes about {in_words(mesh)}, and {self._reason()}.")
                return
            if fits < views:
                print(f"The mesh is put together from {fits} of {views} views: {self._reason()}.")
            views = fits
        try:
            with work("making the mesh"):
                scene_mesh(self.scene, resolution=self.settings.mesh, view_count=views).export(file)
        except InputError as error:  # a scene without a surface, after a few steps
            print(f"There is no mesh: {error}")

    def _make_film(self, file: Path) -> None:
        size = self.settings.film
        if self.deadline is not None:
            *_, film = self._needs(measured(self.scene))
            share = math.sqrt(min(1.0, max(self._left(), 0.0) / film))
            if share < SMALLEST_FILM:
                print(f"There is no film: it takes about {in_words(film)}, and {self._reason()}.")
                return
            if share < 1.0:
                size = max(2, 2 * int(share * size / 2))
                print(f"The film is {size} pixels wide instead of {self.settings.film}: {self._reason()}.")
        write_turntable(self.scene, file, frames=FRAMES, size=size)

    def _left(self) -> float:
        return math.inf if self.deadline is None else self.deadline - time.perf_counter()

    def _reason(self) -> str:
        return f"{in_words(max(self._left(), 0.0))} of --minutes are left"

    def _needs(self, speed: Speed) -> tuple[float, float, float]:
        """Seconds for the scores, the mesh and the film, each in full."""
        settings, cameras = self.settings, looking(self.scene)
        pixels = sum(view.camera.width * view.camera.height for view in self.held) / settings.downscale_factor**2
        rays = sum(camera.width * camera.height for camera in cameras)
        points = len(cameras) * ((settings.mesh + 1) ** 3 + TEXTURE**2)
        mesh = CAUTION * (speed.ray * rays + speed.lookup * points) + UNWRAP_SECONDS if settings.mesh else 0.0
        return CAUTION * speed.ray * pixels, mesh, CAUTION * speed.ray * FRAMES * settings.film**2


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
    depth_view = DepthView(cameras[0], torch.zeros(*shape, 3), torch.zeros(shape))
    begun = time.perf_counter()
    depth_view.at(points)
    return Speed(ray, (time.perf_counter() - begun) / PROBE_POINTS)
