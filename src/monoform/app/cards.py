"""The boxes of numbers under the viewer: mesh, alignment, camera, time, files, provenance, citation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ..camera import Camera
from . import fragments as html
from .words import origin_in_words

FILES = {
    "mesh.glb": "textured mesh with the photo's camera, for any 3D program",
    "image.png": "the sample as its method draws it",
    "camera.json": "pose and intrinsics of the picture",
    "mask.png": "the mask that was used",
    "views.jpg": "renders from four sides",
    "overlay.png": "the mesh drawn over the photo",
    "turntable.mp4": "film of one full turn",
    "wobble.mp4": "film of a camera that moves a little",
    "depth.npy": "depth along the camera's z axis, float32, inf where nothing is",
    "result.json": "all numbers on this page",
}
FRONT = {
    "psnr": "Front against photo, inside the mask: PSNR (dB)",
    "ssim": "Front against photo, inside the mask: SSIM",
}


def section(result: dict[str, Any], key: str) -> dict[str, Any]:
    """An object inside result.json; empty where it is missing or something else."""
    value = result.get(key)
    return value if isinstance(value, dict) else {}


def own_files(folder: Path, result: dict[str, Any]) -> dict[str, str]:
    """What the method alone has written beside the others: what is in each file, by its name."""
    return named_files(folder, result, "own_files")


def named_files(folder: Path, result: dict[str, Any], key: str) -> dict[str, str]:
    """Files beside the page that a part of result.json names: what is in each, by its name."""
    told = section(result, key)
    return {
        name: about
        for name, about in told.items()
        if isinstance(about, str) and Path(name).name == name and (folder / name).is_file()
    }


def cards(folder: Path, result: dict[str, Any], camera: Camera | None) -> str:
    """All boxes that the result has something to say in."""
    mesh, timings = dict(section(result, "mesh")), section(result, "timings")
    if _is_bounds(mesh.get("bounds")):
        low, high = mesh.pop("bounds")
        mesh["size (x, y, z)"] = [float(b) - float(a) for a, b in zip(low, high, strict=True)]
    alignment = section(result, "mask") | section(result, "overlay")
    if "origin" in alignment:
        alignment["origin"] = origin_in_words(alignment["origin"]) or "not known"
    why = alignment.pop("confidence_reason", None)
    if why is not None and alignment.get("confidence") is None:
        alignment["confidence"] = f"not known: {why}"
    alignment = {FRONT.get(name, name): value for name, value in alignment.items()}
    if isinstance(alignment.get("area"), float):
        alignment["share of the photo"] = f"{alignment.pop('area'):.1%}"
    return "".join(
        [
            html.card("Mesh", html.table(mesh)),
            html.card("For printing", html.table(section(result, "print"))),
            html.card("For simulators", html.table(section(result, "simulation"))),
            html.card("Mask and alignment", html.table(alignment)),
            html.card("Fit to the photo", html.table(section(result, "fit"))),
            html.card("Camera", _camera_card(camera, section(result, "camera")) if camera else ""),
            html.card("Time", html.bars(timings)),
            html.card("Files", _files(folder, result)),
            html.card("How it was made", _provenance(result)),
            html.card("To cite", _citation(result)),
        ]
    )


def _is_bounds(value: object) -> bool:
    try:
        bounds = np.asarray(value, dtype=np.float64)
        return bounds.shape == (2, 3) and bool(np.isfinite(bounds).all())
    except (TypeError, ValueError):
        return False


def _camera_card(camera: Camera, certainty: Mapping[str, Any]) -> str:
    pose = camera.world_from_camera[0].double().numpy()
    matrix = camera.intrinsics[0].double().numpy()
    rows: dict[str, Any] = {"model": camera.model, "image (pixels)": f"{camera.width} x {camera.height}"}
    if camera.model == "pinhole":
        fov = 2 * math.degrees(math.atan(camera.height / 2 / matrix[1, 1]))
        rows |= {"focal length (pixels)": float(matrix[0, 0]), "field of view, vertical": f"{fov:.1f}°"}
    else:
        rows["pixels per world unit"] = float(matrix[0, 0])
    rows |= {"principal point (pixels)": f"{matrix[0, 2]:.1f}, {matrix[1, 2]:.1f}"} | _position(pose)
    rows |= _deviation(certainty)
    numbers = "\n".join("  ".join(f"{value: .6f}" for value in row) for row in pose)
    details = f"<details><summary>world_from_camera</summary><pre tabindex=0>{html.escape(numbers)}</pre></details>"
    return html.table(rows) + details


def _position(pose: Float[np.ndarray, "4 4"]) -> dict[str, Any]:
    x, y, z = (float(value) for value in pose[:3, 3])
    distance = math.hypot(x, y, z)
    elevation = math.degrees(math.asin(y / distance)) if distance else 0.0
    return {
        "distance to the centre": distance,
        "azimuth, elevation": f"{math.degrees(math.atan2(x, z)):.1f}°, {elevation:.1f}°",
    }


def _deviation(certainty: Mapping[str, Any]) -> dict[str, str]:
    """How sure the pose is, or why that is not known."""
    with suppress(TypeError, ValueError):
        variances = np.asarray(certainty.get("covariance"), dtype=np.float64).diagonal().reshape(2, 3)
        turn, shift = np.sqrt(variances.sum(axis=1))
        if np.isfinite([turn, shift]).all():
            return {"standard deviation of the pose": f"{math.degrees(turn):.2g}°, {shift:.2g} world units"}
    reason = certainty.get("reason")
    return {"standard deviation of the pose": f"not known: {reason}"} if isinstance(reason, str) else {}


def _files(folder: Path, result: dict[str, Any]) -> str:
    exports = named_files(folder, result, "exports")
    items = (
        f'<li><a href="{html.link(name)}" download>{html.escape(name)}</a>'
        f"<span class=size>{html.file_size((folder / name).stat().st_size)}</span>"
        f"<span class=about>{html.escape(about)}</span></li>"
        for name, about in (own_files(folder, result) | FILES | exports).items()
        if (folder / name).is_file()
    )
    return f"<ul class=files>{''.join(items)}</ul>"


def _provenance(result: dict[str, Any]) -> str:
    photo = section(result, "photo")
    rows: dict[str, Any] = {"method": result["method"]} if "method" in result else {}
    if "width" in photo and "height" in photo:
        rows["photo (pixels)"] = f"{photo['width']} x {photo['height']}"
    given = result.get("capabilities")
    if isinstance(given, list) and given and all(isinstance(name, str) for name in given):
        rows["of the method's own"] = ", ".join(given)
    if "seed" in result:
        rows["seed"] = str(result["seed"])
    if "weights" in result:
        weights = result["weights"]
        rows |= {f"weights: {k}": v for k, v in weights.items()} if isinstance(weights, dict) else {"weights": "none"}
    if "monoform" in result:
        rows["monoform"] = result["monoform"]
    rows |= section(result, "versions")
    return html.table(rows)


def _citation(result: dict[str, Any]) -> str:
    entries = result.get("citation")
    if not isinstance(entries, list) or not entries:
        return ""
    text = "\n\n".join(str(entry).strip() for entry in entries)
    return f"<pre tabindex=0>{html.escape(text)}</pre>"
