"""Pictures, matrices and boxes of posed images, read with one sentence for every broken file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from ...errors import InputError
from ...inputs import listed, read_pixels, read_text, require_regular_file
from ...inputs.listing import PICTURE_SUFFIXES
from ...inputs.remote import AnyPath
from ...scene.silhouette import mask_box

_RIGID = 1e-3


def image_files(folder: AnyPath) -> list[AnyPath]:
    """The PNG and JPEG files of a folder, sorted by name; what systems leave there is no image.

    Raises:
        InputError: the folder is missing or holds none.
    """
    files = listed(folder, PICTURE_SUFFIXES, what="image folder", advice="put the views there")
    if not files:
        raise InputError(f"{folder} holds no PNG or JPEG image; put the views there.")
    return files


def read_images(files: Sequence[AnyPath], mode: Literal["RGB", "RGBA", "L"]) -> Float[np.ndarray, "v h w c"]:
    """Images of one object, 0..1.

    Raises:
        InputError: one cannot be read, or differs in size from the first.
    """
    images = [_pixels(file, mode) for file in files]
    for file, image in zip(files, images, strict=True):
        if image.shape != images[0].shape:
            raise InputError(
                f"{file} is {_size(image)} pixels but {files[0].name} is {_size(images[0])}; "
                "make all images of an object the same size."
            )
    stack = np.stack(images).astype(np.float32) / np.float32(255)
    return stack if stack.ndim == 4 else stack[..., None]


def _pixels(file: AnyPath, mode: Literal["RGB", "RGBA", "L"]) -> UInt8[np.ndarray, "h w *c"]:
    require_regular_file(file, advice="copy it again")
    try:
        return read_pixels(file, mode)
    except InputError as error:
        raise InputError(f"{str(error).rstrip('.')}; copy or render it again.") from error


def read_composited(
    files: Sequence[AnyPath], background: float
) -> tuple[Float[np.ndarray, "v h w 3"], Float[np.ndarray, "v h w"] | None]:
    """Images of one object over a plain grey 0..1 where they are transparent, and their alpha; None if none is.

    Raises:
        InputError: as `read_images`.
    """
    rgba = read_images(files, "RGBA")
    alpha = rgba[..., 3:]
    if alpha.min() == 1.0:
        return np.ascontiguousarray(rgba[..., :3]), None
    return rgba[..., :3] * alpha + (1.0 - alpha) * np.float32(background), alpha[..., 0]


def resize_by_area(images: Float[np.ndarray, "v h w c"], size: tuple[int, int] | None) -> Float[Tensor, "v H W c"]:
    """Images at (height, width), each pixel the mean of those that it covers; None leaves them as they are."""
    tensor = torch.from_numpy(np.ascontiguousarray(images))
    if size is None or size == tuple(tensor.shape[1:3]):
        return tensor
    return interpolate(tensor.movedim(-1, 1), size=size, mode="area").movedim(1, -1).contiguous()


def size_ratio(images: Float[np.ndarray, "v h w c"], size: tuple[int, int] | None) -> tuple[float, float]:
    """(along x, along y) how many times larger images become at (height, width)."""
    height, width = images.shape[1:3]
    return (1.0, 1.0) if size is None else (size[1] / width, size[0] / height)


def boxes_of(inside: Bool[np.ndarray, "v h w"], ratio: tuple[float, float]) -> Float[Tensor, "v 4"]:
    """(first column, first row, last column, last row), inclusive, times the ratio; the whole image where empty."""
    boxes = []
    for mask in inside:
        left, top, right, bottom = mask_box(mask) if mask.any() else (0, 0, mask.shape[1], mask.shape[0])
        boxes.append([left, top, right - 1, bottom - 1])
    scale = np.array([*ratio, *ratio])
    return torch.from_numpy((np.array(boxes) * scale).astype(np.float32))


def read_numbers(file: AnyPath, what: str) -> list[list[float]]:
    """The numbers of a text file, line by line, blank lines left out.

    Raises:
        InputError: the file is missing, or holds something that is not a finite number.
    """
    text = read_text(file, advice=f"it must hold {what}")
    try:
        lines = [[float(word) for word in line.split()] for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise InputError(f"{file} cannot be read as numbers ({error}); it must hold {what}.") from error
    if not all(np.isfinite(line).all() for line in lines):
        raise InputError(f"{file} holds a number that is not finite; it must hold {what}.")
    return lines


def matrix_of(arrays: dict[str, np.ndarray], name: str, file: AnyPath) -> Float[np.ndarray, "4 4"]:
    """One 4 x 4 (or 3 x 4, then completed) matrix of an npz file.

    Raises:
        InputError: it is missing, has another shape, or a number in it is not finite.
    """
    if name not in arrays:
        raise InputError(f"{file} lacks the array {name}; add one for every view.")
    matrix = arrays[name]
    if matrix.shape == (3, 4) and matrix.dtype.kind in "fiu":
        matrix = np.vstack((matrix, (0.0, 0.0, 0.0, 1.0)))
    if matrix.shape != (4, 4) or matrix.dtype.kind not in "fiu" or not np.isfinite(matrix).all():
        raise InputError(f"{file}: {name} must be a 4 x 4 matrix of finite numbers, its shape is {matrix.shape}.")
    return matrix.astype(np.float64)


def rigid_pose(matrix: np.ndarray, what: str) -> Float[np.ndarray, "4 4"]:
    """The pose, checked: its left block a rotation, its last row 0 0 0 1.

    Raises:
        InputError: it is not; the sentence begins with `what`.
    """
    rotation = matrix[:3, :3]
    unit = float(np.abs(rotation @ rotation.T - np.eye(3)).max()) if np.abs(rotation).max() < 2 else np.inf
    if unit > _RIGID or np.linalg.det(rotation) < 0 or not np.allclose(matrix[3], (0, 0, 0, 1), atol=_RIGID):
        raise InputError(
            f"{what} is not a rigid pose; its left 3 x 3 block must be a rotation and its last row 0 0 0 1."
        )
    return matrix


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"
