"""One object's pictures and cameras in the layouts that the readers of published data sets know.

Written so that `SrnObjects` and `DvrObjects` give the same cameras back, bit for bit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from ...camera import Camera, to_integer_centers, z_up_from_y_up
from ...outputs import atomic_folder, atomic_stream, save_picture
from ..posed.dvr import CAMERAS


def write_srn_object(
    folder: Path, images: UInt8[np.ndarray, "v h w 3"], alpha: Float[np.ndarray, "v h w"], cameras: Camera
) -> None:
    """`rgb`, `pose` and `intrinsics.txt`; the folder appears when it is whole.

    Readers take for foreground what has no channel at 255, so pixels that the object covers in part become 254 at most.
    """
    focal, cx, cy = _shared_intrinsics(cameras)
    poses = z_up_from_y_up(cameras.world_from_camera)
    shown = np.where(alpha[..., None] > 0, np.minimum(images, 254), 255).astype(np.uint8)
    with atomic_folder(folder) as partial:
        (partial / "rgb").mkdir()
        (partial / "pose").mkdir()
        for view, image in enumerate(shown):
            save_picture(Image.fromarray(image), partial / "rgb" / f"{view:06d}.png")
            numbers = " ".join(f"{value:.9g}" for value in poses[view].flatten().tolist())
            (partial / "pose" / f"{view:06d}.txt").write_text(f"{numbers}\n")
        lines = (f"{focal:.9g} {cx:.9g} {cy:.9g} 0.", "0. 0. 0.", "1.", f"{cameras.height} {cameras.width}")
        (partial / "intrinsics.txt").write_text("\n".join(lines) + "\n")


def write_nmr_object(
    folder: Path, images: UInt8[np.ndarray, "v h w 3"], alpha: Float[np.ndarray, "v h w"], cameras: Camera
) -> None:
    """`image`, `mask` and `cameras.npz`; the folder appears when it is whole.

    The layout has no principal point: the cameras' must be at (width / 2, height / 2) with centres at whole numbers.
    """
    focal, cx, cy = _shared_intrinsics(cameras)
    assert (cx, cy) == (cameras.width / 2, cameras.height / 2), "the layout cannot hold another principal point"
    side_2 = np.diag([2 * focal / cameras.width, 2 * focal / cameras.width, 1.0, 1.0])
    arrays: dict[str, np.ndarray] = {}
    for view, pose in enumerate(cameras.world_from_camera.double().numpy()):
        arrays[f"world_mat_inv_{view}"], arrays[f"world_mat_{view}"] = pose, np.linalg.inv(pose)
        arrays[f"camera_mat_{view}"], arrays[f"camera_mat_inv_{view}"] = side_2, np.linalg.inv(side_2)
    with atomic_folder(folder) as partial:
        (partial / "image").mkdir()
        (partial / "mask").mkdir()
        for view, (image, share) in enumerate(zip(images, alpha, strict=True)):
            mask = np.where(share >= 0.5, 255, 0).astype(np.uint8)
            save_picture(Image.fromarray(image), partial / "image" / f"{view:04d}.png")
            save_picture(Image.fromarray(mask), partial / "mask" / f"{view:04d}.png")
        with atomic_stream(partial / CAMERAS) as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]


def _shared_intrinsics(cameras: Camera) -> tuple[float, float, float]:
    """(focal length, principal point with centres at whole numbers) of cameras that share them."""
    matrix = to_integer_centers(cameras.intrinsics.double())
    assert torch.equal(matrix, matrix[:1].expand_as(matrix)) and matrix[0, 0, 0] == matrix[0, 1, 1], "square pixels"
    return float(matrix[0, 0, 0]), float(matrix[0, 0, 2]), float(matrix[0, 1, 2])
