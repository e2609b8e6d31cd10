"""The paper's loop (Yen-Chen et al. 2021, section 3): Adam on a pose, by the colours of sampled pixels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...camera import Camera
from ...inversion import Exponential, fit
from ...render.ray_renderer import RayRenderer
from ...training import Constant
from .config import PhotometricAdam
from .parametrization import GAIN, nearest_rigid, pose_of, variables
from .pixels import pixel_source

PixelsOfStep = Callable[[int], Int[Tensor, " k"]]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """How a pose went.

    Attributes:
        poses: world_from_camera at the start and after every update; with `Compat` "matrix" and "screw7" not rigid.
        values: the variables there, flat, in the order in which they are declared.
        gradients: of the loss before each update.
        losses: mean squared colour errors there.
        seconds: since the start, when each loss was known.
        reported: index of the pose that is the result.
    """

    poses: Float[Tensor, "t_plus_1 4 4"]
    values: Float[Tensor, "t_plus_1 n"]
    gradients: Float[Tensor, "t n"]
    losses: Float[Tensor, " t"]
    seconds: Float[Tensor, " t"]
    reported: int

    @property
    def result(self) -> Float[Tensor, "4 4"]:
        """The pose that was found, made rigid."""
        return nearest_rigid(self.poses[self.reported])


def descend(
    renderer: RayRenderer,
    image: Float[Tensor, "h w 3"],
    start: Camera,
    options: PhotometricAdam | None = None,
    *,
    generator: torch.Generator | None = None,
    pixels: PixelsOfStep | None = None,
    initial: Mapping[str, Tensor] | None = None,
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
    background: tuple[float, float, float] | None = None,
) -> Trajectory:
    """Move one camera down the mean squared error of colours; the renderer itself stays as it is.

    Args:
        image: the photo, 0..1, of the camera's size.
        start: one camera; its intrinsics are kept.
        generator: of the pixels that are drawn, and of the renderer's samples where it is given; None: the renderer's
            own even samples, and pixels from the global generator.
        pixels: flat indices for each step, instead of those of `options.sampling`.
        initial: where the variables start, by name; by default at no motion.
        center: of the object, for the frame "object".
        background: plain colour behind the object, for the sampling "object".
    """
    options = options or PhotometricAdam()
    first = start.world_from_camera[0]
    chosen = variables(first, options, generator=generator)
    if initial is not None:
        chosen = [replace(one, value=initial[one.name]) for one in chosen]
    draw = pixels or _drawn(image, options, generator, background)
    target = image.reshape(-1, 3)
    record = _Record(options, first, center)
    centers = start.pixel_centers()

    def loss(values: Mapping[str, Tensor], step: int) -> Mapping[str, Tensor]:
        tracked = record.seen(values)
        index = draw(step)
        camera = replace(start, world_from_camera=record.poses[-1][None])
        origins, directions = rays(camera, centers[index], unit=options.compat.unit_directions)
        seen = renderer(origins, directions, generator=generator)
        rgb = seen.rgb * tracked[GAIN].exp() if GAIN in tracked else seen.rgb
        error = (rgb - target[index]).square().mean()
        record.losses.append(float(error.detach()))
        record.seconds.append(time.perf_counter() - record.began)
        return {"color": error}

    constant = options.compat.constant_rate
    schedule = Constant() if constant else Exponential(max(options.steps, 1), options.decay ** (options.steps / 100))
    found = fit(chosen, loss, steps=options.steps, schedule=schedule, keep="last", measure_last=False)
    if found.stopped == "steps":
        record.reached(found.values)
    return record.trajectory()


def rays(
    camera: Camera, pixels: Float[Tensor, "n 2"], *, unit: bool = True
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Origins and directions of one camera's rays; directions of length 1, or of length 1 along the camera's z axis.

    A pose that is not rigid bends and scales them: nothing is normalised after it.
    """
    origins, directions = camera.rays(pixels[None])
    if unit:
        return origins[0], directions[0]
    along = replace(camera, world_from_camera=torch.eye(4).to(camera.intrinsics)[None]).rays(pixels[None])[1][0, :, 2:]
    return origins[0], directions[0] / along


class _Record:
    """What passes by in the loss."""

    def __init__(self, options: PhotometricAdam, start: Tensor, center: tuple[float, float, float]) -> None:
        self.options, self.start, self.center = options, start, center
        self.poses: list[Tensor] = []
        self.values: list[Tensor] = []
        self.gradients: list[list[Tensor]] = []
        self.losses: list[float] = []
        self.seconds: list[float] = []
        self.began = time.perf_counter()

    def seen(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Note the values, their pose, and their gradients when they come; the values that the loss is to use."""
        noted: list[Tensor] = []
        self.gradients.append(noted)
        tracked = {name: value * 1.0 for name, value in values.items()}
        slots = {name: torch.zeros_like(value) for name, value in values.items()}
        for name, value in tracked.items():
            value.register_hook(slots[name].copy_)
        noted.extend(slots.values())
        self.reached(tracked)
        return tracked

    def reached(self, values: Mapping[str, Tensor]) -> None:
        """Note the values and their pose."""
        self.values.append(_flat(values.values()))
        self.poses.append(pose_of(values, self.start, frame=self.options.frame, center=self.center))

    def trajectory(self) -> Trajectory:
        steps = len(self.losses)
        gradients = [_flat(noted) for noted in self.gradients[:steps]]
        last = len(self.poses) - 1
        return Trajectory(
            poses=torch.stack([pose.detach() for pose in self.poses]),
            values=torch.stack(self.values),
            gradients=torch.stack(gradients) if gradients else self.values[0].new_zeros(0, len(self.values[0])),
            losses=torch.tensor(self.losses, dtype=torch.float64),
            seconds=torch.tensor(self.seconds, dtype=torch.float64),
            reported=max(last - 1, 0) if self.options.compat.pose_before_update else last,
        )


def _flat(values: object) -> Tensor:
    return torch.cat([value.detach().reshape(-1) for value in values])  # type: ignore[attr-defined]


def _drawn(
    image: Tensor,
    options: PhotometricAdam,
    generator: torch.Generator | None,
    background: tuple[float, float, float] | None,
) -> PixelsOfStep:
    source = pixel_source(image, options, background=background)
    return lambda step: source.draw(generator)
