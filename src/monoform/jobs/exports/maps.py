"""Maps of an object in the photo's pixels, for other programs: 16-bit PNG, EXR and npz, their units beside them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, UInt16

from ...camera import Camera
from ...mesh import Mesh
from ...outputs import atomic_file, atomic_stream
from ...outputs.export_names import Map
from ...outputs.exr import save_exr
from ...render.mesh import render_mesh
from ...scene.result_files import write_json

WHITE = 65535
ABOUT = {
    "depth": "depth along the camera's z axis",
    "normal": "unit normals in the camera's axes: x right, y down, z forward",
    "mask": "where the object is seen",
}


def maps_of(mesh: Mesh, camera: Camera, wanted: Sequence[Map]) -> dict[Map, Float[np.ndarray, "h w *c"]]:
    """What one camera sees of a mesh, float32.

    Returns:
        depth (h, w) in world units, inf where nothing is; normal (h, w, 3) in the camera's axes, 0 where nothing is;
        mask (h, w), 0 or 1.
    """
    seen = render_mesh(mesh, camera)
    rotation = camera.world_from_camera[0, :3, :3].detach().cpu().numpy().astype(np.float32)
    every: dict[Map, np.ndarray] = {
        "depth": seen.depth,
        "normal": seen.normal @ rotation,
        "mask": seen.mask.astype(np.float32),
    }
    return {name: every[name] for name in dict.fromkeys(wanted)}


def write_maps(mesh: Mesh, camera: Camera, folder: Path, wanted: Sequence[Map]) -> dict[str, str]:
    """Write map_depth.png and .exr and so on, maps.npz with all of them, and maps.json, which tells their units."""
    found = maps_of(mesh, camera, wanted)
    units: dict[str, Any] = {}
    told: dict[str, str] = {}
    for name, values in found.items():
        pixels, units[name] = _sixteen_bits(name, values)
        data = cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])[1].tobytes()
        with atomic_file(folder / f"map_{name}.png") as temporary:
            temporary.write_bytes(data)
        save_exr(values, folder / f"map_{name}.exr", channel="Y" if values.ndim == 2 else "RGB")
        told |= {f"map_{name}.png": f"{ABOUT[name]}, 16 bits", f"map_{name}.exr": f"{ABOUT[name]}, float32"}
    record = {"maps": units, "camera": camera.to_dict()}
    with atomic_stream(folder / "maps.npz") as stream:
        arrays: dict[str, Any] = {str(name): values for name, values in found.items()}
        np.savez_compressed(stream, **arrays, units=json.dumps(record))
    write_json(folder / "maps.json", record)
    return told | {"maps.npz": "the maps as arrays, and their units", "maps.json": "the units of the maps"}


def _sixteen_bits(name: Map, values: np.ndarray) -> tuple[UInt16[np.ndarray, "h w *c"], dict[str, Any]]:
    """A map as whole numbers, and how to read them and the floats."""
    if name == "mask":
        return np.rint(values * WHITE).astype(np.uint16), {"unit": "share of the pixel", "png": f"value / {WHITE}"}
    if name == "normal":
        hit = np.abs(values).sum(axis=-1, keepdims=True) > 0
        pixels = np.where(hit, np.rint((0.5 + 0.5 * values) * WHITE), 0).astype(np.uint16)
        return pixels, {
            "unit": "unit vectors; x right, y down, z forward of the camera",
            "png": f"2 * value / {WHITE} - 1",
            "nothing": "0 0 0",
        }
    hit = np.isfinite(values)
    farthest = float(values[hit].max()) if hit.any() else 1.0
    step = 2.0 ** math.ceil(math.log2(max(farthest, 1e-9) / WHITE))
    pixels = np.where(hit, np.rint(np.where(hit, values, 0.0) / step).clip(1, WHITE), 0).astype(np.uint16)
    return pixels, {
        "unit": "world units along the camera's z axis",
        "png": "value * step",
        "step": step,
        "nothing": "0 in the PNG, infinity in the others",
    }
