"""Training data: meshes and procedural objects into views and signed distances; data sets of posed pictures."""

from __future__ import annotations

from ..mesh.solid.inside import Solid as Solid
from ..mesh.solid.inside import SurfacePoints as SurfacePoints
from ..renamed import old_names
from .capture import Capture as Capture
from .capture import CaptureView as CaptureView
from .capture import open_capture as open_capture
from .objects.augment import AugmentOptions as AugmentOptions
from .objects.augment import augmented as augmented
from .objects.augment import fitted as fitted
from .objects.color_jitter import ColorChange as ColorChange
from .objects.color_jitter import changed_colors as changed_colors
from .objects.color_jitter import draw_color_change as draw_color_change
from .objects.palettes import random_palette as random_palette
from .objects.palettes import random_texture as random_texture
from .objects.procedural import procedural_object as procedural_object
from .objects.sources import Source as Source
from .objects.sources import augmented_sources as augmented_sources
from .objects.sources import load_source as load_source
from .objects.sources import mesh_sources as mesh_sources
from .objects.sources import procedural_cars as procedural_cars
from .objects.sources import procedural_sources as procedural_sources
from .objects.splits import choose_validation as choose_validation
from .objects.splits import excluded_names as excluded_names
from .objects.splits import training_names as training_names
from .objects.splits import validation_names as validation_names
from .packs.dataset import PackedObjects as PackedObjects
from .packs.dataset import PackedView as PackedView
from .packs.labels import LabelOptions as LabelOptions
from .packs.labels import Labels as Labels
from .packs.labels import label as label
from .packs.layouts import LayoutOptions as LayoutOptions
from .packs.layouts import render_layout as render_layout
from .packs.pack import PackOptions as PackOptions
from .packs.pack import pack_meshes as pack_meshes
from .packs.views import ViewOptions as ViewOptions
from .packs.views import Views as Views
from .packs.views import random_cameras as random_cameras
from .packs.views import render_views as render_views
from .posed.check import check_data as check_data
from .posed.dtu import DtuObjects as DtuObjects
from .posed.dvr import DvrObjects as DvrObjects
from .posed.objects import PosedObject as PosedObject
from .posed.objects import PosedObjects as PosedObjects
from .posed.open import open_posed as open_posed
from .posed.srn import SrnObjects as SrnObjects
from .posed.two_object import TwoObjectScenes as TwoObjectScenes
from .posed.view_lists import read_view_list as read_view_list

__all__ = [
    "AugmentOptions",
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
    "augmented",
    "augmented_sources",
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
]

__getattr__ = old_names(
    __name__, {"WidenOptions": "AugmentOptions", "widened": "augmented", "widened_sources": "augmented_sources"}
)
