"""Words by which files beside a result are asked for."""

from __future__ import annotations

from typing import Literal

Format = Literal["glb", "obj", "ply", "stl", "3mf", "usdz"]
