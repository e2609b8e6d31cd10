"""How a result explains its photo, whether it is solid, and like the photo all around."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float
from PIL import Image

from ..camera import Camera
from ..mesh import Mesh
from ..mesh.texture import to_bytes
from ..metrics import psnr
from ..metrics.image import SSIM_WINDOW, ssim_map
from ..progress import work
from ..render import render_mesh
from ..render.camera_render import CameraRender
from ..scene import Photo, Reconstruction, load
from ..scene.photo_camera import working_camera
from .pictures import around

FRONT_LONGEST = 512  # pixels of the photo's longer side, as the mesh's front is compared with it
LONGEST = 128  # pixels of the photo's longer side, as it is compared
VIEWS, SIZE, ELEVATION = 4, 64, math.radians(15)  # of the views in which fog is looked for
NOVEL, NOVEL_SIZE = 8, 224  # views of the mesh, all but the first of a turn of nine, that CLIP sees
PERFECT = 100.0  # dB that stand for equal pictures
SEEN = 0.02  # coverage from which a ray has met something


def figures_of(reconstruction: Reconstruction, mesh: Mesh) -> dict[str, float]:
    """Figures of one result, as the method itself draws it where it does, else of its mesh.

    Returns:
        psnr: in dB, of its picture in the photo's camera against the photo's object, both on white, 128 pixels; where
            there are a photo, its mask and its camera.
        fog: mean entropy of the coverage in bits, over the rays of four views around the object that meet something:
            0 of a solid thing, 1 where each ray is half covered; where it draws itself.
    """
    found = {}
    with work("measuring the result"):
        if reconstruction.can_be_overlaid:
            found["psnr"] = round(min(psnr(*at_photo(reconstruction, mesh, LONGEST)), PERFECT), 3)
        if reconstruction.draws_itself:
            cameras = around(VIEWS, SIZE, ELEVATION)
            alphas = [reconstruction.render(camera, what="field").alpha for camera in cameras]
            found["fog"] = round(fog(np.stack(alphas)), 4)
    return found


def front_of(reconstruction: Reconstruction, mesh: Mesh) -> dict[str, float]:
    """How the front of a mesh looks like its photo, which has mask and camera: inside the mask, the mesh unlit.

    Where the mesh does not reach the mask's pixels they count as white.

    Returns:
        psnr: in dB, 100 at most.
        ssim: of the windows of 7 x 7 pixels around the mask's pixels; what is outside the mask is white in both.
    """
    photo = reconstruction.photo
    assert photo.mask is not None
    seen = render_mesh(mesh, working_camera(reconstruction.camera, photo)).rgb
    size = _size(photo, FRONT_LONGEST)
    ours, true, mask = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (seen, photo.rgb, photo.mask))
    inside = mask > 0.5
    if not inside.any():
        return {}
    ours, true = (np.where(inside[..., None], each, np.float32(1)) for each in (ours, true))
    found = {"psnr": round(min(psnr(ours[inside], true[inside]), PERFECT), 3)}
    if min(size) >= SSIM_WINDOW:
        found["ssim"] = round(float(ssim_map(ours, true)[inside].mean()), 4)
    return found


def fog(coverage: Float[np.ndarray, "*rays"]) -> float:
    """Mean entropy in bits, 0..1, of the coverage 0..1 of the rays that meet something; 1 where none does."""
    met = coverage[coverage > SEEN].astype(np.float64).clip(1e-6, 1 - 1e-6)
    if met.size == 0:
        return 1.0
    return float(-(met * np.log2(met) + (1 - met) * np.log2(1 - met)).mean())


def at_photo(
    reconstruction: Reconstruction, mesh: Mesh, longest: int
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w 3"]]:
    """What the photo's camera sees of a result that has photo, mask and camera, and the photo's object, on white.

    Args:
        longest: pixels of the longer side, at most those of the photo.
    """
    photo = reconstruction.photo
    size = _size(photo, longest)
    camera = working_camera(reconstruction.camera, photo).resized(*size)
    wanted = cv2.resize(on_white(photo), size, interpolation=cv2.INTER_AREA)
    return _drawn(reconstruction, mesh, camera).rgb, wanted


def _size(photo: Photo, longest: int) -> tuple[int, int]:
    """Width and height of the working image, the longer one at most so many pixels."""
    scale = min(1.0, longest / max(photo.size))
    width, height = (max(1, round(side * scale)) for side in photo.size)
    return width, height


def on_white(photo: Photo) -> Float[np.ndarray, "h w 3"]:
    """The object of a photo that has a mask, on white, sRGB 0..1."""
    assert photo.mask is not None
    mask = photo.mask[..., None]
    return (photo.rgb * mask + 1 - mask).astype(np.float32)


def clip_similarity(folder: Path, model: Any) -> float | None:
    """Mean cosine of CLIP's features of a result's mesh, seen from around, and of the photo's object, on white.

    Args:
        folder: of the result.
        model: see `open_clip`.

    Returns:
        It, -1..1; None where there are no photo and mask.
    """
    from ..data.images.fitting import padded  # what only this measure needs
    from ..guidance.clip import picture_features

    result = load(folder)
    if not result.has_photo or result.photo.mask is None:
        return None
    rows, columns = np.nonzero(result.photo.mask > 0.5)
    object_only = on_white(result.photo)[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    cameras = around(NOVEL + 1, NOVEL_SIZE, ELEVATION)
    views = [render_mesh(result.mesh(), cameras[index]).rgb for index in range(1, NOVEL + 1)]
    pictures = [padded(Image.fromarray(to_bytes(each))) for each in (object_only, *views)]
    features = picture_features(model, pictures)
    return round(float((features[1:] @ features[0]).mean()), 4)


def _drawn(reconstruction: Reconstruction, mesh: Mesh, camera: Camera) -> CameraRender:
    if reconstruction.draws_itself:
        return reconstruction.render(camera, what="field", background=(1.0, 1.0, 1.0))
    return render_mesh(mesh, camera, samples=2)
