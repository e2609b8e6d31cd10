"""Meshes: iso-surfaces, topology, simplification, unwrapping, baking, ray casts, files."""

from __future__ import annotations

from . import isosurface as isosurface
from .isosurface import extract as extract
from .mesh import Mesh as Mesh
from .read import load as load
from .simplify import simplify as simplify
from .topology import MeshReport as MeshReport
from .topology import components as components
from .topology import is_watertight as is_watertight
from .topology import largest as largest
from .topology import report as report
from .write import export as export

__all__ = [
    "Mesh",
    "MeshReport",
    "components",
    "export",
    "extract",
    "is_watertight",
    "isosurface",
    "largest",
    "load",
    "report",
    "simplify",
]
