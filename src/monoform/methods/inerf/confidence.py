"""How sure a pose is: its covariance, and whether what was found can be believed at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ...camera import Camera
from ...camera.least_squares import levenberg_marquardt
from ...metrics.pose import rotation_error
from ...render.ray_renderer import RayRenderer
from .align import Aligned, DirectAlignment, Stage, align
from .config import Limits
from .frames import SMOOTHING, level
from .losses import Alignment, camera_of
from .reference import SEEN, Reference, at_poses, render_reference

WINDOW = 9  # pixels, of the windows in which detail is compared
FAINT = 0.01  # a window whose colours vary less than this has no detail
COMPARED = 160  # pixels of the longer side of the pictures that are compared
FREE = 0.5  # deviation of the logarithm of a focal length that is as good as free
REFOCUSED = 160  # pixels of the longer side of the pictures in which the focal length is freed
FURTHER = 12  # steps of least squares that tell where a pose would go
OVERVIEW = 64  # pixels of the longer side of the picture that tells how much of the object is outside the photo


@dataclass(frozen=True)
class Diagnostics:
    """What is known of a pose, under the names of `Limits`; and the photo's brightness relative to the scene's."""

    detail: float
    explained: float
    spread: float
    zoom: float
    overlap: float
    drift: float
    gain: float

    def failure_reasons(self, limits: Limits) -> tuple[str, ...]:
        """A sentence for each limit that is not kept."""
        found = []
        if self.overlap < limits.overlap:
            found.append(f"only {100 * self.overlap:.0f} % of the object would be in the photo")
        if self.detail < limits.detail:
            found.append(f"the photo's detail is not that of the scene from there (correlation {self.detail:.2f})")
        if self.explained < limits.explained:
            found.append(f"the scene explains {100 * self.explained:.0f} % of what the photo shows there")
        if self.spread > limits.spread:
            found.append(f"another pose, {math.degrees(self.spread):.0f} degrees away, looks as good")
        if self.drift > limits.drift:
            found.append(f"the pose has not settled: it would turn {math.degrees(self.drift):.1f} degrees further")
        if abs(self.zoom) > limits.zoom:
            found.append(f"a focal length {math.exp(self.zoom):.2f} times as long would fit better")
        return tuple(found)


def covariance(found: Aligned, options: DirectAlignment) -> Float[Tensor, "6 6"] | None:
    """Covariance of a motion in the camera's axes, rotation (radians) first; None where the photo does not fix it.

    The inverse of the Gauss-Newton matrix with tone and zoom left free, times the residuals' variance: what independent
    errors of the photo's pixels would do. Errors of the scene itself are not independent, so that it is a lower bound.
    """
    problem = Alignment(found.reference, found.level, options.brightness, options.zoom, options.delta)
    values = {name: value[:1].double() for name, value in found.best.values.items()}
    exact = replace(found.level, layers=found.level.layers.double(), camera=found.level.camera.to(torch.float64))
    problem = replace(problem, reference=_double(found.reference), level=exact)
    residual, _, weight = problem.residuals(values)
    equations = problem.equations(values)
    count = 3.0 * weight.sum()
    variance = (residual.clamp(-options.delta, options.delta).square() * weight[..., None]).sum() / count
    held = equations.matrix[0].diagonal() <= 0
    matrix = equations.matrix[0] + torch.diag(held.to(residual))
    if torch.linalg.cond(matrix) > 1e14:
        return None
    # Smoothing spreads each pixel's error over this many neighbours.
    neighbors = 4.0 * math.pi * SMOOTHING**2
    return (torch.linalg.inv(matrix) * variance * neighbors / count)[:6, :6]


def _double(reference: Reference) -> Reference:
    return Reference(reference.points.double(), reference.colors.double(), reference.weights.double())


def diagnostics(
    renderer: RayRenderer,
    image: Float[Tensor, "h w 3"],
    camera: Camera,
    found: Aligned,
    options: DirectAlignment,
    limits: Limits,
) -> Diagnostics:
    """What speaks for and against the best pose; image and camera as `align` had them."""
    values = {name: value[:1] for name, value in found.best.values.items()}
    size = level(image, camera, COMPARED)
    reference = render_reference(renderer, camera_of(at_poses(size.camera, values["pose"]), values))
    plain = Alignment(reference, size, options.brightness, delta=options.delta)
    brightness = levenberg_marquardt(values, plain.equations, plain.move, steps=FURTHER).values["brightness"][0]
    shape = (size.camera.height, size.camera.width)
    weight = (reference.weights[0] > 0).reshape(shape).to(reference.colors)
    rendered = (brightness[0].exp() * reference.colors[0] + brightness[1]).reshape(*shape, 3)
    problem = Alignment(found.reference, found.level, options.brightness, options.zoom, options.delta)
    local = REFOCUSED * options.stages[-1].local / options.stages[-1].longest
    refocus = Stage(REFOCUSED, renders=3, steps=14, keep=1, local=local)
    freed = align(renderer, image, camera, values["pose"], replace(options, stages=(refocus,), zoom=FREE))
    return Diagnostics(
        detail=_detail(rendered, size.colors, weight),
        explained=_explained(rendered, size.colors, weight),
        spread=_spread(found, limits),
        zoom=float(freed.best.values["zoom"][0, 0] - values["zoom"][0, 0]),
        drift=_drift(problem, values),
        overlap=overlap(renderer, found.camera),
        gain=float(brightness[0].exp()),
    )


def _detail(one: Tensor, other: Tensor, weight: Float[Tensor, "h w"]) -> float:
    """Correlation of colors within small windows, weighted by the variance in both pictures."""
    pair = torch.stack((one.mean(-1), other.mean(-1)))[:, None]

    def mean(values: Tensor) -> Tensor:
        return avg_pool2d(values, WINDOW, stride=1)

    middle = mean(pair)
    variance = (mean(pair.square()) - middle.square()).clamp_min(0.0)
    shared = mean(pair[:1] * pair[1:])[0] - middle[0] * middle[1]
    deviation = variance.sqrt()
    inside = mean(weight[None, None])[0] > 0.5
    # A plain window must be plain in both: where only one varies, that is a correlation of 0.
    strength = torch.maximum(deviation[0], deviation[1]) * inside
    correlation = shared / (deviation[0] * deviation[1]).clamp_min(FAINT**2)
    total = (strength * (strength > FAINT)).sum()
    return float((correlation * strength * (strength > FAINT)).sum() / total) if total > 0 else 0.0


def _explained(one: Tensor, other: Tensor, weight: Float[Tensor, "h w"]) -> float:
    """1 minus the share of the photo's variance, in the object's region, that remains when the render is taken off."""
    total = weight.sum().clamp_min(1.0)
    middle = (other * weight[..., None]).sum((0, 1)) / total
    varies = ((other - middle).square() * weight[..., None]).sum()
    remains = ((other - one).square() * weight[..., None]).sum()
    return float(1.0 - remains / varies) if varies > 1e-6 * total else 0.0


def _spread(found: Aligned, limits: Limits) -> float:
    """Largest angle to a pose that was given up although it looked nearly as good."""
    other = found.finished
    angles = rotation_error(other.poses, found.best.poses[:1].expand_as(other.poses))
    return float((angles * (other.ratios < limits.rival)).max())


def _drift(problem: Alignment, values: dict[str, Tensor]) -> float:
    """By what angle the pose would change if it went on."""
    found = levenberg_marquardt(values, problem.equations, problem.move, steps=FURTHER).values
    return float(rotation_error(found["pose"], values["pose"])[0])


@torch.no_grad()
def overlap(renderer: RayRenderer, camera: Camera) -> float:
    """Share of the object that is in the photo, of what twice as wide and high a picture shows; 0 for none."""
    wide = camera.cropped(-(camera.width // 2), -(camera.height // 2), 2 * camera.width, 2 * camera.height)
    longest = max(wide.width, wide.height)
    wide = wide.resized(max(4, OVERVIEW * wide.width // longest), max(4, OVERVIEW * wide.height // longest))
    origins, directions = wide.rays()
    solid = (renderer(origins[0], directions[0]).alpha > SEEN).reshape(wide.height, wide.width)
    rows, columns = wide.height // 4, wide.width // 4
    inside = solid[rows : wide.height - rows, columns : wide.width - columns]
    return float(inside.sum() / solid.sum()) if solid.any() else 0.0
