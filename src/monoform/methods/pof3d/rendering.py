"""What cameras see of planes: EG3D's quadrature, by options of the house's pipeline (EG3D, section 4.3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from ...camera import Camera
from ...render import RayPass, RaySampleNoise, RaySampling, ray_box, render_passes
from ...render import Rays as RayBundle
from ...render.passes import Query
from .config import FOV, Compat, Rays

NORMAL_SIDE = 64
"""Pixels of a side of the normals that the release makes of any depth."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What rays see.

    Attributes:
        colors: -1..1, of all channels.
        depth: mean distance along the ray, world units.
        alpha: coverage 0..1.
        passed: share 0..1 of light that reaches the last interval, and what lies beyond.
        samples: the pass over all samples.
    """

    colors: Float[Tensor, "n r c"]
    depth: Float[Tensor, "n r"]
    alpha: Float[Tensor, "n r"]
    passed: Float[Tensor, "n r"]
    samples: RayPass


def sampling_of(rays: Rays) -> RaySampling:
    """EG3D's quadrature as the pipeline takes it."""
    return RaySampling(
        coarse=rays.coarse,
        fine=rays.fine,
        spread="disparity" if rays.disparity else "linear",
        strata="behind",
        intervals="between",
        density="softplus",
        metric=False,
        importance="inner",
        pooled=True,
        background=(float(rays.white),) * 3,
    )


def image_rays(
    world_from_camera: Float[Tensor, "n 4 4"], intrinsics: Float[Tensor, "n 3 3"], resolution: int
) -> tuple[Float[Tensor, "n r 3"], Float[Tensor, "n r 3"]]:
    """Origins and unit directions through the pixels of square images, row by row.

    Args:
        intrinsics: of images whose side is 1.
    """
    scale = intrinsics.new_tensor((resolution, resolution, 1.0))[:, None]
    return Camera(world_from_camera, intrinsics * scale, resolution, resolution).rays()


def limits(
    origins: Float[Tensor, "n r 3"], directions: Float[Tensor, "n r 3"], rays: Rays, compat: Compat
) -> tuple[Float[Tensor, "n r 1"], Float[Tensor, "n r 1"]]:
    """Where rays begin and end: given numbers, or the sides of the box."""
    if rays.near is not None and rays.far is not None:
        one = torch.ones_like(origins[..., :1])
        return rays.near * one, rays.far * one
    half = torch.full((3,), rays.box / 2).to(origins)
    bounds = torch.stack((-half, half))
    flat = origins.detach().reshape(-1, 3), directions.detach().reshape(-1, 3)
    near, far, hit = ray_box(*flat, bounds, backwards=compat.late_misses)
    if compat.late_misses and bool(hit.any()):
        near, far = (
            torch.where(hit, near, near[hit].min()),
            torch.where(hit, far, near[hit].max()),
        )
    return near.reshape(*origins.shape[:-1], 1), far.reshape(*origins.shape[:-1], 1)


def see(
    query: Query,
    origins: Float[Tensor, "n r 3"],
    directions: Float[Tensor, "n r 3"],
    noise: RaySampleNoise,
    rays: Rays,
    compat: Compat,
) -> Seen:
    """Render rays of unit direction; differentiable in what is seen and in the rays.

    Args:
        query: raw density and colors of points.
        noise: where samples lie.
        rays: how they are sampled.
        compat: behaviours of the original.
    """
    near, far = limits(origins, directions, rays, compat)
    bundle = RayBundle(origins, directions, near, far)
    found = render_passes(bundle, sampling_of(rays), noise.to(origins), bundle.sampler(query)).best
    return seen_of(found, rays, compat)


def seen_of(found: RayPass, rays: Rays, compat: Compat) -> Seen:
    """What rays see, of the pass over all samples."""
    values = found.values
    if rays.white:  # the pipeline's background has the three channels of a picture
        values = torch.cat((values[..., :3], values[..., 3:] + (1 - found.alpha)[..., None]), dim=-1)
    depth = _depth(found, compat)
    return Seen(2 * values - 1, depth, found.alpha, 1 - found.weights[..., :-1].sum(dim=-1), found)


def _depth(found: RayPass, compat: Compat) -> Tensor:
    seen = found.alpha > 0
    mean = torch.where(seen, found.depth / torch.where(seen, found.alpha, 1.0), torch.inf)
    low, high = found.samples[..., 0], found.samples[..., -1]
    if compat.batch_depth:
        low, high = low.min(), high.max()
    return torch.minimum(torch.maximum(mean, low), high)


def normals_of_depth(depth: Float[Tensor, "n h w"], fov: float = FOV) -> Float[Tensor, "n h w 3"]:
    """Unit normals of the surface that a depth map is, in the camera's axes; (0, 0, 1) at the border.

    As in the release the corners of the image lie at the field of view, and depth counts along the camera's axis.

    Args:
        fov: degrees from side to side.
    """
    _, height, width = depth.shape
    x = torch.linspace(-1, 1, width).to(depth)
    y = torch.linspace(-1, 1, height).to(depth)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    slope = math.tan(math.radians(fov) / 2)
    plane = torch.stack((columns * slope, rows * slope, torch.ones_like(rows)), dim=-1)
    points = plane * depth[..., None]
    across = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    down = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    normal = torch.linalg.cross(across, down)
    normal = normal / (normal.norm(dim=-1, keepdim=True) + 1e-7)
    border = normal.new_tensor((0.0, 0.0, 1.0)).expand(*depth.shape, 3).clone()
    border[:, 1:-1, 1:-1] = normal
    return border


def normal_map(depth: Float[Tensor, "n 1 h w"], side: int = NORMAL_SIDE) -> Float[Tensor, "n 3 s s"]:
    """Normals of a depth map that is brought to `side` pixels, channels first."""
    depth = interpolate(depth, (side, side), mode="bilinear", align_corners=False)
    return normals_of_depth(depth[:, 0]).movedim(-1, 1)
