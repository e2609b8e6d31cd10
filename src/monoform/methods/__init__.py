"""The methods: one folder a system; nothing below this floor knows them by name."""

from __future__ import annotations

from .base import Method as Method
from .base import MethodCard as MethodCard
from .base import PoseEstimate as PoseEstimate
from .base import PoseEstimator as PoseEstimator
from .base import Reconstructor as Reconstructor
from .base import Surroundings as Surroundings
from .options import option_rows as option_rows
from .options import parse_overrides as parse_overrides
from .registry import create as create
from .registry import method_class as method_class
from .registry import method_names as method_names
