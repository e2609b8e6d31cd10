"""The result folder: the same few files for every method, written whole or not at all, and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .. import inputs
from ..camera import Camera
from ..errors import InputError
from ..mesh import Mesh, report
from ..mesh.texture import to_bytes
from ..outputs import Kind, atomic_file, atomic_folder, save_picture
from ..text import printable
from .mesh_field import MeshField
from .photo import Photo
from .reconstruction import CAPABILITIES, Provenance, Reconstruction, View

MESH, CAMERA, MASK, PHOTO, RESULT = "mesh.glb", "camera.json", "mask.png", "photo.jpg", "result.json"
REPORT = "report.html"


def _listed(record: Mapping[str, Any]) -> list[str] | None:
    """The names that a result.json lists, and the page that is made of a result later; None for another's."""
    names = record["files"]
    return [*names, REPORT] if isinstance(names, list) and RESULT in names and "photo" in record else None


RECONSTRUCTED = Kind("result of monoform", RESULT, lambda record: _listed(record) if "mesh" in record else None)
POSED = Kind("pose of monoform", RESULT, lambda record: _listed(record) if record.get("job") == "pose" else None)


@dataclass(frozen=True)
class SavedResult:
    """A result folder on disk and the content of its result.json."""

    folder: Path
    summary: Mapping[str, Any]


def save(reconstruction: Reconstruction, folder: str | Path) -> SavedResult:
    """Write the files of a reconstruction as a folder that appears whole or not at all; an older one is replaced."""
    with atomic_folder(folder, RECONSTRUCTED) as place:
        summary = write_files(reconstruction, reconstruction.mesh(), place)
        write_summary(place, summary)
    return SavedResult(Path(folder), summary)


def write_files(reconstruction: Reconstruction, mesh: Mesh, folder: Path) -> dict[str, Any]:
    """Write the mesh, and camera, photo and mask where there are such; return what result.json says of them."""
    camera = reconstruction.camera if reconstruction.has_camera else None
    mesh.export(folder / MESH, camera=camera)
    if camera is not None:
        write_json(folder / CAMERA, camera.to_dict())
    photo = reconstruction.photo if reconstruction.has_photo else None
    summary: dict[str, Any] = reconstruction.provenance.to_dict() | {
        "capabilities": sorted(reconstruction.capabilities),
        "photo": None,
        "notices": [],
        "mesh": report(mesh).to_dict() | {"parts": reconstruction.parts},
    }
    return summary if photo is None else summary | _write_photo(photo, folder)


def _write_photo(photo: Photo, folder: Path) -> dict[str, Any]:
    save_picture(Image.fromarray(to_bytes(photo.rgb)), folder / PHOTO, quality=92)
    told = {"name": printable(photo.name), "source": printable(photo.source)}
    summary: dict[str, Any] = {
        "photo": told | {"width": photo.width, "height": photo.height},
        "notices": list(photo.notices),
    }
    if photo.mask is not None:
        mask = photo.original_mask()
        save_picture(Image.fromarray(to_bytes(mask)), folder / MASK)
        summary["mask"] = {"origin": photo.mask_origin, "area": round(float((mask > 0.5).mean()), 6)}
    return summary


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write result.json, last of all, with the list of files that are there."""
    names = sorted({path.name for path in folder.iterdir()} | {RESULT})
    write_json(folder / RESULT, {**summary, "files": names})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write readable JSON; numbers must be finite."""
    text = json.dumps(content, indent=2, allow_nan=False)
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load(folder: str | Path) -> Reconstruction:
    """Read a result folder back; its field is the signed distance and colour of its mesh.

    Raises:
        InputError: a file of the folder is missing or damaged; the sentence names it.
    """

    folder = Path(folder)
    inputs.require_folder(folder, "result folder", advice="give a folder that monoform reconstruct has written")
    summary = read_summary(folder)
    mesh = Mesh.load(folder / MESH)
    views: tuple[View, ...] = ()
    if (folder / PHOTO).exists():
        camera = Camera.from_dict(read_json(folder / CAMERA)) if (folder / CAMERA).exists() else None
        views = (View(_load_photo(folder, summary, camera), camera),)
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
    """As saved; the camera only while its file is there. None where the result tells none."""
    told = _checked(summary, "capabilities", list, folder) or []
    strange = [name for name in told if name not in CAPABILITIES]
    if strange:
        raise InputError(f"{folder / RESULT} is damaged: its capabilities have {strange[0]!r:.60}.")
    return frozenset(told) - (set() if views and views[0].camera else {"camera"})


def read_summary(folder: Path) -> dict[str, Any]:
    """The content of a folder's result.json."""
    return read_json(folder / RESULT)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a result folder, or one sentence about what is wrong with it."""
    return inputs.read_json(
        path,
        advice="reconstruct the photo again",
        missing="the result is not complete, reconstruct the photo again",
    )


def _load_photo(folder: Path, summary: Mapping[str, Any], camera: Camera | None) -> Photo:
    photo = Photo.open(folder / PHOTO)
    told = _checked(summary, "photo", dict, folder) or {}
    width = camera.width if camera else _integer(told.get("width", photo.width), folder)
    height = camera.height if camera else _integer(told.get("height", photo.height), folder)
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
        name=str(told.get("name", folder.name)),
        source=str(told.get("source", folder)),
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
