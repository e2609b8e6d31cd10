"""Volume rendering of a Field: rays for training, whole cameras for looking."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..camera import Camera
from ..errors import InputError
from ..nn.field import Field
from .bounds import ray_box
from .chunks import GIBIBYTE, rays_per_chunk, slices
from .compositing import composite, density_weights, expected_distance, over_background, sdf_weights
from .sampling import importance, interval_edges, stratified

NORMAL_STEP = 1e-3
# Coverage below this is nothing: the mean of such weights is the place of their tails.
SEEN = 1e-3


@dataclass(frozen=True)
class SamplingOptions:
    """How rays are sampled.

    Args:
        coarse: evenly spread samples per ray.
        fine: samples drawn where the coarse ones found something; 0 for none.
        beta: world units; softness of the surface of a signed distance (1/s of NeuS).
        background: sRGB.
    """

    coarse: int = 64
    fine: int = 64
    beta: float = 0.002
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.coarse < 2 or self.fine < 0:
            raise InputError(f"Samples per ray are {self.coarse} and {self.fine}; give at least 2 coarse, 0 fine.")
        if not self.beta > 0:
            raise InputError(f"SamplingOptions beta is {self.beta}; it must be positive, in world units.")


@dataclass(frozen=True, eq=False)
class RayRender:
    """What rays see: colour on the background, coverage, mean distance along the ray (0 where nothing is)."""

    rgb: Float[Tensor, "r 3"]
    alpha: Float[Tensor, " r"]
    distance: Float[Tensor, " r"]
    weights: Float[Tensor, "r n"]
    distances: Float[Tensor, "r n"]


@dataclass(frozen=True, eq=False)
class FieldRender:
    """What cameras see of a field.

    Attributes:
        rgb: sRGB 0..1 on the background.
        alpha: coverage 0..1.
        depth: along the camera's z axis, in world units; infinity where nothing is.
        normal: unit, in the world, at the mean depth; 0 where nothing is or the geometry has no slope.
    """

    rgb: Float[Tensor, "b h w 3"]
    alpha: Float[Tensor, "b h w"]
    depth: Float[Tensor, "b h w"]
    normal: Float[Tensor, "b h w 3"]

    @property
    def mask(self) -> Bool[Tensor, "b h w"]:
        """Pixels covered by more than half."""
        return self.alpha > 0.5


def render_rays(
    field: Field,
    origins: Float[Tensor, "r 3"],
    directions: Float[Tensor, "r 3"],
    options: SamplingOptions | None = None,
    *,
    generator: torch.Generator | None = None,
) -> RayRender:
    """Render rays of unit direction; differentiable in the field and in the rays.

    Sample positions are constants for autograd. Without a generator they are the same at every call.
    """
    options = options or SamplingOptions()
    near, far, _ = ray_box(origins.detach(), directions.detach(), field.bounds)
    distances = stratified(near, far, options.coarse, generator)
    geometry = _geometry(field, origins, directions, distances)
    if options.fine:
        # Softened to the sample spacing, a surface between two samples draws the fine ones to both of its sides.
        spacing = ((far - near) / options.coarse).clamp_min(options.beta)[:, None]
        edges, weights = _weights(field, geometry.detach(), distances, near, far, spacing)
        fine = importance(edges, weights, options.fine, generator)
        distances, order = torch.sort(torch.cat((distances, fine), dim=-1), dim=-1)
        geometry = torch.cat((geometry, _geometry(field, origins, directions, fine)), dim=-1).gather(-1, order)
    edges, weights = _weights(field, geometry, distances, near, far, torch.full_like(near, options.beta)[:, None])
    if field.kind == "sdf":
        distances = 0.5 * (edges[:, 1:] + edges[:, :-1])
    along = directions[:, None].expand(-1, distances.shape[1], -1)
    colors = field.color(_points(origins, directions, distances), along.reshape(-1, 3)).reshape(*distances.shape, 3)
    alpha = weights.sum(dim=-1)
    rgb = over_background(composite(weights, colors), alpha, options.background)
    return RayRender(rgb, alpha, expected_distance(weights, distances), weights, distances)


@torch.no_grad()
def render_field(
    field: Field,
    camera: Camera,
    options: SamplingOptions | None = None,
    *,
    memory_bytes: int = GIBIBYTE,
    bytes_per_point: int | None = None,
) -> FieldRender:
    """Render whole images, piece by piece within a memory budget, without autograd; deterministic.

    Args:
        field: what to render.
        camera: from where; every camera of the batch gives one image.
        options: samples per ray and background.
        memory_bytes: about what may be used at once.
        bytes_per_point: what the field needs for one point; by default that of a 512-wide network.
    """
    options = options or SamplingOptions()
    per_point = {} if bytes_per_point is None else {"bytes_per_point": bytes_per_point}
    size = rays_per_chunk(options.coarse + options.fine, memory_bytes=memory_bytes, **per_point)
    images = [_render_image(field, one, options, size) for one in camera]
    shape = (len(camera), camera.height, camera.width)
    rgb, alpha, depth, normal = (torch.stack(parts) for parts in zip(*images, strict=True))
    return FieldRender(rgb.reshape(*shape, 3), alpha.reshape(shape), depth.reshape(shape), normal.reshape(*shape, 3))


def normals(field: Field, points: Float[Tensor, "n 3"], *, step: float = NORMAL_STEP) -> Float[Tensor, "n 3"]:
    """Unit outward normals by central differences of the geometry over 2 `step` world units; 0 where it is flat."""
    offsets = step * torch.eye(3).to(points)
    around = (points[:, None, None] + torch.stack((offsets, -offsets), dim=1)).reshape(-1, 3)
    ahead, behind = field.geometry(around).reshape(-1, 3, 2).unbind(dim=-1)
    slope = ahead - behind if field.kind == "sdf" else behind - ahead
    return torch.nn.functional.normalize(slope, dim=-1)


def _render_image(
    field: Field, camera: Camera, options: SamplingOptions, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    origins, directions = (rays[0] for rays in camera.rays())
    rgb = origins.new_tensor(options.background).repeat(len(origins), 1)
    alpha, normal = torch.zeros_like(rgb[:, 0]), torch.zeros_like(rgb)
    depth = torch.full_like(alpha, torch.inf)
    forward = camera.world_from_camera[0, :3, 2]
    hits = ray_box(origins, directions, field.bounds)[2].nonzero()[:, 0]
    for part in slices(len(hits), size):
        chosen = hits[part]
        rays = render_rays(field, origins[chosen], directions[chosen], options)
        rgb[chosen], alpha[chosen] = rays.rgb, rays.alpha
        seen = rays.alpha > SEEN
        depth[chosen] = torch.where(seen, rays.distance * (directions[chosen] @ forward), torch.inf)
        points = origins[chosen] + rays.distance[:, None] * directions[chosen]
        normal[chosen] = normals(field, points) * seen[:, None]
    return rgb, alpha, depth, normal


def _points(
    origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"], distances: Float[Tensor, "r n"]
) -> Float[Tensor, "rn 3"]:
    return (origins[:, None] + distances[..., None] * directions[:, None]).reshape(-1, 3)


def _geometry(
    field: Field, origins: Float[Tensor, "r 3"], directions: Float[Tensor, "r 3"], distances: Float[Tensor, "r n"]
) -> Float[Tensor, "r n"]:
    return field.geometry(_points(origins, directions, distances)).reshape(distances.shape)


def _weights(
    field: Field,
    geometry: Float[Tensor, "r n"],
    distances: Float[Tensor, "r n"],
    near: Float[Tensor, " r"],
    far: Float[Tensor, " r"],
    beta: Float[Tensor, "r 1"],
) -> tuple[Float[Tensor, "r edges"], Float[Tensor, "r intervals"]]:
    """Intervals along the rays and their weights: around the samples of a density, between those of a distance."""
    if field.kind == "sdf":
        return distances, sdf_weights(geometry, beta)
    edges = interval_edges(distances, near, far)
    return edges, density_weights(geometry, edges.diff(dim=-1))
