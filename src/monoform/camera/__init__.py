"""Cameras and poses. Axes x right, y down, z forward; world Y up; pixel centres at +0.5."""

from __future__ import annotations

from .camera import Camera as Camera
from .poses import look_at as look_at
from .poses import orbit as orbit
from .poses import spherical_position as spherical_position
from .rigid import rigid as rigid
from .rigid import rigid_inverse as rigid_inverse
from .rigid import transform_points as transform_points
