"""Cameras from points of a known object and where they are seen (perspective-n-point), for many images at once.

Wrong points are told by random samples (RANSAC, Fischler and Bolles 1981, judged by the median error: Rousseeuw 1984)
and by Tukey's weights in the refinement. Several intrinsics can be tried for each image, when its focal length is not
known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..errors import InputError
from .camera import Camera
from .least_squares import State
from .pnp_problem import PnpProblem
from .rigid import rigid_inverse

LEAST_POINTS = 4
TUKEY = 4.685
"""Deviations beyond which a point counts for nothing; 95 percent of the information of normal errors is kept."""
DEVIATION = 0.8493  # of one coordinate, for a median distance 1 of normal errors in the plane: 1 / sqrt(2 ln 2)
_FLAT = 1e-6  # points whose second extent is smaller than this share of the first lie on a line


@dataclass(frozen=True)
class PnpOptions:
    """How poses are looked for.

    Attributes:
        samples: random sets of points that a start is made of, besides all points; 0: all points are believed, and the
            result is that of plain least squares.
        sample_size: points of each.
        judged_by: points, drawn by their weights, whose median error decides between starts.
        rounds: how often the points' weights are made anew,
        fitted: by so many points at most, evenly taken from all; the last time all count.
        steps: of least squares in each round.
        refine_focal: whether focal lengths are refined too; the given ones are starts then.
        precision: distance in the image, in the intrinsics' unit, within which a point is always believed.
    """

    samples: int = 48
    sample_size: int = 6
    judged_by: int = 256
    rounds: int = 4
    fitted: int = 1024
    steps: int = 6
    refine_focal: bool = False
    precision: float = 0.0

    def __post_init__(self) -> None:
        if (
            self.samples < 0
            or self.sample_size < LEAST_POINTS
            or min(self.judged_by, self.rounds, self.fitted, self.steps) < 1
        ):
            raise InputError(
                f"PnP has samples {self.samples}, sample_size {self.sample_size}, judged_by {self.judged_by}, rounds"
                f" {self.rounds}, fitted {self.fitted} and steps {self.steps}; give at least 0, {LEAST_POINTS}, 1, 1, 1"
                " and 1."
            )


@dataclass(frozen=True, eq=False)
class PnpPoses:
    """For each of b images the poses of g guesses of its intrinsics.

    Attributes:
        camera_from_world: the identity where none was found.
        intrinsics: the given ones; refined, or with the scale that was found, where that was asked for.
        error: root mean square difference of a coordinate in the image, in the intrinsics' unit, infinite where no pose
            was found. With samples a distance counts up to a limit, one for all of an image's guesses, so that these
            compare: the median of those beyond which points are not believed.
        believed: share of the weight that is believed, 1 without samples.
        found: whether there is a pose: enough points that are not in a line, the object before the camera.
    """

    camera_from_world: Float[Tensor, "b g 4 4"]
    intrinsics: Float[Tensor, "b g 3 3"]
    error: Float[Tensor, "b g"]
    believed: Float[Tensor, "b g"]
    found: Bool[Tensor, "b g"]

    def order(self) -> Int[Tensor, "b g"]:
        """The guesses of each image from the least error to the largest."""
        return torch.argsort(self.error, dim=1, stable=True)

    def chosen(self, guesses: Int[Tensor, "b k"]) -> PnpPoses:
        """The poses of some guesses of each image."""
        rows = torch.arange(len(guesses), device=guesses.device)[:, None]
        values = {name: value[rows, guesses] for name, value in vars(self).items()}
        return PnpPoses(**values)

    def camera(self, image: int, guess: int, width: int, height: int, model: str = "pinhole") -> Camera:
        """One of the poses, whose intrinsics are of pixels."""
        pose = rigid_inverse(self.camera_from_world[image, guess])[None]
        return Camera(pose, self.intrinsics[image, guess][None], width, height, model)


def solve_pnp(
    points: Float[Tensor, "b n 3"],
    pixels: Float[Tensor, "b n 2"],
    weights: Float[Tensor, "b n"],
    intrinsics: Float[Tensor, "b g 3 3"],
    *,
    orthographic: bool = False,
    options: PnpOptions | None = None,
    generator: torch.Generator | None = None,
) -> PnpPoses:
    """Poses, in double precision, from which points are seen where they are.

    Args:
        points: in the world; what is not finite is left out.
        pixels: where they are seen, in the unit of the intrinsics.
        weights: confidence, 0 leaves a point out.
        intrinsics: of each guess, with any principal point. An orthographic camera's scale is found: only the principal
            point and the pixels' shape are used.
        generator: of the samples; seed 0 where there is none.

    Raises:
        InputError: weights are negative or not finite.
    """
    options = options or PnpOptions()
    if not bool((torch.isfinite(weights) & (weights >= 0)).all()):
        raise InputError("PnP got a weight that is negative or not finite; give confidences of 0 or more.")
    points, pixels, weights, intrinsics = (x.double() for x in (points, pixels, weights, intrinsics))
    points, pixels, weights = _compact(points, pixels, weights)
    usable = _usable(points, weights)
    # What cannot be solved gets a harmless problem, so that the others' matrices stay finite.
    dummy = torch.eye(3).double().repeat(-(-points.shape[1] // 3), 1)[: points.shape[1]].to(points)
    points = torch.where(usable[:, None, None], points, dummy)
    weights = torch.where(usable[:, None], weights, torch.ones_like(weights))
    problem = _problem(points, pixels, weights, intrinsics, orthographic, options.refine_focal)
    if options.samples:
        state, judged = _sampled(problem, weights, intrinsics.shape[1], options, generator)
        state, limits = _robust(problem, judged, state, options)
    else:
        state = problem.refined(problem.closed_form(), problem.weights, options.steps * options.rounds)
        limits = torch.full_like(problem.points[:, 0, 0], torch.inf)
    return _poses(problem, state, limits, intrinsics, usable)


def _compact(points: Tensor, pixels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Only as many points as the image with the most has, those with a weight first."""
    finite = torch.isfinite(points).all(dim=2) & torch.isfinite(pixels).all(dim=2)
    weights = torch.where(finite, weights, torch.zeros_like(weights))
    used = weights > 0
    most = max(int(used.sum(dim=1).max()), 3)
    index = torch.argsort(used.int(), dim=1, descending=True, stable=True)[:, :most]
    rows = torch.arange(len(index), device=index.device)[:, None]
    chosen = used[rows, index][:, :, None]
    return points[rows, index].where(chosen, 0.0), pixels[rows, index].where(chosen, 0.0), weights[rows, index]


def _usable(points: Tensor, weights: Tensor) -> Bool[Tensor, " b"]:
    """Enough points, not in a line."""
    used = (weights > 0).double()
    count = used.sum(dim=1)
    middle = (points * used[:, :, None]).sum(1) / count.clamp_min(1)[:, None]
    apart = (points - middle[:, None]) * used[:, :, None]
    extents = torch.linalg.svdvals(apart.mT @ apart).sqrt()
    return (count >= LEAST_POINTS) & (extents[:, 1] > _FLAT * extents[:, 0])


def _problem(
    points: Tensor, pixels: Tensor, weights: Tensor, intrinsics: Tensor, orthographic: bool, free: bool
) -> PnpProblem:
    """Every image with each of its intrinsics."""
    guesses = intrinsics.shape[1]
    if orthographic:
        intrinsics = intrinsics.clone()
        intrinsics[:, :, :2, :2] = intrinsics[:, :, :2, :2] / intrinsics[:, :, :1, :1]
    flat = intrinsics.flatten(0, 1)
    offset = pixels.repeat_interleave(guesses, dim=0) - flat[:, None, :2, 2]
    plane = torch.linalg.solve_triangular(flat[:, :2, :2], offset.mT, upper=True).mT
    points, weights = points.repeat_interleave(guesses, dim=0), weights.repeat_interleave(guesses, dim=0)
    return PnpProblem(points, plane, weights, flat[:, :2, :2], orthographic, free)


def _sampled(
    problem: PnpProblem, weights: Tensor, guesses: int, options: PnpOptions, generator: torch.Generator | None
) -> tuple[State, PnpProblem]:
    """The best of the starts from samples and from all points, and the problem of the points that judged them."""
    generator = generator or torch.Generator().manual_seed(0)
    size, count = options.sample_size, options.samples
    draw = torch.multinomial(weights.cpu(), size * count + options.judged_by, replacement=True, generator=generator)
    draw = draw.to(weights.device).repeat_interleave(guesses, dim=0)
    # The same points under every guess, so that guesses compare.
    judged = _picked(problem, draw[:, size * count :])
    samples = _picked(problem, draw[:, : size * count])
    sets = replace(
        samples,
        points=samples.points.unflatten(1, (count, size)).flatten(0, 1),
        plane=samples.plane.unflatten(1, (count, size)).flatten(0, 1),
        weights=samples.weights.unflatten(1, (count, size)).flatten(0, 1),
        pixels_from_plane=problem.pixels_from_plane.repeat_interleave(count, dim=0),
    )
    starts = {
        name: torch.cat([value.unflatten(0, (-1, count)), whole[:, None]], dim=1)
        for (name, value), whole in zip(sets.closed_form().items(), problem.closed_form().values(), strict=True)
    }
    medians = torch.stack(
        [_median(judged, {name: value[:, number] for name, value in starts.items()}) for number in range(count + 1)]
    )
    best = medians.nan_to_num(torch.inf, posinf=torch.inf).argmin(dim=0)
    rows = torch.arange(len(best), device=best.device)
    return {name: value[rows, best] for name, value in starts.items()}, judged


def _picked(problem: PnpProblem, index: Int[Tensor, "h k"]) -> PnpProblem:
    """Some points of each pose, drawn by their weights, which is all that the weights say of them."""
    rows = torch.arange(len(index), device=index.device)[:, None]
    points, plane = problem.points[rows, index], problem.plane[rows, index]
    return replace(problem, points=points, plane=plane, weights=torch.ones_like(points[:, :, 0]))


def _thinned(problem: PnpProblem, most: int) -> PnpProblem:
    """At most so many points of each pose, evenly taken from those with a weight, which come first."""
    if problem.points.shape[1] <= most:
        return problem
    count = (problem.weights > 0).sum(dim=1, keepdim=True)
    index = torch.arange(most, device=count.device) * count // most
    rows = torch.arange(len(index), device=index.device)[:, None]
    points, plane, weights = (each[rows, index] for each in (problem.points, problem.plane, problem.weights))
    return replace(problem, points=points, plane=plane, weights=weights)


def _median(problem: PnpProblem, state: State) -> Float[Tensor, " h"]:
    """Of the errors, infinite where half of the points lie behind the camera."""
    median = problem.errors(state).median(dim=1).values
    if problem.orthographic:
        return median
    return torch.where(problem.depths(state).median(dim=1).values > 0, median, torch.inf)


def _robust(
    problem: PnpProblem, judged: PnpProblem, state: State, options: PnpOptions
) -> tuple[State, Float[Tensor, " h"]]:
    """Refined by least squares whose weights fall to 0 at a limit, found anew in each round; last, of all within it."""
    few = _thinned(problem, options.fitted)
    for _ in range(options.rounds):
        limits = _limits(judged, state, options.precision)
        ratio = (few.errors(state) / limits[:, None]).clamp_max(1.0)
        state = few.refined(state, few.weights * (1.0 - ratio.square()).square(), options.steps)
    limits = _limits(judged, state, options.precision)
    state = problem.refined(state, problem.weights * (problem.errors(state) <= limits[:, None]), options.steps)
    return state, _limits(judged, state, options.precision)


def _limits(judged: PnpProblem, state: State, precision: float) -> Float[Tensor, " h"]:
    extent = (judged.plane @ judged.pixels_from_plane.mT).abs().amax(dim=(1, 2))
    found = TUKEY * torch.maximum(DEVIATION * judged.errors(state).median(dim=1).values, 1e-9 * extent + 1e-300)
    return found.clamp_min(precision)


def _poses(problem: PnpProblem, state: State, limits: Tensor, intrinsics: Tensor, usable: Tensor) -> PnpPoses:
    """Errors by one limit for an image's guesses: the right one alone may have one so low that none else counts."""
    images, guesses = intrinsics.shape[:2]
    limit = limits.unflatten(0, (images, guesses)).median(dim=1).values.repeat_interleave(guesses)
    errors, weights = problem.errors(state), problem.weights
    total = weights.sum(dim=1)
    mean = (torch.minimum(errors, limit[:, None]).square() * weights).sum(dim=1) / (2.0 * total)
    believed = ((errors <= limits[:, None]) * weights).sum(dim=1) / total
    found = usable.repeat_interleave(guesses) & torch.isfinite(mean) & torch.isfinite(state["pose"]).all(dim=(1, 2))
    if not problem.orthographic:
        found &= ((problem.depths(state) > 0) * weights).sum(dim=1) > 0.5 * total
    scaled = intrinsics.flatten(0, 1).clone()
    scaled[:, :2, :2] = problem.pixels_from_plane * state["zoom"].exp()[:, None, None]
    pose = torch.where(found[:, None, None], state["pose"], torch.eye(4).to(state["pose"]))
    shape = (images, guesses)
    return PnpPoses(
        pose.unflatten(0, shape),
        scaled.unflatten(0, shape),
        torch.where(found, mean.sqrt(), torch.inf).unflatten(0, shape),
        torch.where(found, believed, 0.0).unflatten(0, shape),
        found.unflatten(0, shape),
    )
