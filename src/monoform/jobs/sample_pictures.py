"""Pictures of a generator's sample from its own cameras, what they are made of, and many samples on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ..camera import Camera
from ..errors import InputError
from ..inputs import read_pixels
from ..mesh.texture import to_bytes
from ..methods import Generator, Styles
from ..methods.samples import Studio
from ..outputs import save_picture
from ..ranges import require_range
from ..render.camera_render import CameraRender, camera_colors
from ..render.map_pictures import depth_picture, normals_picture
from ..render.mesh import render_mesh
from ..render.video import drawn, write_video
from ..scene import Reconstruction
from ..scene.result_files import CAMERA, write_json
from .reconstruct_options import ReconstructOptions
from .turntables import FPS

IMAGE, RAW, WOBBLE = "image.png", "image_raw.png", "wobble.mp4"
DEPTH, DEPTH_PICTURE, NORMALS = "depth.npy", "depth.png", "normals.png"
SHEET_SIDE, WIDEST = 256, 4096  # pixels of one picture at most, of the whole sheet
Cameras = Literal["auto", "predicted", "fixed", "orbit"]


@dataclass(frozen=True)
class GenerateOptions(ReconstructOptions):
    """What a sample can be asked for, besides what every result can.

    Attributes:
        cameras: from where a sample is seen: as the method "predicted" it for the sample, from a "fixed" place, or in
            an "orbit" of `views`; "auto": predicted where the method predicts, else fixed.
        views: pictures of an orbit.
        wobble: frames of the film from a camera that moves a little around the picture's; 0 leaves it out.
        meshed: whether each sample gets its mesh.
    """

    cameras: Cameras = "auto"
    views: int = 8
    wobble: int = 24
    meshed: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("--views", self.views, 1, 10_000)
        require_range("--wobble", self.wobble, 0, 10_000)


def cameras_of(method: Generator, styles: Styles, wanted: Cameras, views: int) -> Camera:
    """The cameras that see a sample: one, or those of an orbit.

    Raises:
        InputError: predicted ones are asked for, and the method predicts none.
    """
    if wanted == "orbit":
        return method.studio.orbit(views)
    predicted = None if wanted == "fixed" else method.predicted_camera(styles)
    if predicted is None and wanted == "predicted":
        raise InputError(f"{method.card.name} predicts no cameras: choose --cameras fixed or orbit.")
    return method.studio.fixed() if predicted is None else predicted


def seen(sample: Reconstruction, camera: Camera, options: ReconstructOptions) -> CameraRender:
    """One picture of a sample, as the method itself draws it, else of its mesh."""
    if sample.draws_itself:
        return sample.render(camera, what="field")
    mesh = sample.mesh(faces=options.faces, texture=options.texture, resolution=options.resolution)
    return render_mesh(mesh, camera, shading="lit", samples=2)


def write_pictures(
    sample: Reconstruction, studio: Studio, cameras: Camera, place: Path, options: GenerateOptions
) -> list[str]:
    """Write the pictures of a sample, each with its camera, and the film of a camera that moves a little.

    Of the first camera there are also depth, normals, and the picture of the rays where the method's is made of it.

    Returns:
        Names of the pictures, in the order of the cameras.
    """
    names = [IMAGE] if len(cameras) == 1 else [f"image_{number:03d}.png" for number in range(len(cameras))]
    for number, (name, camera) in enumerate(zip(names, cameras, strict=True)):
        shot = seen(sample, camera, options)
        save_picture(Image.fromarray(to_bytes(shot.rgb)), place / name)
        file = CAMERA if len(cameras) == 1 else f"camera_{number:03d}.json"
        write_json(place / file, camera.to_dict())
        if number == 0:
            _write_geometry(shot, place)
    if studio.raw_size and sample.renderer is not None:
        raw = cameras[0].resized(studio.raw_size, studio.raw_size)
        rgb = camera_colors(sample.renderer, raw).rgb.reshape(raw.height, raw.width, 3)
        save_picture(Image.fromarray(to_bytes(rgb.float().cpu().numpy())), place / RAW)
    if options.wobble:
        way = studio.wobble(options.wobble, cameras[0])
        film = drawn(lambda camera: seen(sample, camera, options).rgb, way, "filming the sample")
        write_video(film, place / WOBBLE, fps=FPS)
    return names


def _write_geometry(shot: CameraRender, place: Path) -> None:
    """Depth as numbers (float32, inf where nothing is) and as a picture; normals as one."""
    hit = np.isfinite(shot.depth) & shot.mask
    depth = np.where(hit, shot.depth, np.inf)
    np.save(place / DEPTH, depth.astype(np.float32))
    save_picture(Image.fromarray(to_bytes(depth_picture(depth))), place / DEPTH_PICTURE)
    save_picture(Image.fromarray(to_bytes(normals_picture(shot.normal, hit))), place / NORMALS)


def sheet(pictures: Sequence[Path]) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures of samples as one picture, row by row, about as many rows as columns, none larger than it is."""
    columns = math.ceil(math.sqrt(len(pictures)))
    most = max(16, min(SHEET_SIDE, WIDEST // columns))
    images = [_thumbnail(picture, most) for picture in pictures]
    side = max(max(image.size) for image in images)
    rows = math.ceil(len(pictures) / columns)
    whole = np.full((rows * side, columns * side, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = side * (number // columns), side * (number % columns)
        whole[top : top + image.height, left : left + image.width] = np.asarray(image)
    return whole


def _thumbnail(picture: Path, most: int) -> Image.Image:
    image = Image.fromarray(read_pixels(picture, "RGB"))
    image.thumbnail((most, most), Image.Resampling.LANCZOS)
    return image
