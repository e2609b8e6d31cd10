"""Meshes: iso-surfaces, topology, simplification, unwrapping, baking, ray casts, files."""

from __future__ import annotations

from ..renamed import old_names
from . import bake as bake
from . import files
from . import isosurface as isosurface
from .closest import Closest as Closest
from .closest import closest_points as closest_points
from .continued_photo import continued_photo as continued_photo
from .files import export as export
from .files import load as load
from .isosurface import NoSurfaceError as NoSurfaceError
from .isosurface import extract as extract
from .mesh import Mesh as Mesh
from .raycast import Hits as Hits
from .raycast import RayCaster as RayCaster
from .sample import sample_surface as sample_surface
from .simplify import simplify as simplify
from .texture import sample_texture as sample_texture
from .topology import MeshReport as MeshReport
from .topology import components as components
from .topology import is_watertight as is_watertight
from .topology import largest as largest
from .topology import report as report
from .unwrap import front_back_atlas as front_back_atlas
from .unwrap import project_uv as project_uv
from .unwrap import unwrap as unwrap
from .write import write_points as write_points
from .write import write_splats as write_splats

Mesh.files = files

__all__ = [
    "Closest",
    "Hits",
    "Mesh",
    "MeshReport",
    "NoSurfaceError",
    "RayCaster",
    "bake",
    "closest_points",
    "components",
    "continued_photo",
    "export",
    "extract",
    "front_back_atlas",
    "is_watertight",
    "isosurface",
    "largest",
    "load",
    "project_uv",
    "report",
    "sample_surface",
    "sample_texture",
    "simplify",
    "unwrap",
    "write_points",
    "write_splats",
]

__getattr__ = old_names(__name__, {"two_sheets": "front_back_atlas"})
