"""Cameras and poses. Axes x right, y down, z forward; world Y up; pixel centres at +0.5."""

from __future__ import annotations

from ..renamed import old_names
from .camera import Camera as Camera
from .colmap import camera_from_colmap as camera_from_colmap
from .colmap import cameras_from_colmap as cameras_from_colmap
from .colmap import colmap_from_cameras as colmap_from_cameras
from .colmap_binary import cameras_from_colmap_binary as cameras_from_colmap_binary
from .conventions import from_blender as from_blender
from .conventions import from_integer_centers as from_integer_centers
from .conventions import from_opengl as from_opengl
from .conventions import to_blender as to_blender
from .conventions import to_integer_centers as to_integer_centers
from .conventions import to_opengl as to_opengl
from .conventions import y_up_from_z_up as y_up_from_z_up
from .conventions import z_up_from_y_up as z_up_from_y_up
from .distributions import GaussianAngles as GaussianAngles
from .distributions import PoseDistribution as PoseDistribution
from .distributions import UniformSphere as UniformSphere
from .distributions import UniformZone as UniformZone
from .lie import hat as hat
from .lie import quaternion_from_rotation as quaternion_from_rotation
from .lie import quaternion_multiply as quaternion_multiply
from .lie import rotation_from_quaternion as rotation_from_quaternion
from .lie import se3_exp as se3_exp
from .lie import se3_log as se3_log
from .lie import so3_exp as so3_exp
from .lie import so3_log as so3_log
from .poses import look_at as look_at
from .poses import orbit as orbit
from .poses import spherical_position as spherical_position
from .rigid import rigid as rigid
from .rigid import rigid_inverse as rigid_inverse
from .rigid import transform_points as transform_points
from .transforms_json import cameras_from_transforms as cameras_from_transforms
from .transforms_json import transforms_from_cameras as transforms_from_cameras
from .turned import stored_camera as stored_camera
from .turned import upright_camera as upright_camera
from .turned import upward as upward

__getattr__ = old_names(
    __name__, {"from_integer_centres": "from_integer_centers", "to_integer_centres": "to_integer_centers"}
)
