"""The photo's camera in the files of other programs: nerfstudio, COLMAP, Blender."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...camera import Camera
from ...camera.colmap import colmap_from_cameras
from ...camera.transforms_json import transforms_from_cameras
from ...errors import InputError
from ...mesh import Mesh, sample_surface
from ...mesh.texture import surface_colors, to_bytes
from ...outputs import atomic_file
from ...outputs.export_names import CameraFormat
from ...scene.result_files import write_json
from .prints import Z_UP

POINTS = 2000  # of the surface, for COLMAP's point cloud


def write_cameras(
    camera: Camera, mesh: Mesh, photo: str, folder: Path, formats: Sequence[CameraFormat]
) -> dict[str, str]:
    """Write transforms.json (nerfstudio), cameras.txt, images.txt and points3D.txt (COLMAP), blender_scene.py.

    Args:
        camera: of the photo beside, in that one's pixels.
        mesh: the object, for COLMAP's points.
        photo: name of the photo beside.

    Returns:
        What is in each file, by its name.

    Raises:
        InputError: the camera is orthographic, which nerfstudio and COLMAP cannot hold.
    """
    told = {}
    if camera.model != "pinhole" and {"nerfstudio", "colmap"} & set(formats):
        raise InputError("nerfstudio and COLMAP have no orthographic cameras: choose --camera-files blender.")
    if "nerfstudio" in formats:
        write_json(folder / "transforms.json", transforms_from_cameras([(photo, camera)]))
        told["transforms.json"] = "the photo's camera for nerfstudio, Z up"
    if "colmap" in formats:
        cameras, images = colmap_from_cameras([(photo, camera)])
        for name, text in (("cameras", cameras), ("images", images), ("points3D", _points(mesh))):
            _write(folder / f"{name}.txt", text)
            told[f"{name}.txt"] = "the photo's camera as a text model of COLMAP"
    if "blender" in formats:
        _write(folder / "blender_scene.py", blender_script(camera, photo))
        told["blender_scene.py"] = "opens mesh.glb, the photo's camera and the photo in Blender"
    return told


def blender_script(camera: Camera, photo: str, mesh: str = "mesh.glb") -> str:
    """A script for `blender --python`: it imports the mesh beside it and looks through the photo's camera.

    Blender's world has Z up, its camera looks along -z; lens and shift stand for the intrinsics, the aspect of pixels
    for focal lengths that differ.
    """
    world_from_camera = camera.world_from_camera[0].detach().cpu().double().numpy()
    intrinsics = camera.intrinsics[0].detach().cpu().double().numpy()
    matrix = Z_UP @ world_from_camera @ np.diag([1.0, -1.0, -1.0, 1.0])
    fx, fy, (cx, cy) = intrinsics[0, 0], intrinsics[1, 1], intrinsics[:2, 2]
    # The wider side is the sensor's, and the unit of shifts. Pixels are fx / fy times as high as wide.
    aspect = fx / fy
    wider = max(camera.width, camera.height * aspect)
    values = {
        "matrix": np.round(matrix, 9).tolist(),
        "lens": float(fx / wider * SENSOR),
        "orthographic_scale": float(wider / fx),
        "shift": [float((0.5 * camera.width - cx) / wider), float((cy - 0.5 * camera.height) * aspect / wider)],
        "aspect": float(aspect),
        "size": [camera.width, camera.height],
        "is_orthographic": camera.model == "orthographic",
        "photo": photo,
        "mesh": mesh,
    }
    return _SCRIPT % {"values": json.dumps(values, indent=4).replace("true", "True").replace("false", "False")}


SENSOR = 36.0  # millimeters
_SCRIPT = '''"""Open the result beside this file: blender --python blender_scene.py"""

import os

import bpy
from mathutils import Matrix

VALUES = %(values)s
FOLDER = os.path.dirname(os.path.abspath(__file__))

bpy.ops.import_scene.gltf(filepath=os.path.join(FOLDER, VALUES["mesh"]))
for scrap in [each for each in bpy.context.scene.objects if each.type == "CAMERA"]:
    bpy.data.objects.remove(scrap)

lens = bpy.data.cameras.new("photo_camera")
lens.sensor_fit = "AUTO"
lens.sensor_width = 36.0
lens.lens = VALUES["lens"]
lens.shift_x, lens.shift_y = VALUES["shift"]
lens.clip_start = 0.01
if VALUES["is_orthographic"]:
    lens.type = "ORTHO"
    lens.ortho_scale = VALUES["orthographic_scale"]
camera = bpy.data.objects.new("photo_camera", lens)
camera.matrix_world = Matrix(VALUES["matrix"])
bpy.context.scene.collection.objects.link(camera)

scene = bpy.context.scene
scene.camera = camera
scene.render.resolution_x, scene.render.resolution_y = VALUES["size"]
scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = 1.0, 1.0
if VALUES["aspect"] >= 1.0:
    scene.render.pixel_aspect_y = VALUES["aspect"]
else:
    scene.render.pixel_aspect_x = 1.0 / VALUES["aspect"]

if os.path.exists(os.path.join(FOLDER, VALUES["photo"])):
    lens.show_background_images = True
    behind = lens.background_images.new()
    behind.image = bpy.data.images.load(os.path.join(FOLDER, VALUES["photo"]))
    behind.alpha = 0.5
'''


def _points(mesh: Mesh) -> str:
    """points3D.txt: points of the surface with their colors, seen by no feature."""
    points, faces, weights = sample_surface(mesh, POINTS, seed=0)
    colors = to_bytes(surface_colors(mesh, faces, weights))
    lines = ["# POINT3D_ID X Y Z R G B ERROR TRACK[]"]
    rows = zip(points.tolist(), colors.tolist(), strict=True)
    lines += [
        f"{number} {x:.9g} {y:.9g} {z:.9g} {r} {g} {b} 0" for number, ((x, y, z), (r, g, b)) in enumerate(rows, start=1)
    ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
