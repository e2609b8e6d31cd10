"""What every command is asked that writes result folders: how a reconstruction becomes a mesh and a film."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .export_options import Exporting


@dataclass(frozen=True, kw_only=True)
class ResultOptions(Exporting):
    """Options of a command that writes result folders; its own dataclass is built on this one."""

    faces: int = 20_000
    """Triangles of each mesh, met within one percent."""
    texture: int = 1024
    """Side of the texture in pixels."""
    resolution: int = 320
    """Cells along the longest side at which the surface is extracted."""
    frames: int = 60
    """Frames of the turntable film; 0 leaves it out."""
    film: Literal["mesh", "field"] = "mesh"
    """What the turntable shows: mesh; or field, as the method itself draws it (pixelnerf), which takes longer."""
    overwrite: bool = False
    """Make finished results anew."""
    set: tuple[str, ...] = field(default=())
    """Options of the method as NAME=VALUE; `monoform models METHOD` lists them."""

    def of_results(self) -> dict[str, Any]:
        """Those that the job takes by the same names."""
        same = {name: getattr(self, name) for name in ("faces", "texture", "resolution", "frames", "film")}
        return same | {"exports": self.exports()}
