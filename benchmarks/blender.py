"""The Blender add-on against a running service, in a Python that has Blender as a module (pip install bpy).

    monoform serve --port 8000 --methods inflate
    python benchmarks/blender.py examples/coffee.jpg --mask examples/coffee_mask.png

Packs the add-on as users get it, runs its operator, and checks in Blender's own scene that the mesh lies on the photo:
the corners of the mesh's picture in the photo's camera against the mask's. It needs nothing of monoform's packages.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

import bpy  # type: ignore[import-not-found]
import numpy as np
from bpy_extras.object_utils import world_to_camera_view  # type: ignore[import-not-found]

sys.path.insert(0, str(Path(__file__).parents[1]))
from integrations.pack import pack


def silhouette() -> np.ndarray:
    """Left, bottom, right and top of all meshes in the camera's picture, 0..1 from its lower left corner."""
    scene = bpy.context.scene
    bpy.context.view_layer.update()
    points = [
        world_to_camera_view(scene, scene.camera, each.matrix_world @ vertex.co)[:2]
        for each in scene.objects
        if each.type == "MESH"
        for vertex in each.data.vertices
    ]
    return np.concatenate([np.min(points, axis=0), np.max(points, axis=0)])


def box_of(mask: Path) -> np.ndarray:
    """The same of a mask, white on black."""
    image = bpy.data.images.load(str(mask))
    width, height = image.size
    inside = np.array(image.pixels[:]).reshape(height, width, -1)[..., 0] > 0.5
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return np.array([columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--mask", type=Path, required=True)
    parser.add_argument("--address", default="http://127.0.0.1:8000")
    parser.add_argument("--method", default="inflate")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(pack("blender", Path(folder))) as packed:
            packed.extractall(folder)
        sys.path.insert(0, folder)
        import monoform_blender as addon  # type: ignore[import-not-found]

        bpy.ops.wm.read_factory_settings(use_empty=True)
        addon.register()
        settings = bpy.context.scene.monoform
        settings.address, settings.method = asked.address, asked.method
        settings.photo, settings.mask = str(asked.photo.resolve()), str(asked.mask.resolve())
        found = bpy.ops.monoform.reconstruct()
        off = np.abs(silhouette() - box_of(asked.mask)).max()
        faces = sum(len(each.data.polygons) for each in bpy.context.scene.objects if each.type == "MESH")
        print(f"{found}: {faces} faces; the mesh in the camera and the mask differ by {100 * off:.2f} % of the frame")
        addon.unregister()


if __name__ == "__main__":
    main()
