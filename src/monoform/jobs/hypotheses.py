"""Further hypotheses about one photo: a mesh of each, and a picture that compares them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..mesh import Mesh
from ..mesh.texture import to_bytes
from ..outputs import save_picture
from ..scene import Reconstruction
from .pictures import four_views

PICTURE = "hypotheses.jpg"


def write_hypotheses(
    reconstruction: Reconstruction, mesh: Mesh, folder: Path, *, faces: int, texture: int, resolution: int
) -> list[dict[str, Any]]:
    """Write hypothesis_2.glb and so on into `folder`, and hypotheses.jpg with a row of four views for each.

    Returns:
        For each hypothesis, the best first, its file and how well it fits the photo (the lower the better); nothing
        where there is only one.
    """
    if not reconstruction.alternatives:
        return []
    entries, rows = [_entry("mesh.glb", reconstruction)], [four_views(mesh)]
    for rank, other in enumerate(reconstruction.alternatives, start=2):
        name = f"hypothesis_{rank}.glb"
        shape = other.mesh(faces=faces, texture=texture, resolution=resolution)
        shape.export(folder / name, camera=other.camera if other.has_camera else None)
        entries.append(_entry(name, other))
        rows.append(four_views(shape))
    save_picture(Image.fromarray(to_bytes(np.concatenate(rows))), folder / PICTURE, quality=90)
    return entries


def _entry(name: str, reconstruction: Reconstruction) -> dict[str, Any]:
    return {"file": name, **(reconstruction.provenance.fit or {})}
