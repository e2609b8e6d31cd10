"""The methods: one folder a system; nothing below this floor knows them by name."""

from __future__ import annotations

from ..renamed import old_names
from .base import Generator as Generator
from .base import Method as Method
from .base import MethodCard as MethodCard
from .base import PoseEstimate as PoseEstimate
from .base import PoseEstimator as PoseEstimator
from .base import PublishedFormat as PublishedFormat
from .base import Reconstructor as Reconstructor
from .base import SceneBounds as SceneBounds
from .registry import MethodOptions as MethodOptions
from .registry import chosen as chosen
from .registry import create as create
from .registry import declared as declared
from .registry import every_method as every_method
from .registry import make as make
from .registry import method_class as method_class
from .registry import method_names as method_names
from .samples import PublishedSamples as PublishedSamples
from .samples import Studio as Studio
from .samples import Styles as Styles
from .samples import label_of as label_of

__getattr__ = old_names(__name__, {"Surroundings": "SceneBounds"})
