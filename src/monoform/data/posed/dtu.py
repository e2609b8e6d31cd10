"""The DTU scans (Jensen et al. 2014) as pixelNeRF uses them: projection matrices and a normalisation for each view.

`ROOT/DTU/new_{train,val}.lst` name the scans; `ROOT/DTU/SCAN` has `image/*` and `cameras.npz` with `world_mat_i`, the
3 x 4 projection from the scanner's world to pixels up to a factor, and `scale_mat_i`, whose diagonal and last column
are the size and centre that become 1 and 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import rq

from ...camera.integer_centers import integer_center_camera
from ...errors import InputError
from ...inputs import read_arrays
from ...inputs.remote import AnyPath
from .dvr import CAMERAS, listed_places
from .files import image_files, matrix_of, read_composited, resize_by_area, size_ratio
from .objects import Place, PosedObject, PosedObjects
from .srn import Split

LISTS = "new_"
NEAR, FAR = 0.1, 5.0
TRAINING_VIEWS = 49
_TURN_WORLD = np.diag([1.0, -1.0, -1.0, 1.0])  # published: half a turn about the scanner's x axis


class DtuObjects(PosedObjects):
    """Reader of one split; "test" is "val", of which the published numbers are.

    The focal lengths and principal point of a scene are the means over its views. Training draws at most
    `TRAINING_VIEWS` of a scene: `draw_views(which, TRAINING_VIEWS, generator=...)`.

    Args:
        data: the folder in which the folder DTU lies.
        size: (height, width) that images are brought to by averaging areas; None leaves them as they are.

    Raises:
        InputError: the folder or its list is missing.
    """

    near, far, background = NEAR, FAR, 0.0

    def __init__(self, data: str | Path, split: Split = "train", *, size: tuple[int, int] | None = None) -> None:
        super().__init__(listed_places(Path(data), f"{LISTS}{'val' if split == 'test' else split}.lst"))
        self.size = size

    def _image_files(self, place: Place) -> list[AnyPath]:
        return image_files(place.folder / "image")

    def _read(self, place: Place, files: list[AnyPath], views: list[int]) -> PosedObject:
        file = place.folder / CAMERAS
        arrays = read_arrays(file, missing="it must hold the cameras of the object")
        parts = [_normalized(arrays, view, file) for view in range(len(files))]
        intrinsics = np.mean([part[0] for part in parts], axis=0)
        images, _ = read_composited([files[view] for view in views], self.background)
        ratio = np.array(size_ratio(images, self.size))
        resized = resize_by_area(images, self.size)
        focal, center = intrinsics[(0, 1), (0, 1)] * ratio, intrinsics[:2, 2] * ratio
        cameras = integer_center_camera(
            torch.from_numpy(np.stack([_TURN_WORLD @ parts[view][1] for view in views])).float(),
            resized.shape[2],
            resized.shape[1],
            (float(focal[0]), float(focal[1])),
            (float(center[0]), float(center[1])),
        )
        return self._seen(place, views, resized, cameras, None, None)


def decompose_projection(
    projection: Float[np.ndarray, "3 4"],
) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "4 4"]]:
    """(intrinsics with last entry 1, camera-to-world) of a projection matrix that is known up to a factor.

    The left block is the product of an upper triangular matrix with positive diagonal and a rotation (Hartley and
    Zisserman, Multiple View Geometry, section 6.2.4).

    Raises:
        InputError: the left block is singular.
    """
    block = projection[:, :3]
    if not abs(np.linalg.det(block)) > 1e-12 * np.linalg.norm(block) ** 3:
        raise InputError("the left 3 x 3 block of the projection is singular")
    if np.linalg.det(block) < 0:
        projection, block = -projection, -block
    upper, rotation = rq(block)
    signs = np.sign(np.diag(upper))
    upper, rotation = upper * signs, signs[:, None] * rotation
    pose = np.eye(4)
    pose[:3, :3] = rotation.T
    pose[:3, 3] = -np.linalg.solve(block, projection[:, 3])
    return upper / upper[2, 2], pose


def _normalized(arrays: dict[str, np.ndarray], view: int, file: AnyPath) -> tuple[np.ndarray, np.ndarray]:
    """(intrinsics, camera-to-world) of a view, in the normalised scanner's world."""
    projection, scale = matrix_of(arrays, f"world_mat_{view}", file), matrix_of(arrays, f"scale_mat_{view}", file)
    size = np.diag(scale)[:3]
    if not (size > 0).all():
        raise InputError(f"{file}: scale_mat_{view} has the diagonal {size.tolist()}; sizes must be positive.")
    try:
        intrinsics, pose = decompose_projection(projection[:3])
    except InputError as error:
        raise InputError(f"{file}: world_mat_{view} is no projection, {error}; make the file again.") from error
    pose[:3, 3] = (pose[:3, 3] - scale[:3, 3]) / size
    return intrinsics, pose
