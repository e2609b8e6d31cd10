"""How sure a pose is: its covariance, and whether what was found can be believed at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ...camera import Camera
from ...camera.least_squares import NormalEquations, levenberg_marquardt
from ...inversion import moved
from ...metrics.pose import rotation_error
from ...render.ray_renderer import RayRenderer
from .align import LOCAL, Aligned, DirectAlignment
from .config import Limits
from .frames import SMOOTHING, detailed, level, smoothed
from .losses import Alignment, camera_of
from .reference import SEEN, Reference, at_poses, render_reference

WINDOW = 9  # pixels, of the windows in which detail is compared
FAINT = 0.01  # a window whose colours vary less than this has no detail
COMPARED = 160  # pixels of the longer side of the pictures that are compared
FREE = 0.5  # deviation of the logarithm of a focal length that is as good as free
ZOOMS = (0.0, -0.3, 0.3)  # logarithms of the focal length's factor from which a better one is sought
REFOCUSED = 0.05  # one that is found farther away is looked at from where it leads
SHARED = 2.0  # pixels of the last size, standard deviation, that what neighbors share is told by
INDEPENDENT = 16.0  # independent ones among what a scene has wrong; calibrated, see docs/pose.md
NEARBY = 128  # pixels of the longer side of the pictures that tell how the score answers to the pose
APART = 0.1  # share of the cost by which a pose is off there, as points that keep their colors would tell
GAINS = (0.15, 1.0)  # of the answers along the axes; one above what points tell is not believed
FURTHER = 8  # steps of least squares that tell where a pose would go
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


def covariance(
    found: Aligned, options: DirectAlignment, response: Float[Tensor, "6 6"] | None = None
) -> Float[Tensor, "6 6"] | None:
    """Covariance of a motion in the camera's axes, rotation (radians) first; None where the photo does not fix it.

    The pose is where the score g, the slope of the robust cost, is zero. To first order its error is A^-1 times the
    score's, where A is the score's derivative by the pose, so that the covariance is A^-1 Cov(g) A^-T (Huber 1967).
    With residuals of variance v, of which m are independent, Cov(g) is H v / m, of the Gauss-Newton matrix H with
    tone and zoom left free. Two kinds add up: noise of pixels, independent but for the smoothing; and what the scene
    has wrong, which neighbors share and of which `INDEPENDENT` are independent, however many pixels there are.

    Args:
        response: H^-1 A, of `score_response`; None: A is H.
    """
    problem, values = found.problem(options, torch.float64), found.best[:1].values
    values = {name: value.double() for name, value in values.items()}
    matrix, _ = _pose_part(problem.equations(values))
    if not _is_fixed(matrix[0]):
        return None
    noise, shared = _variances(found, problem.linearized(values).residual[0], options)
    # Smoothing spreads each pixel's error over this many neighbours.
    neighbors = 4.0 * math.pi * SMOOTHING**2
    each = noise * neighbors / (3.0 * float(problem.reference.weights.sum())) + shared / INDEPENDENT
    inverse = torch.linalg.inv(matrix[0]) * each
    if response is None:
        return inverse
    back = torch.linalg.inv(response.to(inverse))
    spread = back @ inverse @ back.mT
    return 0.5 * (spread + spread.mT)


def score_response(
    renderer: RayRenderer, image: Float[Tensor, "h w 3"], camera: Camera, found: Aligned, options: DirectAlignment
) -> Float[Tensor, "6 6"]:
    """How much of a change of the pose the score shows, H^-1 A; the identity for points that keep their colors.

    Least squares follows points as they were rendered. A field shows others as the camera moves, and its colors and
    depths change with the direction: what is seen anew answers to the pose by less. Measured by rendering anew from
    six poses nearby, about as far off as errors of a scene are, along the axes of H.
    """
    size = level(image, camera, NEARBY, LOCAL * NEARBY)
    values = {name: value[:1] for name, value in found.best.values.items()}

    def equations(values: dict[str, Tensor]) -> NormalEquations:
        reference = render_reference(renderer, camera_of(at_poses(size.camera, values["pose"]), values), size.local)
        problem = Alignment(reference.compact()[0], size, options.brightness, options.zoom, options.delta)
        return problem.equations(values)

    here = equations(values)
    matrix, score = _pose_part(here)
    if not _is_fixed(matrix[0]):
        return torch.eye(6, dtype=torch.float64)
    scale = matrix[0].diagonal().rsqrt()  # radians and world units meet as equals
    powers, axes = torch.linalg.eigh(matrix[0] * scale[:, None] * scale)
    axes = scale[:, None] * axes * powers.clamp_min(1e-9).rsqrt()  # a unit step along each raises the cost as much
    reach = (APART * here.cost[0].clamp_min(FAINT**2)).sqrt().double()
    steps = (reach * axes.mT).to(image)
    around = {name: value.repeat(6, *[1] * (value.ndim - 1)) for name, value in values.items()}
    _, scores = _pose_part(equations({**around, "pose": moved(around["pose"], steps)}))
    slope = (scores - score) @ axes / reach  # row: along which axis the camera moved
    left, gains, right = torch.linalg.svd(slope.mT)
    slope = left @ torch.diag(gains.clamp(*GAINS)) @ right
    return axes @ slope @ torch.linalg.inv(axes)


def _is_fixed(matrix: Float[Tensor, "6 6"]) -> bool:
    """Whether the cost rises with every motion."""
    diagonal = matrix.diagonal()
    if not bool(torch.isfinite(matrix).all()) or bool((diagonal <= 1e-24).any()):
        return False
    scale = diagonal.rsqrt()
    return bool(torch.linalg.eigvalsh(matrix * scale[:, None] * scale).min() > 1e-9)


def _pose_part(equations: NormalEquations) -> tuple[Float[Tensor, "b 6 6"], Float[Tensor, "b 6"]]:
    """Matrix and vector of the motion alone, with what else is free at its best for it."""
    matrix, vector = equations.matrix.double(), equations.vector.double()
    held = matrix[:, 6:, 6:].diagonal(dim1=1, dim2=2) <= 0
    rest = matrix[:, 6:, 6:] + torch.diag_embed(held.to(matrix))
    back = torch.linalg.solve(rest, matrix[:, 6:, :6])
    return matrix[:, :6, :6] - matrix[:, :6, 6:] @ back, vector[:, :6] - (back.mT @ vector[:, 6:, None])[..., 0]


def _variances(found: Aligned, residual: Float[Tensor, "3 n"], options: DirectAlignment) -> tuple[float, float]:
    """Variance of the residuals that is each pixel's own, and that which neighbors share.

    A Gaussian of `SHARED` pixels leaves a known share of the first, as the photo's smoothing has made it; what is left
    beyond that and beyond chance (two standard deviations of a mean of squares) is shared.
    """
    _, order = found.reference.compact()
    width, height = found.level.size
    counted = found.reference.weights[0] > 0
    picture = residual.new_zeros(3, height * width)
    picture[:, order[0]] = residual.clamp(-options.delta, options.delta)
    picture *= counted
    count = 3.0 * float(counted.sum().clamp_min(1))
    whole = float(picture.square().sum()) / count
    left = float((smoothed(picture.reshape(3, height, width), SHARED).flatten(1) * counted).square().sum()) / count
    point = residual.new_zeros(1, 33, 33)
    point[0, 16, 16] = 1.0
    own = smoothed(point, SMOOTHING)
    kept = float(smoothed(own, SHARED).square().sum() / own.square().sum())
    chance = 2.0 * math.sqrt(2.0 * 4.0 * math.pi * (SMOOTHING**2 + SHARED**2) / count)
    shared = min(max((left - kept * (1.0 + chance) * whole) / (1.0 - kept), 0.0), whole)
    return whole - shared, shared


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
    return Diagnostics(
        detail=_detail(rendered, size.colors, weight),
        explained=_explained(rendered, size.colors, weight),
        spread=_spread(found, limits),
        zoom=_refocused(renderer, image, camera, reference, values, options) - float(values["zoom"][0, 0]),
        drift=_drift(replace(found.problem(options), zoom=options.zoom), values),
        overlap=overlap(renderer, found.camera),
        gain=float(brightness[0].exp()),
    )


def _refocused(
    renderer: RayRenderer,
    image: Tensor,
    camera: Camera,
    reference: Reference,
    values: dict[str, Tensor],
    options: DirectAlignment,
) -> float:
    """Logarithm of the factor on the focal length that would fit best, each with its own best pose.

    A longer focal length farther away is nearly the same picture: from each of a few the camera starts where its object
    keeps its size. What the scene showed is followed as points; where they lead far, the scene is looked at again.
    """
    size = level(image, camera, COMPARED, LOCAL * COMPARED)

    def best(reference: Reference, start: dict[str, Tensor]) -> dict[str, Tensor]:
        counted, _ = reference.compact()
        problem = Alignment(counted, size, options.brightness, FREE, options.delta)
        found = levenberg_marquardt(start, problem.equations, problem.move, steps=14, tolerance=1e-4, patience=3)
        row = int(found.equations.cost.argmin())
        return {name: value[row : row + 1] for name, value in found.values.items()}

    shape = (size.camera.height, size.camera.width)
    colors = detailed(reference.colors.mT.unflatten(-1, shape), size.local).flatten(-2).mT
    local = replace(reference, colors=colors)
    found = best(local[torch.zeros(len(ZOOMS), dtype=torch.int64)], _dollied(values, reference))
    if abs(float(found["zoom"][0, 0] - values["zoom"][0, 0])) > REFOCUSED:
        seen = render_reference(renderer, camera_of(at_poses(size.camera, found["pose"]), found), size.local)
        found = best(seen, found)
    return float(found["zoom"][0, 0])


def _dollied(values: dict[str, Tensor], reference: Reference) -> dict[str, Tensor]:
    """The values at each of `ZOOMS`, as far away as keeps the object's size."""
    pose = values["pose"]
    away = pose[0, :3, 2] @ (reference.points[0] - pose[0, :3, 3]).mT
    distance = (away * reference.weights[0]).sum() / reference.weights[0].sum().clamp_min(1e-6)
    zooms = pose.new_tensor(ZOOMS)[:, None]
    poses = pose.repeat(len(ZOOMS), 1, 1)
    poses[:, :3, 3] -= (zooms.exp() - 1.0) * distance * pose[0, :3, 2]
    brightness = values["brightness"].expand(len(ZOOMS), 2)
    return {"pose": poses, "brightness": brightness, "zoom": values["zoom"] + zooms}


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
