"""What a reconstruction can be asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ..devices import device_named
from ..errors import InputError
from ..inputs.download import shown_url
from ..matting import Hints
from ..ranges import LARGEST_SEED, require_range
from ..scene.meshing import MeshingOptions
from .exports import ExportOptions

DEFAULT_METHOD = "lift"


@dataclass(frozen=True)
class ReconstructOptions:
    """What a reconstruction can be asked for.

    Attributes:
        method: name of the method; see `monoform models`.
        matting: how a mask is found where none is given: "auto", "rembg", "network" or "grabcut".
        hints: where the object is, for finding its mask.
        beside: masks of other objects of the same photo: with them its result has a world and a camera that all share.
        focal: focal length in pixels of the original photo; None: from EXIF, else the method's assumption.
        faces: number of triangles of the mesh.
        texture: side of the texture in pixels.
        resolution: cells along the longest side at which the surface is extracted.
        frames: of the turntable; 0 leaves the film out.
        film: what the turntable shows: the "mesh", or the "field" as the method itself draws it, which takes longer.
        exports: files beside the result's own.
        seed: of all randomness.
        overrides: options of the method, by name.
        device: where networks compute: "cpu", "cuda", "mps", or "auto".
        measured: whether result.json has the figures by which results of several seeds are ranked.
    """

    method: str = DEFAULT_METHOD
    matting: str = "auto"
    hints: Hints = field(default_factory=Hints)
    beside: tuple[Any, ...] = ()
    focal: float | None = None
    faces: int = 20_000
    texture: int = 1024
    resolution: int = 320
    frames: int = 60
    film: Literal["mesh", "field"] = "mesh"
    exports: ExportOptions = field(default_factory=ExportOptions)
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    measured: bool = False

    def __post_init__(self) -> None:
        require_range("--frames", self.frames, 0, 10_000)
        if self.film not in ("mesh", "field"):
            raise InputError(f"--film is {self.film!r}; choose mesh or field.")
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        object.__setattr__(self, "device", device_named(self.device).type)
        MeshingOptions(faces=self.faces, texture=self.texture, resolution=self.resolution)  # refuses before any work

    @property
    def files(self) -> tuple[object, ...]:
        """What the method's options may name of what is read: a folder that holds it is not replaced."""
        values = (*self.overrides.values(), self.exports.camera_path)
        return tuple(each for value in values for each in (value if isinstance(value, tuple | list) else (value,)))


def request(photo: object, mask: object, options: ReconstructOptions) -> dict[str, Any]:
    """What was asked for, as result.json keeps it: a rerun with the same request keeps the result, on any device."""
    shown = [shown_url(each) if isinstance(each, str) else each for each in (photo, mask)]
    asked = {"photo": shown[0], "mask": shown[1]} | asdict(options)
    del asked["device"]
    if not options.measured:  # results of before measured nothing
        del asked["measured"]
    for name in ("hints", "beside", "exports"):  # nor had any hints, nor others beside them, nor other files
        if not getattr(options, name):
            del asked[name]
    return json.loads(json.dumps(asked, default=str))  # tuples become lists, as they are read again
