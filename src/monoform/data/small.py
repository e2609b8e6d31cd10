"""A pack made small enough to be carried: coded pictures, fewer and rounded points, no depth and normal maps."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float16, Int8, Int16, UInt8
from PIL import Image

from ..atomic import atomic_folder
from ..errors import InputError
from .arrays import INDEX, open_array, read_index

SMALL = "small"
_FILE = "small.npz"
_REACH = 0.75  # coordinates and distances are kept up to this


@dataclass(frozen=True)
class SmallOptions:
    """At most this many views, points and surface points of each object; views of `size` pixels, WebP `quality`."""

    views: int = 8
    size: int = 96
    quality: int = 75
    points: int = 2048
    surface: int = 512


def shrink(pack: str | Path, out: str | Path, options: SmallOptions | None = None) -> Path:
    """Write a small copy of a pack into the folder `out`; `PackedObjects` reads it into memory.

    Points are rounded to 2.3e-5 and distances to about a twentieth of their square root (4e-5 at the surface).

    Raises:
        InputError: `pack` is not a full pack, or nothing is to be kept.
    """
    options = options or SmallOptions()
    index = read_index(pack)
    if index.get("codec") == SMALL:
        raise InputError(f"{pack} is a small pack already; give the full one.")
    rows = np.array([entry["row"] for entry in index["objects"]])
    folder = Path(pack)
    images = open_array(folder, "images")
    if min(options.views, options.size, options.points, options.surface) < 1:
        raise InputError(f"A small pack needs at least 1 of each: {options}.")
    views = min(options.views, images.shape[1])
    coded = [_coded(images[row, j], options) for row in rows for j in range(views)]
    scale = np.array([options.size / images.shape[3], options.size / images.shape[2], 1.0], np.float32)[:, None]

    def part(name: str, count: int) -> np.ndarray:
        return np.stack([open_array(folder, name)[row, :count] for row in rows])

    content = {
        "image_bytes": np.frombuffer(b"".join(coded), np.uint8),
        "image_ends": np.cumsum([len(code) for code in coded]),
        "world_from_camera": part("world_from_camera", views),
        "intrinsics": part("intrinsics", views) * scale,
        "points": _rounded(part("points", options.points)),
        "sdf": _companded(part("sdf", options.points)),
        "surface_points": _rounded(part("surface_points", options.surface)),
        "surface_normals": part("surface_normals", options.surface),
        "surface_colors": part("surface_colors", options.surface),
    }
    index["codec"], index["options"]["views"]["size"] = SMALL, options.size
    index["options"]["views"]["count"] = views
    for row, entry in enumerate(index["objects"]):
        entry["row"] = row
    with atomic_folder(out) as temporary:
        np.savez_compressed(temporary / _FILE, allow_pickle=False, **content)
        (temporary / INDEX).write_text(json.dumps(index))
    return Path(out)


def read_small(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a small pack, decoded, in the types of a full one.

    Raises:
        InputError: the file is missing or damaged.
    """
    try:
        with np.load(folder / _FILE) as file:
            content = dict(file)
        ends = content.pop("image_ends")
        codes = np.split(content.pop("image_bytes"), ends[:-1])
        images = np.stack([np.asarray(Image.open(io.BytesIO(code.tobytes())).convert("RGBA")) for code in codes])
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"{folder / _FILE} cannot be read ({error}); make the small pack again.") from error
    views = content["world_from_camera"].shape[1]
    content["images"] = images.reshape(-1, views, *images.shape[1:])
    for name in ("points", "surface_points"):
        content[name] = (content[name].astype(np.float32) * (_REACH / 32767)).astype(np.float32)
    level = content["sdf"].astype(np.float32) / 127
    content["sdf"] = np.sign(level) * level**2 * np.float32(_REACH)
    return content


def _coded(image: UInt8[np.ndarray, "h w 4"], options: SmallOptions) -> bytes:
    """WebP of the image at the wanted size, colours averaged by coverage."""
    weighted = image.astype(np.float32)
    weighted[..., :3] *= weighted[..., 3:] / 255
    resized = cv2.resize(weighted, (options.size, options.size), interpolation=cv2.INTER_AREA)
    alpha = resized[..., 3:]
    color = np.where(alpha > 0, resized[..., :3] * 255 / np.maximum(alpha, 1), 0)
    pixels = np.rint(np.concatenate([color, alpha], axis=-1)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=options.quality, alpha_quality=80, method=3)
    return buffer.getvalue()


def _rounded(points: Float16[np.ndarray, "n p 3"]) -> Int16[np.ndarray, "n p 3"]:
    return np.rint(np.clip(points.astype(np.float32) / _REACH, -1, 1) * 32767).astype(np.int16)


def _companded(sdf: Float16[np.ndarray, "n p"] | Float[np.ndarray, "n p"]) -> Int8[np.ndarray, "n p"]:
    """Square roots in 255 steps: fine near the surface, where it matters."""
    values = np.clip(sdf.astype(np.float32) / _REACH, -1, 1)
    return np.rint(np.sign(values) * np.sqrt(np.abs(values)) * 127).astype(np.int8)
