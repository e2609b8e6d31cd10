"""From fields and meshes to images: rays, samples, compositing; rays cast at meshes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bounds import ray_box as ray_box
from .bounds import ray_sphere as ray_sphere
from .camera_render import CameraRender as CameraRender
from .camera_render import ImageRenderer as ImageRenderer
from .camera_render import render_camera as render_camera
from .chunks import rays_per_chunk as rays_per_chunk
from .compositing import accumulate as accumulate
from .compositing import expected_distance as expected_distance
from .compositing import over_background as over_background
from .compositing import weights_from_alpha as weights_from_alpha
from .compositing import weights_from_density as weights_from_density
from .compositing import weights_from_sdf as weights_from_sdf
from .march import MarchOptions as MarchOptions
from .march import MarchSamples as MarchSamples
from .march import march as march
from .occupancy import OccupancyGrid as OccupancyGrid
from .packed import PackedRender as PackedRender
from .packed import PackedSamples as PackedSamples
from .packed import composite_packed as composite_packed
from .passes import RayPass as RayPass
from .passes import RayRender as RayRender
from .passes import Rays as Rays
from .passes import render_passes as render_passes
from .sampling import RaySampleNoise as RaySampleNoise
from .sampling import RaySampling as RaySampling
from .sampling import importance as importance
from .volume import FieldRender as FieldRender
from .volume import normals as normals
from .volume import render_field as render_field
from .volume import render_rays as render_rays

if TYPE_CHECKING:
    from .mesh import render_mesh as render_mesh


def __getattr__(name: str) -> object:
    """Drawing meshes loads the mesh room, which fields do without."""
    if name != "render_mesh":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import mesh

    return getattr(mesh, name)
