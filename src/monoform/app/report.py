"""report.html: one page, readable without a network, that shows a result folder and lets its mesh be turned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..camera import Camera
from ..errors import InputError
from ..inputs import read_pixels
from ..mesh import Mesh
from ..outputs import atomic_file
from ..scene.result_files import read_json
from ..scene.silhouette import mask_box
from . import fragments as html
from .cards import cards, own_files, section
from .packed_mesh import pack, reduced
from .page import fill, json_for_html, package_text, policy
from .pictures import data_uri, picture_uri, texture_uri
from .words import fit_in_words, front_in_words, is_guessed, origin_in_words

PAGE_LIMIT = 8_000_000  # characters; a longer page leaves the film out and links it instead
PICTURES = {  # caption, class
    "image.png": ("As the method draws it", ""),
    "image_raw.png": ("What its rays see, before it is super-resolved", ""),
    "depth.png": ("Depth, near is bright", ""),
    "normals.png": ("Normals, from -1..1 to 0..1", ""),
    "overlay.png": ("The mesh drawn over the photo", ""),
    "mask.png": ("The mask that was used", ""),
    "views.jpg": ("From four sides", "wide"),
    "hypotheses.jpg": ("Hypotheses, the best first", "wide"),
}
PHOTO_NAMES = ("photo.jpg", "photo.jpeg", "photo.png", "photo.webp")
OF_PHOTO = {
    "camera_name": "Photo&rsquo;s camera",
    "camera_help": "&ldquo;Photo&rsquo;s camera&rdquo; puts you where the photo was taken: with the slider the photo "
    "fades over the mesh, and the wheel comes nearer to the object.",
}
OF_SAMPLE = {
    "camera_name": "Its camera",
    "camera_help": "&ldquo;Its camera&rdquo; shows the mesh from the camera of camera.json.",
}


def write_report(folder: Path) -> Path:
    """Write `report.html` into a result folder and return its path.

    Only `mesh.glb` must be there; what else is missing is left out of the page.

    Raises:
        InputError: the folder holds no `mesh.glb`, or a file in it cannot be read.
    """
    folder = Path(folder)
    if not (folder / "mesh.glb").is_file():
        raise InputError(f"{folder} holds no mesh.glb; give the folder of a finished result.")
    text = _page(folder, Mesh.load(folder / "mesh.glb"))
    path = folder / "report.html"
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _page(folder: Path, mesh: Mesh) -> str:
    result, camera = _read(folder / "result.json"), _camera(folder)
    shown = reduced(mesh)
    photo = next((folder / name for name in PHOTO_NAMES if (folder / name).is_file()), None)
    photo_uri = picture_uri(photo, longest=1280) if photo else None
    data = {
        "mesh": pack(shown),
        "texture": texture_uri(shown.texture) if shown.uv is not None and shown.texture is not None else None,
        "camera": camera and camera.to_dict() | {"box": _object_box(folder / "mask.png", camera)},
    }
    style, script = package_text("page.css"), package_text("viewer.js")
    name = _photo_name(result)
    parts = {
        "title": html.escape(f"{name} · monoform"),
        "heading": html.escape(name),
        "generator": html.escape(f"monoform {result.get('monoform', '')}".strip()),
        "policy": policy(style=style, script=script),
        "style": style,
        "script": script,
        "data": json_for_html(data),
        "summary": html.escape(_summary(result, len(mesh.faces), len(shown.faces))),
        "notices": _notices(result),
        "canvas_label": html.escape(f"Turning view of the mesh made from {name}"),
        "photo_layer": _photo_layer(photo_uri),
        **(OF_PHOTO if photo else OF_SAMPLE),
        "cards": _strips(folder, result) + cards(folder, result, camera),
        "footer": html.escape("Made by monoform. This page needs no network; the links lead to the files beside it."),
    }
    film = folder / "turntable.mp4"
    pictures = _pictures(folder, result, photo_uri)
    room = PAGE_LIMIT - sum(map(len, parts.values())) - len(pictures) - len(package_text("page.html"))
    embeds = film.is_file() and film.stat().st_size * 4 / 3 < room
    parts["pictures"] = pictures + (_film(film) if embeds else "")
    parts["fallback_noscript"] = "the turntable video is beside it." if embeds else "open mesh.glb in a 3D program."
    return fill("page.html", **parts)


def _read(path: Path) -> dict[str, Any]:
    return read_json(path) if path.is_file() else {}


def _camera(folder: Path) -> Camera | None:
    path = folder / "camera.json"
    return Camera.from_dict(read_json(path)) if path.is_file() else None


def _photo_name(result: dict[str, Any]) -> str:
    """The last part of the path or address that the photo came from; without a photo, whose sample it is."""
    source = str(section(result, "photo").get("source") or "")
    name = source.replace("\\", "/").split("?")[0].rstrip("/").split("/")[-1]
    sampled = "photo" in result and result["photo"] is None and result.get("method")
    return name or (f"Sample of {result['method']}" if sampled else "Result")


def _object_box(mask: Path, camera: Camera) -> list[float]:
    """Left, top, width, height in photo pixels: the mask's bounding box with a margin, or the whole photo."""
    whole = [0.0, 0.0, float(camera.width), float(camera.height)]
    if not mask.is_file():
        return whole
    inside = read_pixels(mask, "L") > 127
    if not inside.any():
        return whole
    first_column, first_row, last_column, last_row = mask_box(inside)
    across, down = camera.width / inside.shape[1], camera.height / inside.shape[0]
    left, top = first_column * across, first_row * down
    width, height = last_column * across - left, last_row * down - top
    margin = 0.18 * max(width, height)
    return [left - margin, top - margin, width + 2 * margin, height + 2 * margin]


def _summary(result: dict[str, Any], faces: int, shown: int) -> str:
    total = sum(x for x in section(result, "timings").values() if isinstance(x, int | float))
    mask, overlay = section(result, "mask"), section(result, "overlay")
    origin = mask.get("origin")
    facts = [
        f"Mask {origin_in_words(origin)}" if is_guessed(origin) else "",
        f"Method: {result['method']}" if result.get("method") else "",
        f"{faces:,} faces" + (f" ({shown:,} of them on this page)" if shown < faces else ""),
        f"{total:.1f} s" if total else "",
        fit_in_words(overlay.get("iou"), mask.get("confidence")),
        front_in_words(overlay),
    ]
    return " · ".join(fact for fact in facts if fact)


def _notices(result: dict[str, Any]) -> str:
    notices = result.get("notices")
    if not isinstance(notices, list) or not notices:
        return ""
    title = "<h2>Look at the mask first</h2>" if is_guessed(section(result, "mask").get("origin")) else ""
    return f'<section class=notices aria-label="Notices">{title}{html.bullets(notices)}</section>'


def _photo_layer(uri: str | None) -> str:
    return html.image(uri, "", 'class="photo-layer" id="photo-layer" hidden') if uri else ""


def _pictures(folder: Path, result: dict[str, Any], photo_uri: str | None) -> str:
    figures = [html.figure(html.image(photo_uri, "The photo"), "Photo")] if photo_uri else []
    own = {name: (about, "") for name, about in _own_pictures(folder, result).items() if not _is_strip(folder / name)}
    for name, (caption, kind) in (own | PICTURES).items():
        if (folder / name).is_file():
            figures.append(html.figure(html.image(picture_uri(folder / name, longest=960), caption), caption, kind))
    return "".join(figures)


def _strips(folder: Path, result: dict[str, Any]) -> str:
    """The method's own pictures that are as wide as the page."""
    own = {name: about for name, about in _own_pictures(folder, result).items() if _is_strip(folder / name)}
    images = {about: html.image(picture_uri(folder / name, longest=1280), about) for name, about in own.items()}
    return "".join(html.figure(image, about, "strip") for about, image in images.items())


def _own_pictures(folder: Path, result: dict[str, Any]) -> dict[str, str]:
    return {name: about for name, about in own_files(folder, result).items() if name.endswith(".png")}


def _is_strip(picture: Path) -> bool:
    height, width = read_pixels(picture, "RGB").shape[:2]
    return width > 2 * height


def _film(film: Path) -> str:
    uri = data_uri(film.read_bytes(), "video/mp4")
    return html.figure(
        f'<video id="turntable" src="{uri}" controls loop muted playsinline preload="metadata" '
        'aria-label="Turntable: the mesh turns once around"></video>',
        "Turntable",
    )
