"""TripoSR (Tochilkin et al. 2024): one photo to a tri-plane radiance field in one pass of a transformer."""

from __future__ import annotations

from .config import TripoSrConfig as TripoSrConfig
from .config import TripoSrOptions as TripoSrOptions
from .infer import TripoSr as TripoSr
from .model import TripoSrNet as TripoSrNet
