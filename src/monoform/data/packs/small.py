"""A pack made small enough to be carried: coded pictures and maps, fewer and rounded points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float16, Int8, Int16

from ...errors import InputError
from ...inputs import read_arrays
from ...outputs import Kind, atomic_folder, atomic_stream
from . import coded
from .arrays import INDEX, MAPS, NEWER, array_specs, open_array, read_index, require_layout
from .labels import LabelOptions
from .views import ViewOptions

SMALL = "small"
_FILE = "small.npz"
MAX_SMALL_BYTES = 4 << 30
_REACH = 0.75  # coordinates and distances are kept up to this
SMALL_PACK = Kind("small data set of monoform", INDEX, lambda record: [_FILE] if record.get("codec") == SMALL else None)


@dataclass(frozen=True)
class SmallOptions:
    """How much of a pack a small copy keeps.

    Attributes:
        views: most views of each object.
        size: width and height of a view, in pixels.
        quality: of WebP, 0..100.
        points: most points of each object.
        surface: most surface points of each object.
        maps: whether depth of front and back, normals and the back's colors of each view are kept.
    """

    views: int = 8
    size: int = 96
    quality: int = 75
    points: int = 2048
    surface: int = 512
    maps: bool = False

    def __post_init__(self) -> None:
        if min(self.views, self.size) < 1 or min(self.points, self.surface) < 0:
            raise InputError(f"A small pack needs at least 1 view, 1 pixel and no fewer than 0 points: {self}.")


def shrink(pack: str | Path, out: str | Path, options: SmallOptions | None = None) -> Path:
    """Write a small copy of a pack into the folder `out`; `PackedObjects` reads it into memory.

    Points are rounded to 2.3e-5 and distances to about a twentieth of their square root (4e-5 at the surface), depths
    to 7e-4.

    Raises:
        InputError: `pack` is not a full pack, or nothing is to be kept.
    """
    options = options or SmallOptions()
    index = read_index(pack)
    if index.get("codec") == SMALL:
        raise InputError(f"{pack} is a small pack already; give the full one.")
    rows = np.array([entry["row"] for entry in index["objects"]])
    folder = Path(pack)
    names = [spec.name for spec in array_specs(ViewOptions(), LabelOptions()) if spec.name not in NEWER]
    require_layout({name: open_array(folder, name) for name in names}, index, folder, small=False)
    pixels = int(index["options"]["views"]["size"])
    views = min(options.views, open_array(folder, "images").shape[1])
    scale = np.array([options.size / pixels, options.size / pixels, 1.0], np.float32)[:, None]

    def part(name: str, count: int) -> np.ndarray:
        array = open_array(folder, name)
        return np.stack([array[row, :count] for row in rows])

    poses = part("world_from_camera", views)
    content = {
        "world_from_camera": poses,
        "intrinsics": part("intrinsics", views) * scale,
        "points": _rounded(part("points", options.points)),
        "sdf": _companded(part("sdf", options.points)),
        "surface_points": _rounded(part("surface_points", options.surface)),
        "surface_normals": part("surface_normals", options.surface),
        "surface_colors": part("surface_colors", options.surface),
    }
    for name in ("images", *(MAPS if options.maps else ())):
        files = _files(name, open_array(folder, name), rows, _middles(poses), options)
        content[f"{name}_bytes"], content[f"{name}_ends"] = coded.joined(list(files))
    index["codec"], index["options"]["views"]["size"] = SMALL, options.size
    index["options"]["views"]["count"] = views
    for row, entry in enumerate(index["objects"]):
        entry["row"] = row
    with atomic_folder(out, SMALL_PACK, inputs=(pack,)) as temporary:
        with atomic_stream(temporary / _FILE) as stream:
            np.savez_compressed(stream, allow_pickle=False, **content)
        (temporary / INDEX).write_text(json.dumps(index))
    return Path(out)


def read_small(folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a small pack, decoded, in the types of a full one.

    Raises:
        InputError: the file is missing or damaged.
    """
    content = read_arrays(folder / _FILE, limit=MAX_SMALL_BYTES, advice="make the small pack again")
    try:
        middles = _middles(content["world_from_camera"])
        for name in ("images", *MAPS):
            if f"{name}_ends" in content:
                files = coded.parted(content.pop(f"{name}_bytes"), content.pop(f"{name}_ends"))
                content[name] = _decoded(name, files, middles)
        for name in ("points", "surface_points"):
            content[name] = (content[name].astype(np.float32) * (_REACH / 32767)).astype(np.float32)
        level = content["sdf"].astype(np.float32) / 127
        content["sdf"] = np.sign(level) * level**2 * np.float32(_REACH)
    except Exception as error:  # decoders of pictures raise whatever they stumble over
        raise InputError(f"{folder / _FILE} cannot be read ({error}); make the small pack again.") from error
    return content


def _middles(poses: Float[np.ndarray, "n v 4 4"]) -> Float[np.ndarray, "n v"]:
    """Depth of the world's origin, about which every object lies, in each view."""
    return -np.einsum("nvk,nvk->nv", poses[:, :, :3, 3], poses[:, :, :3, 2])


def _files(
    name: str, array: np.ndarray, rows: np.ndarray, middles: Float[np.ndarray, "n v"], options: SmallOptions
) -> Iterator[bytes]:
    """Each kept view of each object as a file."""
    size, quality = options.size, options.quality
    for row, own in zip(rows, middles, strict=True):
        for values, middle in zip(array[row], own, strict=False):
            match name:
                case "images":
                    yield coded.code_picture(values, size, quality)
                case "normals":
                    yield coded.code_normals(values, size, quality)
                case "back_colors":
                    yield coded.code_colors(values, size, quality)
                case _:
                    yield coded.code_depth(values, float(middle), size)


def _decoded(name: str, files: list[bytes], middles: Float[np.ndarray, "n v"]) -> np.ndarray:
    """Pictures or maps (n, v, size, size, ...) of files in the order of `_files`."""
    if name in ("depth", "back_depth"):
        found = [coded.decode_depth(file, float(m)) for file, m in zip(files, middles.ravel(), strict=True)]
    else:
        kinds = {"images": coded.decode_picture, "normals": coded.decode_normals, "back_colors": coded.decode_colors}
        found = [kinds[name](file) for file in files]
    return np.stack(found).reshape(*middles.shape, *found[0].shape)


def _rounded(points: Float16[np.ndarray, "n p 3"]) -> Int16[np.ndarray, "n p 3"]:
    return np.rint(np.clip(points.astype(np.float32) / _REACH, -1, 1) * 32767).astype(np.int16)


def _companded(sdf: Float16[np.ndarray, "n p"] | Float[np.ndarray, "n p"]) -> Int8[np.ndarray, "n p"]:
    """Square roots in 255 steps: fine near the surface, where it matters."""
    values = np.clip(sdf.astype(np.float32) / _REACH, -1, 1)
    return np.rint(np.sign(values) * np.sqrt(np.abs(values)) * 127).astype(np.int8)
