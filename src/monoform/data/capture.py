"""Captures: photos of one scene with their cameras, in the layouts that other programs write."""

from __future__ import annotations

from .captures.capture import LAYOUTS as LAYOUTS
from .captures.capture import Capture as Capture
from .captures.capture import CaptureLayout as CaptureLayout
from .captures.capture import CaptureSplit as CaptureSplit
from .captures.capture import CaptureView as CaptureView
from .captures.geometry import content_sphere as content_sphere
from .captures.geometry import faces_inward as faces_inward
from .captures.images import read_counted as read_counted
from .captures.images import read_image as read_image
from .captures.images import require_size as require_size
from .captures.open import detect_capture as detect_capture
from .captures.open import open_capture as open_capture
