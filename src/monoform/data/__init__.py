"""Training data: meshes and procedural objects into views and signed distances, packed and read back; splits."""

from __future__ import annotations

from .dataset import PackedObjects as PackedObjects
from .dataset import PackedView as PackedView
from .inside import Solid as Solid
from .inside import SurfacePoints as SurfacePoints
from .labels import LabelOptions as LabelOptions
from .labels import Labels as Labels
from .labels import label as label
from .pack import PackOptions as PackOptions
from .pack import pack_meshes as pack_meshes
from .palettes import random_palette as random_palette
from .palettes import random_texture as random_texture
from .procedural import procedural_object as procedural_object
from .sources import Source as Source
from .sources import load_source as load_source
from .sources import mesh_sources as mesh_sources
from .sources import procedural_sources as procedural_sources
from .sources import widened_sources as widened_sources
from .splits import choose_validation as choose_validation
from .splits import excluded_names as excluded_names
from .splits import training_names as training_names
from .splits import validation_names as validation_names
from .views import ViewOptions as ViewOptions
from .views import Views as Views
from .views import random_cameras as random_cameras
from .views import render_views as render_views
from .widen import WidenOptions as WidenOptions
from .widen import fitted as fitted
from .widen import widened as widened

__all__ = [
    "LabelOptions",
    "Labels",
    "PackOptions",
    "PackedObjects",
    "PackedView",
    "Solid",
    "Source",
    "SurfacePoints",
    "ViewOptions",
    "Views",
    "WidenOptions",
    "choose_validation",
    "excluded_names",
    "fitted",
    "label",
    "load_source",
    "mesh_sources",
    "pack_meshes",
    "procedural_object",
    "procedural_sources",
    "random_cameras",
    "random_palette",
    "random_texture",
    "render_views",
    "training_names",
    "validation_names",
    "widened",
    "widened_sources",
]
