"""monoform: one photo of an object in; its shape, camera pose and appearance out.

>>> import monoform
>>> result = monoform.reconstruct("mug.jpg")  # doctest: +SKIP
>>> result.mesh().export("mug.glb")  # doctest: +SKIP
"""

from __future__ import annotations

import os as _os
import sys as _sys
from importlib import import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .camera import Camera as Camera
    from .errors import InputError as InputError
    from .jobs.cite import cite as cite
    from .jobs.cite import list_methods as list_methods
    from .jobs.reconstruct import reconstruct as reconstruct
    from .jobs.reconstruct import reconstruct_each as reconstruct_each
    from .mesh import Mesh as Mesh
    from .scene import Photo as Photo
    from .scene import Reconstruction as Reconstruction
    from .scene import View as View
    from .scene import load as load

_HOME = {
    "Camera": "camera",
    "InputError": "errors",
    "Mesh": "mesh",
    "Photo": "scene",
    "Reconstruction": "scene",
    "View": "scene",
    "cite": "jobs",
    "list_methods": "jobs",
    "load": "scene",
    "reconstruct": "jobs",
    "reconstruct_each": "jobs",
}

__all__ = [
    "Camera",
    "InputError",
    "Mesh",
    "Photo",
    "Reconstruction",
    "View",
    "__version__",
    "cite",
    "list_methods",
    "load",
    "reconstruct",
    "reconstruct_each",
]
__version__ = _version("monoform")

# Threads that wait for each other sleep meanwhile: where other programs run too, spinning makes small steps many times
# slower. OpenMP reads this when torch is loaded; what the user has set, and a torch that is loaded already, stay.
if "torch" not in _sys.modules and not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & _os.environ.keys():
    _os.environ["OMP_WAIT_POLICY"], _os.environ["KMP_BLOCKTIME"] = "PASSIVE", "0"


def __getattr__(name: str) -> object:
    """Load a public name when it is first used, so that `import monoform` stays quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'monoform' has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return __all__
