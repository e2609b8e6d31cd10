"""iNeRF: the pose of a photo, from anything that renders rays."""

from __future__ import annotations

from ...renamed import old_names
from .align import Aligned as Aligned
from .align import DirectAlignment as DirectAlignment
from .align import Hypotheses as Hypotheses
from .align import Stage as Stage
from .align import align as align
from .confidence import Diagnostics as Diagnostics
from .confidence import covariance as covariance
from .confidence import diagnostics as diagnostics
from .config import Compat as Compat
from .config import Limits as Limits
from .config import PhotometricAdam as PhotometricAdam
from .descend import Trajectory as Trajectory
from .descend import descend as descend
from .infer import Inerf as Inerf
from .infer import InerfOptions as InerfOptions
from .infer import unsure as unsure
from .infer import working_image as working_image
from .losses import AffineBrightness as AffineBrightness
from .losses import Alignment as Alignment
from .parametrization import nearest_rigid as nearest_rigid
from .parametrization import pose_of as pose_of
from .parametrization import screw_motion as screw_motion
from .pixels import PixelSource as PixelSource
from .pixels import central_box as central_box
from .pixels import dilated as dilated
from .pixels import interest_points as interest_points
from .pixels import pixel_source as pixel_source
from .protocol import EulerOrder as EulerOrder
from .protocol import euler_start as euler_start
from .protocol import perturbed as perturbed
from .protocol import random_starts as random_starts
from .protocol import sphere_axis as sphere_axis
from .starts import around as around
from .starts import over_sphere as over_sphere

__getattr__ = old_names(
    __name__,
    {
        "Aligning": "DirectAlignment",
        "Descent": "PhotometricAdam",
        "Evidence": "Diagnostics",
        "Tone": "AffineBrightness",
        "evidence": "diagnostics",
        "widened": "dilated",
    },
)
