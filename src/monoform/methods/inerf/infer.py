"""iNeRF as a method: a photo, a scene that can be rendered, and a rough pose or none, to the photo's camera."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera
from ...camera.lie import so3_exp
from ...camera.rigid import rigid
from ...errors import InputError
from ...render.ray_renderer import RayRenderer
from ...scene import Photo
from ...scene.photo_camera import photo_camera, working_camera
from ..base import MethodCard, PoseEstimate, PoseEstimator, SceneBounds
from .align import LOCAL, Aligned, DirectAlignment, Stage, align
from .confidence import Diagnostics, covariance, diagnostics, score_response
from .config import InerfOptions, Limits
from .descend import Trajectory, descend
from .losses import AffineBrightness
from .reference import tells_distances
from .starts import around, over_sphere

CITATION = """@inproceedings{yen2021inerf,
  title = {{iNeRF}: Inverting Neural Radiance Fields for Pose Estimation},
  author = {Yen-Chen, Lin and Florence, Pete and Barron, Jonathan T. and Rodriguez, Alberto and Isola, Phillip and
            Lin, Tsung-Yi},
  booktitle = {IROS},
  year = {2021}
}"""
NO_DISTANCES = "The scene tells no distances along its rays, as in normalised device coordinates"
FILL = 0.7  # share of the field of view that the object fills, where its distance is not known
GRID_OFFSET = 1e-3  # radians and world units by which a descent starts beside the given pose


class Inerf(PoseEstimator):
    """The pose of a photo by comparing it with renderings of a scene."""

    config_class: ClassVar[type] = InerfOptions
    card: ClassVar[MethodCard] = MethodCard(
        name="inerf",
        summary="the camera of a photo, from a scene that can be rendered",
        needs="a scene: trained, converted or reconstructed",
        license="Apache-2.0",
        weights=None,
        size=0.0,
        citation=(CITATION,),
    )

    def __init__(self, config: InerfOptions | None = None) -> None:
        self.config = config or InerfOptions()

    def estimate(
        self,
        photo: Photo,
        field: RayRenderer,
        start: Camera,
        *,
        scene_bounds: SceneBounds,
        generator: torch.Generator,
        search: bool = False,
    ) -> PoseEstimate:
        """See `PoseEstimator.estimate`; adam takes the start as it is and never searches."""
        image, camera = working_image(photo, start, scene_bounds.background)
        with torch.inference_mode(False):
            if self.config.optimizer == "adam":
                if search:
                    raise InputError("adam finds no pose without a start: give one, or use the optimizer lm.")
                return self._descended(photo, field, image, camera, scene_bounds, generator)
            if not search and not tells_distances(field, camera):
                raise InputError(f"{NO_DISTANCES}: use the optimizer adam.")
            begun = time.perf_counter()
            estimate = self._aligned(photo, field, image, camera, scene_bounds, search=search)
            details, limits = estimate.details, self.config.limits
            is_like = details["detail"] >= limits.detail and details["explained"] >= limits.explained
            if search or is_like or not self.config.elsewhere:
                return estimate
            passed = time.perf_counter() - begun
            other = self._aligned(photo, field, image, camera, scene_bounds, search=True)
            if other.details["detail"] <= details["detail"]:
                return estimate
            return replace(other, seconds=other.seconds + passed)

    def _aligned(
        self,
        photo: Photo,
        field: RayRenderer,
        image: Tensor,
        camera: Camera,
        scene_bounds: SceneBounds,
        *,
        search: bool,
    ) -> PoseEstimate:
        """The best pose around the start, or of all."""
        center = torch.tensor(scene_bounds.center).to(camera.world_from_camera)
        options = self._direct_alignment(search=search)
        if search:
            starts = self._everywhere(camera, center, scene_bounds)
        else:
            angle = math.radians(self.config.spread)
            starts = around(camera.world_from_camera[0], self.config.starts, angle, center)
        found = align(field, image, camera, starts, options)
        known = diagnostics(field, image, camera, found, options, self.config.limits)
        spread = covariance(found, options, score_response(field, image, camera, found, options))
        return _estimate(photo, found, known, spread, self.config.limits)

    def _direct_alignment(self, *, search: bool) -> DirectAlignment:
        stages = [Stage(40, 6, 12, 5, hopeless=1.3)]
        if search:  # from far off, what is right need not look best at first
            stages = [Stage(32, 1, 10, self.config.keep, hopeless=math.inf), Stage(40, 4, 12, 4, hopeless=math.inf)]
        stages += [Stage(80, 4, 12, 3, hopeless=1.2), Stage(160, 2, 10, 1), Stage(160, 3, 10, 1, LOCAL * 160)]
        if self.config.longest > 160:
            stages.append(Stage(self.config.longest, 1, 8, 1, LOCAL * self.config.longest))
        return DirectAlignment(
            stages=tuple(stages),
            brightness=AffineBrightness(self.config.gain, 0.25 * self.config.gain),
            zoom=0.3 if self.config.fit_focal else 0.0,
        )

    def _everywhere(
        self, camera: Camera, center: Float[Tensor, " 3"], scene_bounds: SceneBounds
    ) -> Float[Tensor, "n 4 4"]:
        """Where the scene's own photos were taken, and upright poses at their distance all around."""
        known = scene_bounds.cameras
        if known is None or len(known) == 0:
            reach = 0.5 * FILL * min(float(camera.fov_y[0]), _fov_x(camera))
            return over_sphere(self.config.search, scene_bounds.radius / math.sin(reach), center)
        poses = known.world_from_camera.to(camera.world_from_camera)
        step = max(1, -(-len(poses) // max(1, self.config.search // 2)))
        own = poses[::step]
        distance = float((poses[:, :3, 3] - center).norm(dim=-1).median())
        return torch.cat((own, over_sphere(max(1, self.config.search - len(own)), distance, center)))

    def _descended(
        self,
        photo: Photo,
        renderer: RayRenderer,
        image: Tensor,
        camera: Camera,
        scene_bounds: SceneBounds,
        generator: torch.Generator,
    ) -> PoseEstimate:
        first = camera
        if not self.config.descent.compat.grid_start:
            twist = GRID_OFFSET * torch.randn(6, generator=generator).to(camera.world_from_camera)
            motion = rigid(so3_exp(twist[:3]), twist[3:])
            first = replace(camera, world_from_camera=camera.world_from_camera @ motion)
        path = descend(
            renderer,
            image,
            first,
            self.config.descent,
            generator=generator,
            center=scene_bounds.center,
            background=scene_bounds.background,
        )
        if not tells_distances(renderer, camera):
            return _unchecked(photo, camera, path)
        # A round of least squares that may not move tells what is known of the pose.
        options = DirectAlignment(
            stages=(Stage(160, 1, 0, 1),), brightness=AffineBrightness(self.config.gain, 0.25 * self.config.gain)
        )
        found = align(renderer, image, camera, path.result[None], options)
        known = diagnostics(renderer, image, camera, found, options, self.config.limits)
        spread = covariance(found, options, score_response(renderer, image, camera, found, options))
        unknown = torch.full((1,), torch.nan, dtype=torch.float64)
        until = slice(0, path.reported + 1)
        found = replace(
            found,
            path=path.poses[until],
            seconds=torch.cat((path.seconds, path.seconds[-1:]))[until],
            losses=torch.cat((path.losses, unknown))[until],
        )
        return _estimate(photo, found, known, spread, self.config.limits)


def working_image(
    photo: Photo, start: Camera, background: tuple[float, float, float]
) -> tuple[Float[Tensor, "h w 3"], Camera]:
    """The photo's working image on the background, and the start as a camera of that image.

    Raises:
        InputError: the start is several cameras, or of another size.
    """
    if len(start) != 1:
        raise InputError(f"A pose starts from one camera, not {len(start)}: index it first.")
    if (start.width, start.height) != (photo.width, photo.height):
        raise InputError(
            f"The start is a camera of {start.width} x {start.height} pixels and the photo has {photo.width} x "
            f"{photo.height}: give the camera of a photo of the same size."
        )
    alpha = torch.from_numpy(photo.rgba[..., 3:]).float()
    colors = torch.from_numpy(photo.rgb).float() * alpha + (1.0 - alpha) * torch.tensor(background)
    return colors, working_camera(start, photo)


def _unchecked(photo: Photo, camera: Camera, path: Trajectory) -> PoseEstimate:
    """The estimate of a descent whose end cannot be checked."""
    return PoseEstimate(
        camera=photo_camera(replace(camera, world_from_camera=path.result[None]), photo),
        covariance=None,
        converged=False,
        failure_reasons=(f"{NO_DISTANCES}, and so nothing can be checked",),
        score=float(path.losses[-1]) if len(path.losses) else math.nan,
        path=path.poses[: len(path.losses)],
        seconds=path.seconds,
        losses=path.losses,
        alternatives=path.poses[:0],
        details={},
    )


def _estimate(
    photo: Photo, found: Aligned, known: Diagnostics, spread: Float[Tensor, "6 6"] | None, limits: Limits
) -> PoseEstimate:
    failure_reasons = known.failure_reasons(limits)
    if spread is not None and not bool(spread.isfinite().all()):  # where nothing of the scene is seen
        spread = None
    if spread is None:
        failure_reasons = (*failure_reasons, "the photo does not fix all six numbers of the pose")
    else:
        failure_reasons = (*failure_reasons, *unsure(spread, limits))
    others = found.finished[found.finished.ratios.isfinite()]
    order = torch.argsort(others.ratios, stable=True)
    return PoseEstimate(
        camera=photo_camera(found.camera, photo),
        covariance=spread,
        converged=not failure_reasons,
        failure_reasons=failure_reasons,
        score=float(found.best.scores[0]),
        path=found.path,
        seconds=found.seconds,
        losses=found.losses,
        alternatives=others.poses[order[1:]],
        details={
            "detail": known.detail,
            "explained": known.explained,
            "spread_degrees": math.degrees(known.spread),
            "focal_factor": math.exp(known.zoom),
            "overlap": known.overlap,
            "drift_degrees": math.degrees(known.drift),
            "gain": known.gain,
            "rays": float(found.rays),
        },
    )


def unsure(spread: Float[Tensor, "6 6"], limits: Limits) -> tuple[str, ...]:
    """A clause where a pose of this covariance is too uncertain to be believed, else none."""
    deviation = float(spread.diagonal()[:3].sum().sqrt())
    if deviation <= limits.deviation:
        return ()
    return (f"the photo fixes the rotation to {math.degrees(deviation):.1f} degrees alone, one standard deviation",)


def _fov_x(camera: Camera) -> float:
    return float(2.0 * torch.atan(0.5 * camera.width / camera.intrinsics[0, 0, 0]))
