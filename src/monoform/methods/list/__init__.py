"""LIST (Arshad and Beksi 2023): an implicit surface from one photo, without a camera."""

from __future__ import annotations

from .config import ListConfig as ListConfig
from .config import preset as preset
from .infer import List as List
from .infer import ListOptions as ListOptions
from .model import CoarseNet as CoarseNet
from .model import Encoding as Encoding
from .model import ListNet as ListNet
