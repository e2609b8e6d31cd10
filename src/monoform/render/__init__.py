"""From fields and meshes to images: rays, samples, compositing; rays cast at meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bounds import ray_box as ray_box
from .bounds import ray_sphere as ray_sphere
from .chunks import rays_per_chunk as rays_per_chunk
from .compositing import composite as composite
from .compositing import density_weights as density_weights
from .compositing import expected_distance as expected_distance
from .compositing import over_background as over_background
from .compositing import sdf_weights as sdf_weights
from .march import MarchOptions as MarchOptions
from .march import Samples as Samples
from .march import march as march
from .occupancy import OccupancyGrid as OccupancyGrid
from .ragged import RaggedRender as RaggedRender
from .ragged import composite_samples as composite_samples
from .sampling import importance as importance
from .sampling import interval_edges as interval_edges
from .sampling import stratified as stratified
from .volume import FieldRender as FieldRender
from .volume import RayRender as RayRender
from .volume import SamplingOptions as SamplingOptions
from .volume import normals as normals
from .volume import render_field as render_field
from .volume import render_rays as render_rays

if TYPE_CHECKING:
    from .mesh import MeshRender as MeshRender
    from .mesh import render_mesh as render_mesh


def __getattr__(name: str) -> object:
    """Drawing meshes loads the mesh room, which fields do without."""
    if name not in ("MeshRender", "render_mesh"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import mesh

    return getattr(mesh, name)
