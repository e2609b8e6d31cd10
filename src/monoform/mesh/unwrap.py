"""Texture coordinates: by xatlas under a time limit, by a simple atlas that cannot fail, by a camera."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool

from ..errors import InputError
from .atlas import box_atlas, with_seams
from .mesh import Mesh

if TYPE_CHECKING:
    from ..camera import Camera

log = logging.getLogger(__name__)
_WORKER = Path(__file__).with_name("xatlas_worker.py")
_PADDING = 4
_FACES_PER_CHART = 1000  # xatlas' least-squares maps take seconds on larger charts


def unwrap(mesh: Mesh, *, resolution: int = 1024, time_limit: float = 5.0) -> Mesh:
    """Give `mesh` texture coordinates in 0..1 without overlap, with room between charts at `resolution` texels a side.

    xatlas runs in a process of its own, which is ended after `time_limit` seconds; where it fails or is too slow, the
    surface is laid out by `box_atlas`, which has more seams. Faces that have collapsed and any old texture are
    dropped; colours and attributes of vertices stay.

    Raises:
        InputError: the mesh has no faces, or an option is out of range.
    """
    if resolution < 16 or time_limit < 0:
        raise InputError(
            f"Cannot unwrap at resolution={resolution}, time_limit={time_limit}; use 16 or more, and 0 s up."
        )
    welded = mesh.merged()
    if len(welded.faces) == 0:
        raise InputError("The mesh has no faces to unwrap.")
    answer = _xatlas(welded, resolution, time_limit) if time_limit > 0 else None
    if answer is None:
        return box_atlas(welded, resolution=resolution)
    old, faces, uv = answer
    return Mesh(
        welded.vertices[old],
        faces,
        uv=uv,
        vertex_colors=None if welded.vertex_colors is None else welded.vertex_colors[old],
        vertex_attributes={name: values[old] for name, values in welded.vertex_attributes.items()},
    )


def _xatlas(mesh: Mesh, resolution: int, time_limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """(old vertex of each new one, faces, uv), or None where xatlas failed."""
    scale = 1.0 / max(float(np.ptp(mesh.vertices, axis=0).max()), 1e-300)  # xatlas takes tiny faces for broken ones
    vertices = (mesh.vertices - mesh.bounds[0]) * scale
    chart_area = float(mesh.face_areas.sum()) * scale * scale * max(_FACES_PER_CHART / len(mesh.faces), 0.02)
    question = io.BytesIO()
    np.save(question, np.ascontiguousarray(vertices, np.float32))
    np.save(question, np.ascontiguousarray(mesh.faces, np.uint32))
    np.save(question, np.array([resolution, _PADDING, chart_area]))
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(_WORKER), str(min(time_limit, 1e6))],
            input=question.getvalue(),
            capture_output=True,
            timeout=time_limit,
            check=True,
        )
        answer = io.BytesIO(done.stdout)
        old, faces, uv = (np.load(answer, allow_pickle=False) for _ in range(3))
    except subprocess.TimeoutExpired:
        log.info("xatlas took more than %g s on %d faces; using the box atlas", time_limit, len(mesh.faces))
        return None
    except subprocess.CalledProcessError as error:
        log.info("xatlas failed (%s); using the box atlas", error.stderr.decode(errors="replace").strip()[-300:])
        return None
    except (OSError, ValueError, EOFError) as error:
        log.info("xatlas failed (%s); using the box atlas", error)
        return None
    old, faces, uv = old.astype(np.int64), faces.astype(np.int64), uv.astype(np.float64)
    whole = faces.shape == mesh.faces.shape and bool(np.array_equal(old[faces], mesh.faces))
    if not whole or not np.isfinite(uv).all():
        log.info("xatlas returned another mesh; using the box atlas")
        return None
    return old, faces, uv.clip(0.0, 1.0)


def project_uv(mesh: Mesh, camera: Camera, *, crop: tuple[float, float, float, float] | None = None) -> Mesh:
    """Texture coordinates by projection: the texture is the part `crop` = (x0, y0, width, height) of the photo.

    `crop` is in pixels of the camera's image and defaults to all of it.

    Raises:
        InputError: more than one camera, an empty crop, or vertices behind the camera.
    """
    if len(camera) != 1:
        raise InputError(f"project_uv takes one camera, not {len(camera)}; choose one, for example camera[0].")
    x0, y0, width, height = crop if crop is not None else (0.0, 0.0, float(camera.width), float(camera.height))
    if width <= 0 or height <= 0:
        raise InputError(f"The crop has size {width} x {height} pixels; both must be positive.")
    projected = camera.to("cpu", torch.float64).project(torch.from_numpy(mesh.vertices)[None])
    pixels, depth = (values[0].numpy() for values in projected)
    if camera.model == "pinhole" and len(depth) and depth.min() <= 0:
        raise InputError("Some vertices lie behind the camera, so the photo cannot be projected onto them.")
    uv = np.stack([(pixels[:, 0] - x0) / width, 1.0 - (pixels[:, 1] - y0) / height], axis=1)
    return replace(mesh, uv=uv)


def front_back_atlas(mesh: Mesh, behind: Bool[np.ndarray, " f"]) -> Mesh:
    """Coordinates over one image move to the left half of two, those of the faces `behind` to the right half.

    Vertices between the two are doubled. For surfaces that one projection covers twice, before and behind.
    """
    assert mesh.uv is not None
    corners = mesh.uv[mesh.faces] * (0.5, 1.0) + np.where(behind[:, None, None], (0.5, 0.0), (0.0, 0.0))
    return with_seams(mesh, corners, behind.astype(np.int64))
