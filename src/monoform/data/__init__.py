"""Training data: meshes and procedural objects into views and signed distances; data sets of posed pictures."""

from __future__ import annotations

from .capture import Capture as Capture
from .capture import CaptureView as CaptureView
from .capture import open_capture as open_capture
from .check import check_data as check_data
from .color_jitter import ColorChange as ColorChange
from .color_jitter import changed_colors as changed_colors
from .color_jitter import draw_color_change as draw_color_change
from .dataset import PackedObjects as PackedObjects
from .dataset import PackedView as PackedView
from .dtu import DtuObjects as DtuObjects
from .dvr import DvrObjects as DvrObjects
from .inside import Solid as Solid
from .inside import SurfacePoints as SurfacePoints
from .labels import LabelOptions as LabelOptions
from .labels import Labels as Labels
from .labels import label as label
from .layouts import LayoutOptions as LayoutOptions
from .layouts import render_layout as render_layout
from .open_posed import open_posed as open_posed
from .pack import PackOptions as PackOptions
from .pack import pack_meshes as pack_meshes
from .palettes import random_palette as random_palette
from .palettes import random_texture as random_texture
from .posed import PosedObject as PosedObject
from .posed import PosedObjects as PosedObjects
from .procedural import procedural_object as procedural_object
from .sources import Source as Source
from .sources import load_source as load_source
from .sources import mesh_sources as mesh_sources
from .sources import procedural_cars as procedural_cars
from .sources import procedural_sources as procedural_sources
from .sources import widened_sources as widened_sources
from .splits import choose_validation as choose_validation
from .splits import excluded_names as excluded_names
from .splits import training_names as training_names
from .splits import validation_names as validation_names
from .srn import SrnObjects as SrnObjects
from .two_object import TwoObjectScenes as TwoObjectScenes
from .view_lists import read_view_list as read_view_list
from .views import ViewOptions as ViewOptions
from .views import Views as Views
from .views import random_cameras as random_cameras
from .views import render_views as render_views
from .widen import WidenOptions as WidenOptions
from .widen import fitted as fitted
from .widen import widened as widened

__all__ = [
    "Capture",
    "CaptureView",
    "ColorChange",
    "DtuObjects",
    "DvrObjects",
    "LabelOptions",
    "Labels",
    "LayoutOptions",
    "PackOptions",
    "PackedObjects",
    "PackedView",
    "PosedObject",
    "PosedObjects",
    "Solid",
    "Source",
    "SrnObjects",
    "SurfacePoints",
    "TwoObjectScenes",
    "ViewOptions",
    "Views",
    "WidenOptions",
    "changed_colors",
    "check_data",
    "choose_validation",
    "draw_color_change",
    "excluded_names",
    "fitted",
    "label",
    "load_source",
    "mesh_sources",
    "open_capture",
    "open_posed",
    "pack_meshes",
    "procedural_cars",
    "procedural_object",
    "procedural_sources",
    "random_cameras",
    "random_palette",
    "random_texture",
    "read_view_list",
    "render_layout",
    "render_views",
    "training_names",
    "validation_names",
    "widened",
    "widened_sources",
]
