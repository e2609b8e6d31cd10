"""Meshes for rays: a `RayRenderer` of a textured mesh, differentiable where a ray stays on its triangle."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from ..mesh.mesh import Mesh
from ..mesh.raycast import caster_of
from ..mesh.texture import UNPAINTED
from .ray_renderer import RayColors


class MeshRenderer:
    """The surface colours of a mesh, unlit, on a plain background.

    Colours follow a ray over its triangle, so that they have a slope in origins and directions; outlines have none.
    """

    def __init__(self, mesh: Mesh, background: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> None:
        self.mesh, self.background = mesh, background
        self._caster = caster_of(mesh)
        self._corners = torch.from_numpy(np.ascontiguousarray(mesh.vertices[mesh.faces])).double()
        self._uv = self._image = self._painted = None
        if mesh.uv is not None and mesh.texture is not None:
            self._uv = torch.from_numpy(np.ascontiguousarray(mesh.uv[mesh.faces])).double()
            self._image = torch.from_numpy(np.ascontiguousarray(mesh.texture)).permute(2, 0, 1)[None].double() / 255.0
        elif mesh.vertex_colors is not None:
            painted = np.ascontiguousarray(mesh.vertex_colors[mesh.faces])
            self._painted = torch.from_numpy(painted).double() / 255.0

    def __call__(
        self,
        origins: Float[Tensor, "r 3"],
        directions: Float[Tensor, "r 3"],
        *,
        generator: torch.Generator | None = None,
    ) -> RayColors:
        """Colour and coverage, 0 or 1, of rays; nothing is random."""
        del generator
        start, along = origins.double(), directions.double()
        hits = self._caster.cast(start.detach().cpu().numpy(), along.detach().cpu().numpy())
        hit = torch.from_numpy(hits.hit)
        face = torch.from_numpy(hits.face[hits.hit].astype(np.int64))
        rgb = start.new_tensor(self.background).repeat(len(start), 1)
        distance = torch.zeros_like(start[:, 0])
        if len(face):
            weights, far = _meeting(self._corners[face], start[hit], along[hit])
            rgb = rgb.index_put((hit.nonzero()[:, 0],), self._colors(face, weights))
            distance[hit] = far.detach()
        return RayColors(rgb.to(origins), hit.to(origins), distance.to(origins))

    def _colors(self, face: Tensor, weights: Float[Tensor, "m 3"]) -> Float[Tensor, "m 3"]:
        if self._painted is not None:
            return (weights[..., None] * self._painted[face]).sum(1)
        if self._uv is None or self._image is None:
            return weights.new_tensor(UNPAINTED.tolist()).expand(len(face), 3)
        u, v = (weights[..., None] * self._uv[face]).sum(1).unbind(-1)
        grid = torch.stack((2.0 * (u % 1.0) - 1.0, 1.0 - 2.0 * (v % 1.0)), dim=-1)
        found = grid_sample(self._image, grid[None, None], mode="bilinear", padding_mode="border", align_corners=False)
        return found[0, :, 0].mT


def _meeting(
    corners: Float[Tensor, "m 3 3"], origins: Float[Tensor, "m 3"], directions: Float[Tensor, "m 3"]
) -> tuple[Float[Tensor, "m 3"], Float[Tensor, " m"]]:
    """Weights of the corners where rays meet the planes of their triangles, and the distance (Möller and Trumbore)."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = torch.linalg.cross(directions, second)
    volume = (first * across).sum(-1)
    volume = torch.where(volume.abs() < 1e-300, torch.full_like(volume, 1e-300), volume)
    offset = origins - corners[:, 0]
    u = (offset * across).sum(-1) / volume
    other = torch.linalg.cross(offset, first)
    v = (directions * other).sum(-1) / volume
    return torch.stack((1.0 - u - v, u, v), dim=-1), (second * other).sum(-1) / volume
