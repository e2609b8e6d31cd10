"""The command line: one short file a verb."""

from __future__ import annotations

from .main import main as main
