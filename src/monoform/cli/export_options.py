"""What every command that writes results is asked for beside their own files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..computing import Computing
from ..jobs.exports.names import Format

if TYPE_CHECKING:
    from ..jobs.exports import ExportOptions


@dataclass(frozen=True, kw_only=True)
class Exporting(Computing):
    """Options of a command that writes files beside results; its own dataclass is built on this one."""

    format: tuple[Format, ...] = ()
    """Other formats of the mesh beside mesh.glb: obj, ply, stl, 3mf, usdz; several may be given."""

    def exports(self) -> ExportOptions:
        """Those as the job takes them."""
        from ..jobs.exports import ExportOptions

        return ExportOptions(formats=self.format)
