"""Sets of photos of one kind of object, as generators learn from them: pictures of one square size, labels beside."""

from __future__ import annotations

from .image_set import ImageSet as ImageSet
from .labels import fov_label as fov_label
from .prepare import SetOptions as SetOptions
from .prepare import prepare_images as prepare_images
from .sampler import half_window_order as half_window_order
