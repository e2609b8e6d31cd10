"""pixelNeRF (Yu et al. 2021): images of an object, with cameras, to a radiance field in one pass of a network."""

from __future__ import annotations

from .cameras import camera_path as camera_path
from .cameras import from_published as from_published
from .cameras import published_rays as published_rays
from .cameras import quaternion_w_first as quaternion_w_first
from .cameras import real_car_path as real_car_path
from .cameras import scan_path as scan_path
from .cameras import spherical_pose as spherical_pose
from .config import PixelNerfConfig as PixelNerfConfig
from .config import preset as preset
from .encoded import Encoded as Encoded
from .fast import FastImage as FastImage
from .fast import FastOptions as FastOptions
from .fast import render_image as render_image
from .infer import PixelNerf as PixelNerf
from .infer import PixelNerfOptions as PixelNerfOptions
from .model import PixelNerfNet as PixelNerfNet
from .pixels import pixels_in_boxes as pixels_in_boxes
from .pixels import pool_views as pool_views
from .pixels import truncate_to_8_bit as truncate_to_8_bit
from .render import render as render
