"""Mesh files, read and written: what `Mesh.load` and `Mesh.export` call."""

from __future__ import annotations

from .read import load as load
from .write import export as export
