"""One photo to a textured mesh with its camera, in three lines.

    python examples/01_reconstruct.py [PHOTO] [OUT]

Writes OUT.glb and prints where the photo was taken from. OUT is `coffee` in the current folder when left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import monoform


def main(photo: str, out: str) -> None:
    """Reconstruct, export, say what came out."""
    result = monoform.reconstruct(photo)
    mesh, camera = result.mesh(), result.camera
    path = mesh.export(f"{out}.glb", camera=camera)

    x, y, z = camera.position[0].tolist()
    print(f"{path}: {len(mesh.faces)} faces, {len(mesh.vertices)} vertices")
    print(f"taken from ({x:.3f}, {y:.3f}, {z:.3f}), focal length {camera.intrinsics[0, 0, 0]:.0f} pixels")
    print(f"the mask came from: {result.photo.mask_origin}")
    for notice in result.photo.notices:
        print(notice)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    main(
        arguments[0] if arguments else str(Path(__file__).with_name("coffee.jpg")),
        arguments[1] if len(arguments) > 1 else "coffee",
    )
