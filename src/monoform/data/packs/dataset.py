"""Packed objects as tensors, ready for a training step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ...camera import Camera
from ...errors import InputError
from .arrays import NEWER, array_path, open_array, read_index, require_layout
from .small import SMALL, read_small

_SURFACE = ("surface_points", "surface_normals", "surface_colors")
_MAPPED = (
    "images",
    "depth",
    "normals",
    "back_depth",
    "back_colors",
    *NEWER,
    "world_from_camera",
    "intrinsics",
    "points",
    "sdf",
    *_SURFACE,
)


@dataclass(frozen=True, eq=False)
class PackedView:
    """One view of one object, as in `monoform.data.Views`.

    Attributes:
        image: sRGB and coverage.
        depth: along the camera's z axis; None in a small pack without maps.
        normals: in the camera frame, times 127; None in a small pack without maps.
        camera: of the view.
    """

    image: UInt8[np.ndarray, "h w 4"]
    depth: np.ndarray | None
    normals: np.ndarray | None
    camera: Camera


class PackedObjects:
    """A folder that `pack_meshes` or `shrink` made, read through memory maps (safe to share between processes).

    Args:
        names: which objects, in this order; default all. A name stands for the object itself, not for its widened
            copies (NAME~1 and so on).
        exclude: names of objects that are left out together with all their widened copies.

    Raises:
        InputError: the folder is not a pack, or a name is not in it.
    """

    def __init__(self, folder: str | Path, names: Sequence[str] | None = None, *, exclude: Sequence[str] = ()) -> None:
        self.folder = Path(folder)
        self.index = read_index(folder)
        entries = {entry["name"]: entry for entry in self.index["objects"]}
        unknown = [name for name in names or () if name not in entries]
        if unknown:
            raise InputError(f"{self.folder} holds no object named {unknown[0]!r} ({len(unknown)} such names).")
        without = set(exclude)
        chosen = list(entries) if names is None else names
        self.entries = [entries[name] for name in chosen if name.split("~")[0] not in without and name not in without]
        if not self.entries:
            raise InputError(f"No object of {self.folder} is left by the given names and exclusions.")
        self.rows = np.array([entry["row"] for entry in self.entries])
        self._open()

    def _open(self) -> None:
        small = self.index.get("codec") == SMALL
        names = [name for name in _MAPPED if name not in NEWER or array_path(self.folder, name).is_file()]
        arrays = read_small(self.folder) if small else {name: open_array(self.folder, name) for name in names}
        require_layout(arrays, self.index, self.folder, small=small)
        self._images, self._depth, self._normals = arrays["images"], arrays.get("depth"), arrays.get("normals")
        self._back_depth, self._back_colors = arrays.get("back_depth"), arrays.get("back_colors")
        self._hollows, self._mirrors = arrays.get("hollows"), arrays.get("mirrors")
        self._world_from_camera = np.array(arrays["world_from_camera"])
        self._intrinsics = np.array(arrays["intrinsics"])
        self._points, self._sdf = arrays["points"], arrays["sdf"]
        self._surface = [arrays[name] for name in _SURFACE]

    def __getstate__(self) -> dict[str, object]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._open()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def names(self) -> list[str]:
        """Names of the objects in order."""
        return [entry["name"] for entry in self.entries]

    @property
    def categories(self) -> list[str]:
        """Their categories."""
        return [entry["category"] for entry in self.entries]

    @property
    def licenses(self) -> list[str]:
        """Their licences."""
        return [entry["licence"] for entry in self.entries]

    @property
    def view_count(self) -> int:
        """Views of each object."""
        return int(self._world_from_camera.shape[1])

    @property
    def has_hollows(self) -> bool:
        """Whether what lies between front and back is known, and which planes mirror the objects."""
        return self._hollows is not None and self._mirrors is not None

    @property
    def image_size(self) -> int:
        """Width and height of the views in pixels."""
        return int(self.index["options"]["views"]["size"])

    def sentence(self) -> str:
        """How many views of how many objects there are, and their licenses."""
        licenses = ", ".join(sorted(set(self.licenses)))
        return f"{len(self) * self.view_count} views of {len(self)} objects ({licenses})"

    def views(self, i: int, j: int) -> PackedView:
        """View `j` of object `i`."""
        row, size = self.rows[i], self.image_size
        pose = torch.from_numpy(self._world_from_camera[row, j])[None]
        camera = Camera(pose, torch.from_numpy(self._intrinsics[row, j])[None], size, size)
        depth = None if self._depth is None else np.array(self._depth[row, j])
        normals = None if self._normals is None else np.array(self._normals[row, j])
        return PackedView(np.array(self._images[row, j]), depth, normals, camera)

    def labels(self, i: int) -> dict[str, Float[Tensor, " ..."]]:
        """All points of object `i`: points (p 3), sdf (p), surface_points, surface_normals, surface_colors (s 3)."""
        return {name: values[0] for name, values in self._point_batch(self.rows[i : i + 1], None, None, None).items()}

    def batch(
        self,
        indices: Sequence[int] | Tensor,
        generator: torch.Generator | None = None,
        *,
        points: int = 1024,
        surface: int = 256,
        views: int = 1,
        maps: bool = True,
    ) -> dict[str, Tensor]:
        """Objects with random views and random points of each, float32 unless said otherwise.

        Returns:
            images (b v h w 4) sRGB and coverage in 0..1, colour not multiplied by coverage;
            world_from_camera (b v 4 4); intrinsics (b v 3 3) in pixels; view (b v) int64, which views these are;
            points (b p 3) in the world; sdf (b p), negative inside;
            surface_points, surface_normals (outward, unit), surface_colors (0..1), each (b s 3);
            with `maps`, where the pack has them, also depth (b v h w) along the camera's z axis, inf off the
            object, normals (b v h w 3) in the camera frame (x right, y down, z forward), 0 off the object, and of the
            last surface along each pixel's ray back_depth (b v h w) and back_colors (b v h w 3) in 0..1; likewise
            hollows (b v h w 2), depths where the longest free stretch before it begins and ends, inf where there is
            none, and of each object mirrors (b 24), how far it is from its image in upright planes.

        Raises:
            InputError: more views or points are asked for than an object has.
        """
        rows = self.rows[np.asarray(indices)]
        if not 1 <= views <= self.view_count:
            raise InputError(f"views is {views}; the objects have {self.view_count} views.")
        order = torch.rand(len(rows), self.view_count, generator=generator).argsort(dim=1)[:, :views]
        at = (rows[:, None], order.numpy())
        result = {
            "images": torch.from_numpy(self._images[at]).float().div_(255.0),
            "world_from_camera": torch.from_numpy(self._world_from_camera[at]),
            "intrinsics": torch.from_numpy(self._intrinsics[at]),
            "view": order,
        }
        if maps and self._depth is not None and self._normals is not None:
            result["depth"] = torch.from_numpy(self._depth[at]).float()
            result["normals"] = _unit(torch.from_numpy(self._normals[at]))
        if maps and self._back_depth is not None and self._back_colors is not None:
            result["back_depth"] = torch.from_numpy(self._back_depth[at]).float()
            result["back_colors"] = torch.from_numpy(self._back_colors[at]).float().div_(255.0)
        if maps and self._hollows is not None and self._mirrors is not None:  # has_hollows, as mypy reads it
            result["hollows"] = torch.from_numpy(self._hollows[at]).float()
            result["mirrors"] = torch.from_numpy(self._mirrors[rows]).float()
        return result | self._point_batch(rows, points, surface, generator)

    def _point_batch(
        self, rows: np.ndarray, points: int | None, surface: int | None, generator: torch.Generator | None
    ) -> dict[str, Tensor]:
        """A random run of points of each object: they are stored in random order, so a run is a fair sample."""
        near = self._runs([self._points, self._sdf], rows, points, generator)
        on = self._runs(self._surface, rows, surface, generator)
        return {
            "points": near[0].float(),
            "sdf": near[1].float(),
            "surface_points": on[0].float(),
            "surface_normals": _unit(on[1]),
            "surface_colors": on[2].float().div_(255.0),
        }

    def _runs(
        self, arrays: list[np.ndarray], rows: np.ndarray, count: int | None, generator: torch.Generator | None
    ) -> list[Tensor]:
        available = arrays[0].shape[1]
        count = available if count is None else count
        if not 0 <= count <= available:
            raise InputError(f"{count} points are asked for; the objects have {available}.")
        starts = torch.randint(available - count + 1, (len(rows),), generator=generator).tolist()
        return [
            torch.from_numpy(
                np.stack([array[row, start : start + count] for row, start in zip(rows, starts, strict=True)])
            )
            for array in arrays
        ]


def _unit(stored: Tensor) -> Float[Tensor, " ..."]:
    """Unit vectors from stored bytes; zero vectors stay 0."""
    return torch.nn.functional.normalize(stored.float(), dim=-1)
