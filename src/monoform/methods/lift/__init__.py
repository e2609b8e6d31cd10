"""`lift`: a network's guess of the solid behind a photo, kept to the photo's mask."""

from __future__ import annotations

from .config import LiftConfig as LiftConfig
from .infer import Lift as Lift
from .infer import LiftOptions as LiftOptions
from .model import LiftNet as LiftNet
