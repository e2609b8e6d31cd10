"""A result folder read back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .. import inputs
from ..camera import Camera
from ..errors import InputError
from ..mesh import Mesh
from .mesh_field import MeshField
from .photo import Photo
from .reconstructed import CAPABILITIES, Provenance, View
from .reconstruction import Reconstruction
from .result_files import CAMERA, MASK, MESH, PHOTO, RESULT, read_json, read_summary, result_in


def load(folder: str | Path) -> Reconstruction:
    """Read a result folder back; its field is the signed distance and colour of its mesh.

    Args:
        folder: of the result, or one that holds no other.

    Raises:
        InputError: a file of the folder is missing or damaged; the sentence names it.
    """
    folder = result_in(folder)
    inputs.require_folder(folder, "result folder", advice="give a folder that monoform reconstruct has written")
    summary = read_summary(folder)
    mesh = Mesh.load(folder / MESH)
    views: tuple[View, ...] = ()
    if (folder / PHOTO).exists():
        stored = read_json(folder / CAMERA) if (folder / CAMERA).exists() else None
        camera = None if stored is None else Camera.from_dict(stored)
        views = (View(_load_photo(folder, summary, camera), camera, _covariance(stored or {}, summary, folder)),)
    provenance = Provenance(
        method=str(summary.get("method", "unknown")),
        config=summary.get("config"),
        seed=_integer(summary.get("seed", 0), folder),
        weights=_checked(summary, "weights", dict, folder),
        citation=tuple(map(str, _checked(summary, "citation", list, folder) or ())),
    )
    parts = (_checked(summary, "mesh", dict, folder) or {}).get("parts", 1)
    return Reconstruction(
        MeshField(mesh),
        views,
        provenance,
        parts=_integer(parts, folder),
        surface=mesh,
        capabilities=_capabilities(summary, views, folder),
    )


def _capabilities(summary: Mapping[str, Any], views: tuple[View, ...], folder: Path) -> frozenset[str]:
    """Capabilities as saved, the camera only while its file exists; None where the result lists none."""
    stored = _checked(summary, "capabilities", list, folder) or []
    strange = [name for name in stored if name not in CAPABILITIES]
    if strange:
        raise InputError(f"{folder / RESULT} is damaged: its capabilities have {strange[0]!r:.60}.")
    return frozenset(stored) - (set() if views and views[0].camera else {"camera"})


def _covariance(stored: Mapping[str, Any], summary: Mapping[str, Any], folder: Path) -> Float[Tensor, "6 6"] | str:
    """Of the camera's pose, whose file was checked; or the saved reason why there is none."""
    if stored.get("covariance") is not None:
        return torch.tensor(stored["covariance"], dtype=torch.float64)
    reason = (_checked(summary, "camera", dict, folder) or {}).get("reason")
    return reason if isinstance(reason, str) else View.covariance


def _load_photo(folder: Path, summary: Mapping[str, Any], camera: Camera | None) -> Photo:
    photo = Photo.open(folder / PHOTO)
    stored = _checked(summary, "photo", dict, folder) or {}
    width = camera.width if camera else _integer(stored.get("width", photo.width), folder)
    height = camera.height if camera else _integer(stored.get("height", photo.height), folder)
    if width < 1 or height < 1:
        raise InputError(f"{folder / RESULT} is damaged: the photo's size is {width} x {height}.")
    mask = None
    if (folder / MASK).exists():
        values = Photo.open(folder / MASK, working_side=max(photo.size)).rgb[..., 0]
        if values.shape != photo.rgb.shape[:2]:
            raise InputError(f"{folder / MASK} does not fit {PHOTO}: reconstruct the photo again.")
        mask = np.ascontiguousarray(values)
    origin = (_checked(summary, "mask", dict, folder) or {}).get("origin")
    return Photo(
        rgba=photo.rgba,
        mask=mask,
        mask_origin=str(origin) if mask is not None else None,
        width=width,
        height=height,
        crop=(0.0, 0.0, float(width), float(height)),
        name=str(stored.get("name", folder.name)),
        source=str(stored.get("source", folder)),
    )


def _checked(summary: Mapping[str, Any], name: str, kind: type, folder: Path) -> Any:
    value = summary.get(name)
    if value is not None and not isinstance(value, kind):
        raise InputError(f"{folder / RESULT} is damaged: its {name} is {value!r:.60}.")
    return value


def _integer(value: object, folder: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        raise InputError(f"{folder / RESULT} is damaged: {value!r} is no whole number.")
    return value
