"""The result folder: the same few files for every method, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from .. import inputs
from ..camera import Camera
from ..errors import InputError
from ..inputs.files import is_folder
from ..inputs.remote import AnyPath
from ..mesh import Mesh, report
from ..mesh.formats.gltf_write import TextureFormat
from ..mesh.texture import to_bytes
from ..outputs import Kind, atomic_file, atomic_folder, save_picture
from ..text import printable
from .photo import Photo
from .reconstructed import ReconstructedObject, View

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
    """A result folder on disk.

    Attributes:
        folder: of the result.
        summary: content of its result.json.
    """

    folder: Path
    summary: Mapping[str, Any]


def result_in(folder: str | Path) -> Path:
    """The result of a folder: itself, or the one that it holds, as the output folder of one photo does.

    A folder that is no result and holds none is returned as it is.

    Raises:
        InputError: it holds several.
    """
    folder = Path(folder)
    if (folder / RESULT).is_file() or not is_folder(folder):
        return folder
    found = sorted(file.parent for file in folder.glob(f"*/{RESULT}"))
    if len(found) > 1:
        names = ", ".join(printable(each.name) for each in found[:3]) + (" ..." if len(found) > 3 else "")
        raise InputError(f"{folder} holds {len(found)} results ({names}): give one of them.")
    return found[0] if found else folder


def save(reconstruction: ReconstructedObject, mesh: Mesh, folder: str | Path) -> SavedResult:
    """Write the files of a reconstruction as a folder that appears whole or not at all; an older one is replaced."""
    with atomic_folder(folder, RECONSTRUCTED) as place:
        summary = write_files(reconstruction, mesh, place)
        write_summary(place, summary)
    return SavedResult(Path(folder), summary)


def write_files(
    reconstruction: ReconstructedObject,
    mesh: Mesh | None,
    folder: Path,
    seen_by: Camera | None = None,
    texture_format: TextureFormat = "png",
) -> dict[str, Any]:
    """Write mesh, camera, photo and mask, where there are such, and what the method alone has.

    Args:
        seen_by: the camera of its pictures, where it was made without a photo.
        texture_format: of the mesh's texture.

    Returns:
        What result.json says of them.
    """
    camera = reconstruction.camera if reconstruction.has_camera else None
    if mesh is not None:
        mesh.export(folder / MESH, camera=camera, texture_format=texture_format)
    if camera is not None:
        write_json(folder / CAMERA, camera.to_dict(covariance=reconstruction.views[0].spread))
    own = {} if reconstruction.own_files is None else reconstruction.own_files(folder, camera or seen_by)
    photo = reconstruction.photo if reconstruction.has_photo else None
    summary: dict[str, Any] = (
        reconstruction.provenance.to_dict()
        | {
            "capabilities": sorted(reconstruction.capabilities),
            "photo": None,
            "notices": [],
            "mesh": None if mesh is None else report(mesh).to_dict() | {"parts": reconstruction.parts},
        }
        | ({} if camera is None else {"camera": _certainty(reconstruction.views[0])})
        | ({"views": [_view(view) for view in reconstruction.views]} if len(reconstruction.views) > 1 else {})
        | ({"own_files": dict(own)} if own else {})
    )
    return summary if photo is None else summary | _write_photo(photo, folder)


def _view(view: View) -> dict[str, Any]:
    """One of several photos, and its camera."""
    named = {"name": printable(view.photo.name), "source": printable(view.photo.source)}
    return named | {"camera": None if view.camera is None else view.camera.to_dict()}


def _certainty(view: View) -> dict[str, Any]:
    """The covariance of the camera's pose, or why there is none."""
    return {"covariance": view.spread, "reason": view.covariance if isinstance(view.covariance, str) else None}


def _write_photo(photo: Photo, folder: Path) -> dict[str, Any]:
    save_picture(Image.fromarray(to_bytes(photo.rgb)), folder / PHOTO, quality=92)
    named = {"name": printable(photo.name), "source": printable(photo.source)}
    summary: dict[str, Any] = {
        "photo": named | {"width": photo.width, "height": photo.height},
        "notices": list(photo.notices),
    }
    if photo.mask is not None:
        mask = photo.original_mask()
        save_picture(Image.fromarray(to_bytes(mask)), folder / MASK)
        area = round(float((mask > 0.5).mean()), 6)
        summary["mask"] = {"origin": photo.mask_origin, "area": area} | _confidence(photo)
    return summary


def _confidence(photo: Photo) -> dict[str, Any]:
    """How much the mask is to be trusted, or why that is not known."""
    if photo.mask_confidence is not None:
        return {"confidence": round(photo.mask_confidence, 4)}
    given = photo.mask_origin in ("file", "alpha")
    return {"confidence": None, "confidence_reason": "the mask was given" if given else "nothing has judged the mask"}


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write result.json, last of all, with the list of files that are there."""
    names = sorted({path.name for path in folder.iterdir()} | {RESULT})
    write_json(folder / RESULT, {**summary, "files": names})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write readable JSON; numbers must be finite."""
    text = json.dumps(content, indent=2, allow_nan=False)
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_summary(folder: AnyPath) -> dict[str, Any]:
    """The content of a folder's result.json."""
    return read_json(folder / RESULT)


def read_json(path: AnyPath) -> dict[str, Any]:
    """A JSON object from a result folder, or one sentence about what is wrong with it."""
    return inputs.read_json(
        path,
        advice="reconstruct the photo again",
        missing="the result is not complete, reconstruct the photo again",
    )
