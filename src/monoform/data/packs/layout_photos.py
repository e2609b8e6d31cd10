"""Renders as photos of one category, in the layout of Pascal3D+'s cars: a list of detections, a file of cameras.

Each object's pictures come with a file of what the lists will say of them; the lists are put together at the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from ...camera import Camera, look_at, quaternion_from_rotation, spherical_position
from ...camera.integer_centers import integer_center_camera
from ...errors import InputError
from ...inputs import read_arrays
from ...outputs import atomic_file, atomic_folder, atomic_stream, save_picture
from ..categories.detections import lists_of, photos_folder, validation_file
from ..categories.run_lengths import RunLengthMask

RADIUS = 1.2  # of the object, in a cube whose half side is 1.4
FOCALS, DISTANCES, ELEVATIONS = (0.8, 1.6), (2.8, 3.4), (math.radians(2.0), math.radians(35.0))
SIDE_FILE = "views.npz"


def photo_cameras(count: int, size: int, *, generator: np.random.Generator) -> Camera:
    """Cameras from all around and a little above, each with a lens of its own and as far away as it is long."""
    azimuth = torch.from_numpy(generator.uniform(0.0, 2.0 * math.pi, count))
    elevation = torch.from_numpy(generator.uniform(*ELEVATIONS, count))
    focal = torch.from_numpy(generator.uniform(*FOCALS, count))
    distance = focal * torch.from_numpy(generator.uniform(*DISTANCES, count))
    position = spherical_position(azimuth, elevation, 1.0) * distance[:, None]
    return integer_center_camera(look_at(position), size, size, size * focal[:, None].expand(-1, 2)).to(torch.float32)


def photos_of(out: Path, category: str, name: str) -> Path:
    """The folder of an object's pictures."""
    return Path(str(photos_folder(out))) / category / name


def write_photos_object(
    folder: Path, images: UInt8[np.ndarray, "v h w 3"], alpha: Float[np.ndarray, "v h w"], cameras: Camera
) -> None:
    """Pictures over white, and boxes, masks and cameras of those that show something; appears when it is whole."""
    motion = cameras.camera_from_world.double()
    double = 2 * cameras.intrinsics[:, 0, 0].double() / cameras.width  # focal length of a picture that is 2 wide
    scale = double / motion[:, 2, 3]
    shown = [view for view, share in enumerate(alpha) if (share >= 0.5).any()]
    rows: dict[str, list[Any]] = {"box": [], "view": shown}
    counts: list[bytes] = []
    with atomic_folder(folder) as partial:
        for view in shown:
            mask = alpha[view] >= 0.5
            columns, lines = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
            rows["box"].append([columns[0], lines[0], columns[-1], lines[-1]])
            counts.append(RunLengthMask.of(mask).counts)
            save_picture(Image.fromarray(images[view]), partial / f"{view:04d}.png")
        arrays = {name: np.array(values, np.int64) for name, values in rows.items()}
        arrays["counts"] = np.array(counts, dtype="S")
        arrays["size"] = np.array(alpha.shape[1:], np.int64)
        arrays["z0"] = torch.log(double - 1)[shown, None].float().numpy()
        arrays["t"] = (motion[:, :2, 3] * scale[:, None])[shown].float().numpy()
        arrays["s"] = scale[shown, None].float().numpy()
        arrays["R"] = quaternion_from_rotation(motion[:, :3, :3])[shown].float().numpy()
        with atomic_stream(partial / SIDE_FILE) as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]


def write_photo_lists(out: Path, category: str, train: Sequence[str], test: Sequence[str]) -> None:
    """`detections.npy` and the cameras of the training objects, and the .mat file of the test objects.

    Raises:
        InputError: what an object's folder says of its pictures cannot be read.
    """
    detections, poses = lists_of(out, f"p3d_{category}")
    entries, tables = [], {name: [] for name in ("z0", "t", "s", "R")}  # type: ignore[var-annotated]
    for name in train:
        arrays = _arrays(out, category, name)
        for at, view in enumerate(arrays["view"].tolist()):
            path = f"{photos_folder(Path())}/{category}/{name}/{view:04d}.png"
            mask = {"size": arrays["size"].tolist(), "counts": bytes(arrays["counts"][at])}
            entries.append({"image_path": path, "bbox": arrays["box"][at].astype(np.float64), "mask": mask})
        for key, values in tables.items():
            values.append(arrays[key])
    if entries:
        columns = {key: torch.from_numpy(np.concatenate(values)) for key, values in tables.items()}
        listed = np.empty(len(entries), dtype=object)
        listed[:] = entries
        with atomic_stream(Path(str(detections))) as stream:
            np.save(stream, listed, allow_pickle=True)
        with atomic_stream(Path(str(poses))) as stream:
            torch.save({"indices": torch.arange(len(entries)), **columns}, stream)
    if test:
        import scipy.io  # takes a while, and little else needs it

        rows = []
        for name in test:
            arrays = _arrays(out, category, name)
            for at, view in enumerate(arrays["view"].tolist()):
                height, width = arrays["size"].tolist()
                pixels = RunLengthMask(height, width, bytes(arrays["counts"][at])).pixels()
                corners = (arrays["box"][at] + 1).astype(np.float64)
                box = dict(zip(("x1", "y1", "x2", "y2"), corners, strict=True))
                rows.append((f"{category}/{name}/{view:04d}.png", box, pixels))
        images = np.array(rows, dtype=[("rel_path", object), ("bbox", object), ("mask", object)])
        with atomic_file(Path(str(validation_file(out, f"p3d_{category}")))) as part:
            scipy.io.savemat(part, {"images": images}, appendmat=False, do_compression=True)


def _arrays(out: Path, category: str, name: str) -> dict[str, np.ndarray]:
    file = photos_of(out, category, name) / SIDE_FILE
    arrays = read_arrays(file, advice="remove its folder, and it is rendered again")
    wanted = {"view", "box", "counts", "size", "z0", "t", "s", "R"}
    if not wanted <= set(arrays):
        raise InputError(f"{file} lacks {', '.join(sorted(wanted - set(arrays)))}: remove its folder.")
    return arrays
