"""ShapeNet renderings in the format of differentiable volumetric rendering (Niemeyer et al. 2020): 13 categories.

`ROOT/CATEGORY/softras_{train,val,test}.lst` name the objects of a split, one a line; `ROOT/CATEGORY/OBJECT` has
`image/*`, `mask/*` (optional) and `cameras.npz`: for view i, `world_mat_inv_i` (camera-to-world, y down, z forward) or
else its inverse `world_mat_i`, and `camera_mat_i`, the focal length for an image of side 2 in its corner. World Y up.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from ...camera.integer_centers import integer_center_camera
from ...errors import InputError
from ...inputs import listed, read_arrays, read_text, require_folder
from ...inputs.remote import AnyPath
from .files import (
    boxes_of,
    image_files,
    matrix_of,
    read_composited,
    read_images,
    resize_by_area,
    rigid_pose,
    size_ratio,
)
from .objects import Place, PosedObject, PosedObjects
from .srn import Split

SEEN, UNSEEN = "softras_", "gen_"
NEAR, FAR = 1.2, 4.0
_SAME_FOCAL = 1e-5
CAMERAS = "cameras.npz"


class DvrObjects(PosedObjects):
    """Reader of one split of all categories.

    Args:
        data: the folder of the category folders.
        split: "train", "val" or "test".
        lists: how the names of the lists begin: "softras_" for the 13 categories, "gen_" for those where training
            and test are different categories.
        size: (height, width) that images are brought to by averaging areas; None leaves them as they are.

    Raises:
        InputError: the folder is missing, no category has the list, or all lists are empty.
    """

    near, far = NEAR, FAR

    def __init__(
        self,
        data: str | Path,
        split: Split = "train",
        *,
        lists: str = SEEN,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(listed_places(Path(data), f"{lists}{split}.lst"))
        self.size = size

    def _image_files(self, place: Place) -> list[AnyPath]:
        return image_files(place.folder / "image")

    def _read(self, place: Place, files: list[AnyPath], views: list[int]) -> PosedObject:
        file = place.folder / CAMERAS
        arrays = read_arrays(file, missing="it must hold the cameras of the object")
        images, alpha = read_composited([files[view] for view in views], self.background)
        masks = self._masks(place, files, views, images.shape[1:3])
        if masks is None and alpha is not None:
            masks = alpha[..., None]
        ratio = size_ratio(images, self.size)
        resized = resize_by_area(images, self.size)
        side = focal_of_side_2(arrays, len(files), file)
        focal = 0.5 * side * images.shape[2]
        poses = np.stack([_pose(arrays, view, file) for view in views])
        cameras = integer_center_camera(
            torch.from_numpy(poses).float(),
            resized.shape[2],
            resized.shape[1],
            (focal * ratio[0], focal * ratio[1]),
        )
        if masks is None:
            return self._seen(place, views, resized, cameras, None, None)
        boxes = boxes_of(masks[..., 0] > 0, ratio)
        return self._seen(place, views, resized, cameras, resize_by_area(masks, self.size), boxes)

    def _masks(self, place: Place, files: list[AnyPath], views: list[int], shape: tuple[int, ...]) -> np.ndarray | None:
        folder = place.folder / "mask"
        if not folder.is_dir():
            return None
        masks = image_files(folder)
        if len(masks) != len(files):
            raise InputError(f"{folder} has {len(masks)} masks for {len(files)} images; give one for each, or none.")
        values = read_images([masks[view] for view in views], "L")
        if values.shape[1:3] != tuple(shape):
            raise InputError(
                f"{masks[views[0]]} is {values.shape[2]} x {values.shape[1]} pixels but its image is "
                f"{shape[1]} x {shape[0]}; give masks of the images' size."
            )
        return values


def listed_places(root: Path, name: str) -> list[Place]:
    """The objects that the lists of this name give in all category folders; blank lines and repetitions are nothing.

    Raises:
        InputError: the folder is missing, no category has such a list, or all lists are empty.
    """
    require_folder(root, "data folder")
    lists = [folder / name for folder in listed(root) if os.path.isfile(folder / name)]
    if not lists:
        raise InputError(f"No folder in {root} has a list {name}; each category needs one, with an object a line.")
    places = []
    for file in lists:
        lines = read_text(file, advice="it must hold an object a line").splitlines()
        for entry in dict.fromkeys(line.strip() for line in lines if line.strip()):
            if entry in (".", "..") or "/" in entry or "\\" in entry:
                raise InputError(f"{file} names {entry!r}, which is no folder beside it; correct the line.")
            places.append(Place(file.parent / entry, entry, file.parent.name))
    if not places:
        raise InputError(f"The lists {name} in {root} are all empty; choose another split or fill them.")
    return places


def focal_of_side_2(arrays: dict[str, np.ndarray], count: int, file: AnyPath) -> float:
    """The focal length of all views, for an image that is 2 wide.

    Raises:
        InputError: a matrix is missing, or views or axes differ.
    """
    corners = [matrix_of(arrays, f"camera_mat_{view}", file)[(0, 1), (0, 1)] for view in range(count)]
    values = np.array(corners)
    if np.abs(values - values[0, 0]).max() > _SAME_FOCAL or not values[0, 0] > 0:
        view = int(np.abs(values - values[0, 0]).max(axis=1).argmax())
        raise InputError(
            f"{file}: camera_mat_{view} has focal lengths {values[view].tolist()}, camera_mat_0 "
            f"{values[0].tolist()}; this format has one positive focal length an object."
        )
    return float(values[0, 0])


def _pose(arrays: dict[str, np.ndarray], view: int, file: AnyPath) -> np.ndarray:
    direct, inverse = f"world_mat_inv_{view}", f"world_mat_{view}"
    if direct in arrays:
        return rigid_pose(matrix_of(arrays, direct, file), f"{file}: {direct}")
    pose = rigid_pose(matrix_of(arrays, inverse, file), f"{file}: {inverse}")
    return np.linalg.inv(pose)
