"""CO3D (Reizenstein et al. 2021), both versions: sequences of photos around an object, with cameras and a point cloud.

Annotations are PyTorch3D's: rows of points times R, then plus T; camera x left, y up; the middle of the picture is 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...camera import Camera, rigid, rigid_inverse
from ...errors import InputError
from ...inputs import read_json_entries, require_finite, require_folder
from ...mesh.read import load_points

FRAMES, SEQUENCES, CLOUD = "frame_annotations.jgz", "sequence_annotations.jgz", "pointcloud.ply"
BOUNDS, ISOTROPIC = "ndc_norm_image_bounds", "ndc_isotropic"
ADVICE, MISSING = "copy it again from the data set", "give CO3D's folder, or that of one of its categories"
_ROTATION_ERROR = 1e-2  # largest entry of R R' - 1


@dataclass(frozen=True, eq=False)
class Frame:
    """A photo of a sequence.

    Attributes:
        number: within its sequence.
        image: the photo.
        mask: of its object; None where there is none.
        camera: one, of its pixels, in the world of the point cloud.
    """

    number: int
    image: Path
    mask: Path | None
    camera: Camera


@dataclass(frozen=True, eq=False)
class Co3dSequence:
    """A sequence.

    Attributes:
        category: of the object.
        name: of the sequence.
        frames: that have cameras, by their number.
        cloud: file of its point cloud.
    """

    category: str
    name: str
    frames: Sequence[Frame]
    cloud: Path

    def points(self) -> Float[np.ndarray, "n 3"]:
        """The point cloud.

        Raises:
            InputError: it cannot be read.
        """
        return load_points(self.cloud)


def read_sequences(root: Path, names: Collection[str]) -> dict[str, Co3dSequence]:
    """Sequences of CO3D, by their names.

    Args:
        root: CO3D's folder, which holds those of its categories, or the folder of one category.
        names: of the sequences that are wanted; those that are not there are left out.

    Raises:
        InputError: there are no annotations, or they are damaged.
    """
    require_folder(root, "folder of CO3D", advice=MISSING)
    own = (root / FRAMES).is_file()
    categories = [root] if own else sorted(file.parent for file in root.glob(f"*/{FRAMES}"))
    if not categories:
        raise InputError(f"{root} holds no {FRAMES}; {MISSING}.")
    found: dict[str, Co3dSequence] = {}
    for folder in categories:
        found |= _of_category(folder.resolve(), names)
    return found


def _of_category(folder: Path, names: Collection[str]) -> dict[str, Co3dSequence]:
    frames: dict[str, list[Frame]] = {}
    for entry in read_json_entries(folder / FRAMES, advice=ADVICE, missing=MISSING):
        name = entry.get("sequence_name")
        if name in names and entry.get("viewpoint") is not None:
            frames.setdefault(str(name), []).append(_parsed(_frame, entry, folder, folder / FRAMES))
    if not frames:
        return {}
    clouds = {}
    for entry in read_json_entries(folder / SEQUENCES, advice=ADVICE, missing=MISSING):
        if entry.get("sequence_name") in frames:
            clouds[str(entry["sequence_name"])] = _parsed(_cloud, entry, folder, folder / SEQUENCES)
    return {
        name: Co3dSequence(
            folder.name, name, sorted(some, key=lambda each: each.number), clouds.get(name, folder / name / CLOUD)
        )
        for name, some in frames.items()
    }


def _parsed(parse: Any, entry: Mapping[str, Any], folder: Path, source: Path) -> Any:
    """An entry of the annotations.

    Raises:
        InputError: it is damaged; the sentence names its sequence.
    """
    named = f"{source}, sequence {str(entry.get('sequence_name'))[:60]}"
    require_finite(dict(entry), named)
    try:
        return parse(entry, folder)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)[:120]
        raise InputError(f"{named} is damaged ({reason}); {ADVICE}.") from error


def _frame(entry: Mapping[str, Any], folder: Path) -> Frame:
    image, mask = entry["image"], entry.get("mask")
    height, width = (int(side) for side in image["size"])
    if min(height, width) < 1:
        raise ValueError(f"a photo of {width} x {height} pixels")
    return Frame(
        int(entry["frame_number"]),
        _place(image["path"], folder),
        None if mask is None else _place(mask["path"], folder),
        co3d_camera(entry["viewpoint"], width, height),
    )


def _cloud(entry: Mapping[str, Any], folder: Path) -> Path:
    told = entry.get("point_cloud")
    return folder / str(entry["sequence_name"]) / CLOUD if told is None else _place(told["path"], folder)


def _place(path: str, folder: Path) -> Path:
    """A file that is told from CO3D's folder; some of its paths begin at the root of its authors' machine."""
    parts = PurePosixPath(path).parts
    if ".." in parts:
        raise ValueError(f"the path {path[:60]}")
    if folder.name in parts:
        parts = parts[len(parts) - parts[::-1].index(folder.name) :]
    elif parts[:1] != ("/",):
        parts = parts[1:]
    if not parts or parts[0] == "/":
        raise ValueError(f"the path {path[:60]}")
    return folder.joinpath(*parts)


def co3d_camera(viewpoint: Mapping[str, Any], width: int, height: int) -> Camera:
    """A camera of CO3D's as ours.

    Args:
        viewpoint: R, T, focal_length, principal_point and, if it is not "ndc_norm_image_bounds", intrinsics_format.
            There half a side is 1, for each side by itself; in "ndc_isotropic" half the shorter side is 1 along both.
        width: of the photo, in pixels.
        height: of the photo, in pixels.

    Raises:
        KeyError, TypeError, ValueError: a field is missing or cannot be used.
    """
    form = viewpoint.get("intrinsics_format") or BOUNDS
    if form not in (BOUNDS, ISOTROPIC):
        raise ValueError(f"intrinsics_format {str(form)[:40]!r}, neither {BOUNDS} nor {ISOTROPIC}")
    sides = torch.tensor([width, height], dtype=torch.float64)
    half = 0.5 * (sides if form == BOUNDS else sides.min().expand(2))
    focal, middle = (_numbers(viewpoint, name, (2,)) for name in ("focal_length", "principal_point"))
    if not bool((focal > 0).all()):
        raise ValueError(f"focal_length {focal.tolist()}, which is not positive")
    intrinsics = torch.eye(3, dtype=torch.float64)
    intrinsics[0, 0], intrinsics[1, 1] = focal * half
    intrinsics[:2, 2] = 0.5 * sides - middle * half
    rotation = _numbers(viewpoint, "R", (3, 3))
    if (rotation @ rotation.T - torch.eye(3)).abs().max() > _ROTATION_ERROR or torch.linalg.det(rotation) < 0:
        raise ValueError("R, which is no rotation")
    turned = torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64)  # x left, y up
    pose = rigid(turned[:, None] * rotation.T, turned * _numbers(viewpoint, "T", (3,)))
    return Camera(rigid_inverse(pose)[None], intrinsics[None], width, height)


def _numbers(viewpoint: Mapping[str, Any], name: str, shape: tuple[int, ...]) -> Float[Tensor, "*shape"]:
    values = torch.tensor(viewpoint[name], dtype=torch.float64)
    if values.shape != shape:
        raise ValueError(f"{name} has shape {tuple(values.shape)}")
    return values
