"""What a result can be asked for beside its own files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

from ...errors import InputError
from ...mesh.formats.gltf_write import TextureFormat
from ...mesh.solid.manifolds import manifold3d
from ...outputs.export_names import CameraFormat, Film, Format, Map, Simulator
from ...ranges import require_range
from ..camera_paths import open_path
from .prints import PrintOptions


@dataclass(frozen=True)
class ExportOptions:
    """What a result can be asked for beside its own files.

    Attributes:
        formats: of the mesh, "glb", "obj", "ply", "stl", "3mf" and "usdz": mesh.obj and so on, with `printing`
            print.obj and so on.
        printing: the object as a solid to be printed; its formats are "3mf" where none is said.
        texture_format: of mesh.glb and its coarser ones: "png", "jpg" or "webp".
        lod: coarser meshes, each with a fourth of the faces and half the texture of the one before.
        maps: of the photo's camera: "depth", "normal", "mask".
        splats: Gaussians in splats.ply; 0: none.
        films: the turntable once more as "gif", "webp" or "apng".
        camera_path: file with the cameras of the turntable; None: once around.
        simulators: whose files are written, "urdf" and "mjcf"; the body is as large as `printing` says, else as in the
            mesh's units, taken for meters.
        density: of the body, kilograms in a cubic meter.
        convex_parts: of what simulators touch, at most; 1: the convex hull.
        camera_files: the photo's camera for "nerfstudio", "colmap" and "blender".
    """

    formats: tuple[Format, ...] = ()
    printing: PrintOptions = field(default_factory=PrintOptions)
    texture_format: TextureFormat = "png"
    lod: int = 0
    maps: tuple[Map, ...] = ()
    splats: int = 0
    films: tuple[Film, ...] = ()
    camera_path: str | None = None
    simulators: tuple[Simulator, ...] = ()
    density: float = 1000.0
    convex_parts: int = 8
    camera_files: tuple[CameraFormat, ...] = ()

    def __post_init__(self) -> None:
        _require_known("--format", self.formats, get_args(Format))
        _require_known("--texture-format", (self.texture_format,), get_args(TextureFormat))
        _require_known("--maps", self.maps, get_args(Map))
        _require_known("--turntable", self.films, get_args(Film))
        _require_known("--simulation", self.simulators, get_args(Simulator))
        _require_known("--camera-files", self.camera_files, get_args(CameraFormat))
        require_range("--density", self.density, 1e-3, 1e6)
        require_range("--convex-parts", self.convex_parts, 1, 64)
        if self.printing:
            manifold3d()  # refuses before any work, as does what follows
        if self.camera_path is not None:
            open_path(self.camera_path)
        require_range("--lod", self.lod, 0, 8)
        require_range("--splats", self.splats, 0, 10_000_000)

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != ExportOptions()


def _require_known(flag: str, words: tuple[str, ...], known: tuple[str, ...]) -> None:
    for word in words:
        if word not in known:
            raise InputError(f"{flag} is {word!r}; choose from {', '.join(known)}.")
