"""Cameras from predicted coordinate maps (Pavllo et al. 2023, section 3.2), in the published conventions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ...camera.pnp import PnpOptions, PnpPoses, solve_pnp
from ...errors import InputError
from .opencv_pnp import solve_as_published
from .pose_parameters import DEPTH, inverse_matrices

PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)
THRESHOLD = 0.9
DUMMY_ERROR = 10.0
"""Of an image without a pose, which gets a camera that sees nothing."""


@dataclass(frozen=True)
class PoseOptions:
    """How cameras are found from coordinate maps.

    Attributes:
        pnp: options of the solver.
        threshold: mask above which a pixel counts.
        confidence: whether a pixel that counts does so by its mask, and not fully.
        pixel_centers: whether a pixel is seen at its center; the published cameras see it at its top left corner.
        published: solve with OpenCV as the release does, which believes every pixel.
    """

    pnp: PnpOptions = field(default_factory=PnpOptions)
    threshold: float = THRESHOLD
    confidence: bool = True
    pixel_centers: bool = False
    published: bool = False


@dataclass(frozen=True, eq=False)
class EstimatedCameras:
    """For each of n images its k best cameras, the best first.

    Attributes:
        world_from_camera: as `pose_parameters` has it; an image without a pose looks away from its object.
        focal: in image widths; None for orthographic cameras.
        error: root mean square reprojection error in image widths; 10 without a pose.
        believed: share of the pixels that agree with the camera.
        found: whether there is a pose.
    """

    world_from_camera: Float[Tensor, "n k 4 4"]
    focal: Float[Tensor, "n k"] | None
    error: Float[Tensor, "n k"]
    believed: Float[Tensor, "n k"]
    found: Bool[Tensor, "n k"]


def focal_guesses(focals: Float[Tensor, " m"]) -> Float[Tensor, " g"]:
    """Percentiles of a data set's focal lengths, double precision, each once.

    Raises:
        InputError: there is none, or one is not positive.
    """
    values = focals.detach().cpu().numpy()
    if values.size == 0 or not (np.isfinite(values) & (values > 0)).all():
        raise InputError("Focal lengths to guess from must be numbers above 0, at least one; give one focal length.")
    return torch.from_numpy(np.unique(np.percentile(np.sort(values), PERCENTILES).astype(np.float64)))


def crop_intrinsics(
    focals: Float[Tensor, "n g"],
    center: Float[Tensor, "n 2"] | None = None,
    box: Float[Tensor, "n 2 2"] | None = None,
) -> Float[Tensor, "n g 3 3"]:
    """Intrinsics in shares of an image's width and height, of a focal length in widths of the full frame.

    Args:
        center: principal point in shares of the full frame; its middle where there is none.
        box: the crop in the full frame of -1..1, y up: its lower left corner, then width and height.
    """
    images = len(focals)
    middle = focals.new_full((images, 2), 0.5) if center is None else center.to(focals)
    corner, extent = focals.new_zeros(images, 2), focals.new_ones(images, 2)
    if box is not None:
        box = box.to(focals)
        extent = box[:, 1] / 2.0
        left, lower = (box[:, 0, 0] + 1.0) / 2.0, (box[:, 0, 1] + 1.0) / 2.0
        corner = torch.stack([left, 1.0 - lower - extent[:, 1]], dim=1)
    result = focals.new_zeros(*focals.shape, 3, 3)
    for axis in range(2):
        result[:, :, axis, axis] = focals / extent[:, axis : axis + 1]
        result[:, :, axis, 2] = ((middle[:, axis] - corner[:, axis]) / extent[:, axis])[:, None]
    result[:, :, 2, 2] = 1.0
    return result


def estimate_cameras(
    coordinates: Float[Tensor, "n h w 3"],
    mask: Float[Tensor, "n h w"],
    focals: Sequence[float] | Float[Tensor, " g"] | None,
    *,
    center: Float[Tensor, "n 2"] | None = None,
    box: Float[Tensor, "n 2 2"] | None = None,
    keep: int = 1,
    options: PoseOptions | None = None,
    generator: torch.Generator | None = None,
) -> EstimatedCameras:
    """Cameras that see the coordinates where they are, all images and focal lengths at once.

    Args:
        coordinates: world points that pixels show.
        mask: probability that a pixel shows the object.
        focals: lengths to try, in widths of the full frame; None: the cameras are orthographic.
        center: principal point, shares of the full frame.
        box: which part of the full frame the image is, as in `crop_intrinsics`.
        keep: so many of the guesses, at most all.
        generator: of the solver's samples.

    Raises:
        InputError: a focal length is not positive.
    """
    options = options or PoseOptions()
    orthographic = focals is None
    guesses = torch.as_tensor([1.0] if focals is None else focals, dtype=torch.float64)
    if len(guesses) == 0 or not bool((torch.isfinite(guesses) & (guesses > 0)).all()):
        raise InputError(f"The focal lengths to try are {guesses.tolist()}; give at least one, each above 0.")
    counted = (mask > options.threshold).double().cpu().flatten(1)
    weights = counted * mask.double().cpu().flatten(1) if options.confidence and not options.published else counted
    pixels = _pixels(mask.shape[1], mask.shape[2], options.pixel_centers).expand(len(mask), -1, -1)
    points = coordinates.detach().double().cpu().flatten(1, 2)
    intrinsics = crop_intrinsics(guesses.expand(len(mask), -1), center, box)
    if options.published:
        poses = solve_as_published(points, pixels, weights, intrinsics, orthographic=orthographic)
    else:
        given = (points, pixels, weights, intrinsics)
        # Coordinates are of whole pixels: half of one is no reason to doubt them.
        pnp = replace(options.pnp, precision=max(options.pnp.precision, 0.5 / mask.shape[2]))
        poses = solve_pnp(*given, orthographic=orthographic, options=pnp, generator=generator)
    extent = guesses[0] / intrinsics[:, :1, 0, 0]
    return _published(poses.chosen(poses.order()[:, :keep]), extent, orthographic, mask)


def _published(poses: PnpPoses, extent: Float[Tensor, "n 1"], orthographic: bool, like: Tensor) -> EstimatedCameras:
    """Poses with the published axes, and dummies where there is none.

    Args:
        extent: the crop's width in full frames.
    """
    found = poses.found
    length = torch.where(found, poses.intrinsics[:, :, 0, 0] * extent, 1.0)
    motion = torch.eye(4).to(poses.camera_from_world).expand(*found.shape, 4, 4).clone()
    motion[:, :, 2, 3] = -DEPTH
    motion = torch.where(found[:, :, None, None], poses.camera_from_world, motion)
    # A picture spans -1..1: two units, where shares of its width are one.
    scale = 2.0 * length if orthographic else torch.ones_like(length)
    motion[:, :, :2, 3] *= scale[:, :, None]
    flip = motion.new_tensor([1.0, -1.0, -1.0, 1.0])[:, None]
    world = inverse_matrices((flip * motion).flatten(0, 1)).unflatten(0, found.shape) / scale[:, :, None, None]
    return EstimatedCameras(
        world.to(like),
        None if orthographic else length.to(like),
        torch.where(found, poses.error, DUMMY_ERROR).to(like),
        poses.believed.to(like),
        found.to(like.device),
    )


def _pixels(height: int, width: int, centers: bool) -> Float[Tensor, "p 2"]:
    """Where pixels are seen, in shares of the image, row by row."""
    shift = 0.5 if centers else 0.0
    y, x = ((torch.arange(size, dtype=torch.float64) + shift) / size for size in (height, width))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
