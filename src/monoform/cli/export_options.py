"""What every command that writes results is asked for beside their own files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..computing import Computing
from ..outputs.export_names import CameraFormat, Film, Format, Map, Simulator, Stand, Texture

if TYPE_CHECKING:
    from ..jobs.exports import ExportOptions


@dataclass(frozen=True, kw_only=True)
class Exporting(Computing):
    """Options of a command that writes files beside results; its own dataclass is built on this one."""

    format: tuple[Format, ...] = ()
    """Other formats of the mesh beside mesh.glb: obj, ply, stl, 3mf, usdz; several may be given. With any of the next
    six these are files for printing, print.3mf if nothing is said, in millimeters and with z up."""
    size_mm: tuple[float, ...] = ()
    """For printing: largest extent of the object in millimeters, or three, X Y Z with Z up. Default: 100."""
    on_ground: bool = False
    """For printing: its lowest point is at z = 0, its middle at x = y = 0."""
    stand: Stand = "photo"
    """For printing: upright as in the photo, or on the side on which it comes to rest most often."""
    flat_base: float = 0.0
    """For printing: millimeters of its lowest part that are cut away, so that it stands on a plane."""
    hollow: float = 0.0
    """For printing: thickness of the wall in millimeters; 0: solid."""
    drain: float = 0.0
    """For printing: diameter in millimeters of a hole through the bottom into the hollow; 0: none."""
    texture_format: Texture = "png"
    """Of the texture in mesh.glb: png, exact; jpg or webp, smaller."""
    lod: int = 0
    """Coarser meshes mesh_lod1.glb and so on, each with a fourth of the faces of the one before."""
    maps: tuple[Map, ...] = ()
    """Maps in the photo's pixels, each as 16-bit PNG and EXR and all in maps.npz: depth, normal, mask."""
    splats: int = 0
    """Gaussians of splats.ply, as viewers of 3D Gaussian splatting read it; 0: none."""
    turntable: tuple[Film, ...] = ()
    """The turntable once more, as looping pictures: gif, webp, apng."""
    camera_path: str | None = None
    """JSON file with the cameras of the turntable, in place of --frames around the object."""
    simulation: tuple[Simulator, ...] = ()
    """The object with mass, inertia and convex parts for simulators of robots: urdf, mjcf. Its size is that of
    --size-mm; without it a unit of the mesh is a meter."""
    density: float = 1000.0
    """For --simulation: kilograms in a cubic meter."""
    convex_parts: int = 8
    """For --simulation: convex parts at most of what is touched; 1: the convex hull."""
    camera_files: tuple[CameraFormat, ...] = ()
    """The photo's camera for other programs: nerfstudio, colmap, blender."""

    def exports(self) -> ExportOptions:
        """Those as the job takes them."""
        from ..jobs.exports import ExportOptions, PrintOptions

        printing = PrintOptions(self.size_mm, self.on_ground, self.stand, self.flat_base, self.hollow, self.drain)
        same = ("texture_format", "lod", "maps", "splats", "camera_path", "density", "convex_parts", "camera_files")
        return ExportOptions(
            formats=self.format,
            printing=printing,
            films=self.turntable,
            simulators=self.simulation,
            **{name: getattr(self, name) for name in same},
        )
