"""PoF3D (Shi et al. 2023): photos without camera labels to a generator of objects that learns their poses itself."""

from __future__ import annotations

from .config import Compat as Compat
from .config import Pof3dConfig as Pof3dConfig
from .mapping import Mapped as Mapped
from .model import Pof3dGenerator as Pof3dGenerator
from .model import Synthesis as Synthesis
from .poses import camera_poses as camera_poses
from .poses import mirrored as mirrored
from .presets import preset as preset
