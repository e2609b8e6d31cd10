"""A user's jobs from start to end."""

from __future__ import annotations

from .cite import cite as cite
from .cite import list_methods as list_methods
from .reconstruct import reconstruct as reconstruct
from .reconstruct import reconstruct_each as reconstruct_each
from .reconstruct import reconstruct_to_folder as reconstruct_to_folder
from .reconstruct_options import ReconstructOptions as ReconstructOptions
