"""Words by which files beside a result are asked for."""

from __future__ import annotations

from typing import Literal

Format = Literal["glb", "obj", "ply", "stl", "3mf", "usdz"]
Map = Literal["depth", "normal", "mask"]
Texture = Literal["png", "jpg", "webp"]
Film = Literal["gif", "webp", "apng"]
Simulator = Literal["urdf", "mjcf"]
CameraFormat = Literal["nerfstudio", "colmap", "blender"]
Stand = Literal["photo", "stable"]
