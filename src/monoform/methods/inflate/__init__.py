"""`inflate`: the weightless baseline, silhouette to solid."""

from __future__ import annotations

from .config import InflateConfig as InflateConfig
from .infer import Inflate as Inflate
from .model import InflateField as InflateField
