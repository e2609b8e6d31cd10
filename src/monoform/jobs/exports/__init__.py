"""What lies beside mesh.glb in a result where it is asked for: other formats, and files of other trades."""

from __future__ import annotations

from .options import ExportOptions as ExportOptions
from .prints import PrintOptions as PrintOptions
from .prints import printable_solid as printable_solid
from .write import write_exports as write_exports
