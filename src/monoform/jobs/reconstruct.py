"""The main job: one photo of an object in; its shape, camera and appearance out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..camera import Camera
from ..errors import InputError
from ..matting import Hints, segment
from ..methods import MethodOptions, chosen, create
from ..outputs import atomic_folder
from ..scene import Photo, PictureSource, Reconstruction, SavedResult, View
from ..scene.common_camera import common_camera, in_common_world
from ..scene.masks import read_mask
from ..scene.result_files import RECONSTRUCTED
from .further_photos import FurtherPhotos, reconstruct_together
from .posed_photos import PosedPhotos, masks_of
from .reconstruct_options import DEFAULT_METHOD, ReconstructOptions, request
from .write_result import Timings, write_result


def reconstruct(
    photo: PictureSource | Photo | PosedPhotos | FurtherPhotos,
    *,
    mask: PictureSource | None = None,
    method: str | MethodOptions = DEFAULT_METHOD,
    matting: str = "auto",
    box: Sequence[float] | None = None,
    points: Sequence[Sequence[float]] = (),
    not_points: Sequence[Sequence[float]] = (),
    focal: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    **overrides: Any,
) -> Reconstruction:
    """Shape, camera and appearance of the object in one photo.

    Args:
        photo: path, http(s) URL, bytes, PIL image, array (h, w[, 3|4]), tensor (of this shape or (3|4, h, w)) or
            `Photo`; for a method that takes several views of one object, `PosedPhotos` or `FurtherPhotos`.
        mask: the same kinds, white where the object is; None: the photo's alpha, else found by `matting`.
        method: name of the method, or its options, such as `LiftOptions(refine=0)`.
        matting: "auto", "rembg", "network" or "grabcut".
        box: left, top, width and height of a box with the whole object in it, in pixels of the upright photo.
        points: on the object, each across and down in pixels of the upright photo.
        not_points: on what is not the object.
        focal: focal length in pixels of the original photo, where known.
        seed: of all randomness.
        device: where networks compute: "cpu", "cuda", "mps", or "auto", the first of the others that is there.
        overrides: options of the method, by name.

    Raises:
        InputError: the photo, the mask or an option cannot be used; the sentence says why.
    """
    method, overrides = chosen(method, overrides)
    options = ReconstructOptions(
        method=method,
        matting=matting,
        hints=Hints.given(box, points, not_points),
        focal=focal,
        seed=seed,
        overrides=overrides,
        device=device,
    )
    return _reconstruct(photo, mask, options, Timings())


def reconstruct_each(
    photo: PictureSource | Photo | PosedPhotos,
    masks: Sequence[PictureSource],
    *,
    method: str | MethodOptions = DEFAULT_METHOD,
    focal: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    **overrides: Any,
) -> tuple[Reconstruction, ...]:
    """Several objects of one photo, in one world with one camera.

    A photo does not tell how far away its objects are: all of them are taken to be as far from the camera.

    Args:
        photo: path, http(s) URL, bytes, PIL image, array (h, w[, 3|4]), or tensor of this shape or (3|4, h, w).
        masks: the same kinds, one for each object, white where it is.
        method: name of the method, or its options, such as `LiftOptions(refine=0)`.
        focal: focal length in pixels of the original photo, where known.
        seed: of all randomness.
        device: where networks compute, see `reconstruct`.
        overrides: options of the method, by name.

    Raises:
        InputError: photo, mask or option cannot be used, or the method finds a camera of its own for each object.
    """
    if isinstance(photo, Photo | PosedPhotos):
        raise InputError("Several masks need a photo that has none yet: give its file, bytes, image or array.")
    method, overrides = chosen(method, overrides)
    options = ReconstructOptions(method=method, focal=focal, seed=seed, overrides=overrides, device=device)
    found = []
    for number, mask in enumerate(masks):
        beside = tuple(other for index, other in enumerate(masks) if index != number)
        found.append(_reconstruct(photo, mask, replace(options, beside=beside), Timings()))
    return tuple(found)


def reconstruct_to_folder(
    photo: object,
    folder: str | Path,
    *,
    mask: object = None,
    options: ReconstructOptions | None = None,
    finish: Callable[[Path], object] | None = None,
) -> SavedResult:
    """Reconstruct one photo and write the whole result folder, which appears complete or not at all.

    Args:
        finish: called with the folder when all other files are written, for instance to add a report page.
    """
    options, timings = options or ReconstructOptions(), Timings()
    inputs = (getattr(photo, "path", photo), mask, *options.files)
    with atomic_folder(folder, RECONSTRUCTED, inputs=inputs) as place:
        reconstruction = _reconstruct(photo, mask, options, timings)
        summary = write_result(reconstruction, place, options, timings, request(photo, mask, options), finish)
    return SavedResult(Path(folder), summary)


def _reconstruct(photo: object, mask: object, options: ReconstructOptions, timings: Timings) -> Reconstruction:
    method = create(options.method, device=options.device, **options.overrides)
    views = _views(photo, mask, options, timings)
    camera = None
    if options.beside:
        (view,) = views
        camera = _shared_camera(view.photo, options, getattr(getattr(method, "config", None), "fov", None))
        views = [View(view.photo, Camera(torch.eye(4)[None], camera.intrinsics, camera.width, camera.height))]
    if isinstance(photo, FurtherPhotos):
        (first,) = views
        folder = str(mask) if mask is not None and Path(str(mask)).is_dir() else None
        with timings("shape"), torch.inference_mode():
            return reconstruct_together(
                method,
                first,
                photo,
                masks=folder,
                matting=options.matting,
                device=options.device,
                seed=options.seed,
            )
    generator = torch.Generator().manual_seed(options.seed)
    with timings("shape"), torch.inference_mode():
        found = method.reconstruct(views, generator=generator)
    return found if camera is None else in_common_world(found, camera)


def _shared_camera(photo: Photo, options: ReconstructOptions, fov: float | None) -> Camera:
    """The camera of all objects of a photo: every one of them finds the same from their masks."""
    size = photo.width, photo.height
    others = []
    for each in options.beside:
        with suppress(InputError):  # a mask that cannot be used is told with its own object
            others.append(read_mask(each, size, stored_as=photo.stored_as))
    focal = options.focal or photo.focal
    if focal is None:
        if fov is None:
            raise InputError(f"{options.method} assumes no focal length that several objects could share: add --focal.")
        focal = 0.5 * photo.height / math.tan(0.5 * math.radians(fov))
    known = _known_camera(photo, focal)
    assert known is not None
    return common_camera([mask > 0.5 for mask in (photo.original_mask(), *others)], known.intrinsics[0])


def _views(photo: object, mask: object, options: ReconstructOptions, timings: Timings) -> list[View]:
    if isinstance(photo, PosedPhotos):
        if options.hints:
            raise InputError("A box and points are for one photo: with several views, give masks instead.")
        if mask is not None and not Path(str(mask)).is_dir():
            raise InputError(f"{mask} is no folder: several views need a folder with a mask for each.")
        with timings("open"):
            return photo.open(masks=None if mask is None else str(mask), matting=options.matting, device=options.device)
    with timings("open"):
        if isinstance(photo, FurtherPhotos):
            photo.others()  # refused before anything is computed
            photo = photo.photo
            mask = masks_of([photo], str(mask))[0] if mask is not None and Path(str(mask)).is_dir() else mask
        opened = photo if isinstance(photo, Photo) else Photo.open(photo, mask=mask)
    with timings("mask"):
        masked = segment(opened, backend=options.matting, device=options.device, hints=options.hints)
    return [View(masked, _known_camera(masked, options.focal))]


def _known_camera(photo: Photo, focal: float | None) -> Camera | None:
    """A camera whose intrinsics are known from `focal`, its pose unknown (identity)."""
    if focal is None:
        return None
    if not 0.1 * max(photo.width, photo.height) < focal < 100 * max(photo.width, photo.height):
        raise InputError(f"A focal length of {focal} pixels does not fit a photo of {photo.width} x {photo.height}.")
    intrinsics = torch.tensor([[[focal, 0, photo.width / 2], [0, focal, photo.height / 2], [0, 0, 1]]])
    return Camera(torch.eye(4)[None], intrinsics.float(), photo.width, photo.height)
