"""Volume rendering of a Field: rays for training, whole cameras for looking."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..camera import Camera
from ..nn.field import Field
from .bounds import ray_box
from .chunks import GIBIBYTE, rays_per_chunk, slices
from .passes import RayPass, Rays, render_passes
from .sampling import RaySampleNoise, RaySampling

NORMAL_STEP = 1e-3
# Coverage below this is nothing: the mean of such weights is the place of their tails.
SEEN = 1e-3


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
    sampling: RaySampling | None = None,
    *,
    generator: torch.Generator | None = None,
) -> RayPass:
    """Render rays of unit direction; differentiable in the field and in the rays.

    The field is asked once for each sample. Sample positions are constants for autograd; without a generator they are
    the same at every call.
    """
    sampling = sampling or RaySampling()
    near, far, _ = ray_box(origins.detach(), directions.detach(), field.bounds)
    noise = RaySampleNoise.draw(len(origins), sampling, generator)
    rays = Rays(origins, directions, near[:, None], far[:, None])
    return render_passes(rays, sampling, noise.to(origins), rays.sampler(field.query), kind=field.kind).best


@torch.no_grad()
def render_field(
    field: Field,
    camera: Camera,
    sampling: RaySampling | None = None,
    *,
    memory_bytes: int = GIBIBYTE,
    bytes_per_point: int | None = None,
) -> FieldRender:
    """Render whole images, piece by piece within a memory budget, without autograd; deterministic.

    Args:
        field: what to render.
        camera: from where; every camera of the batch gives one image.
        sampling: samples per ray and background.
        memory_bytes: about what may be used at once.
        bytes_per_point: what the field needs for one point; by default that of a 512-wide network.
    """
    sampling = sampling or RaySampling()
    per_point = {} if bytes_per_point is None else {"bytes_per_point": bytes_per_point}
    size = rays_per_chunk(sampling.coarse + sampling.fine, memory_bytes=memory_bytes, **per_point)
    images = [_render_image(field, one, sampling, size) for one in camera]
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
    field: Field, camera: Camera, sampling: RaySampling, size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    origins, directions = (rays[0] for rays in camera.rays())
    rgb = origins.new_tensor(sampling.background).repeat(len(origins), 1)
    alpha, normal = torch.zeros_like(rgb[:, 0]), torch.zeros_like(rgb)
    depth = torch.full_like(alpha, torch.inf)
    forward = camera.world_from_camera[0, :3, 2]
    hits = ray_box(origins, directions, field.bounds)[2].nonzero()[:, 0]
    for part in slices(len(hits), size):
        chosen = hits[part]
        rays = render_rays(field, origins[chosen], directions[chosen], sampling)
        rgb[chosen], alpha[chosen] = rays.rgb, rays.alpha
        seen = rays.alpha > SEEN
        depth[chosen] = torch.where(seen, rays.distance * (directions[chosen] @ forward), torch.inf)
        points = origins[chosen] + rays.distance[:, None] * directions[chosen]
        normal[chosen] = normals(field, points) * seen[:, None]
    return rgb, alpha, depth, normal
