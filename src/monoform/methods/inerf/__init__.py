"""iNeRF: the pose of a photo, from anything that renders rays."""

from __future__ import annotations

from .config import Compat as Compat
from .config import Descent as Descent
from .descend import Trajectory as Trajectory
from .descend import descend as descend
from .parametrisation import nearest_rigid as nearest_rigid
from .parametrisation import pose_of as pose_of
from .parametrisation import screw_motion as screw_motion
from .pixels import PixelSource as PixelSource
from .pixels import central_box as central_box
from .pixels import interest_points as interest_points
from .pixels import pixel_source as pixel_source
from .pixels import widened as widened
from .protocol import euler_start as euler_start
from .protocol import perturbed as perturbed
from .protocol import random_starts as random_starts
from .protocol import sphere_axis as sphere_axis
