"""The main job: one photo of an object in; its shape, camera and appearance out."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch
from PIL import Image

from ..camera import Camera
from ..devices import device_named
from ..errors import InputError
from ..inputs.download import shown_url
from ..matting import Hints, segment
from ..mesh import Mesh
from ..mesh.texture import to_bytes
from ..methods import create
from ..outputs import atomic_folder, save_picture
from ..progress import work
from ..ranges import LARGEST_SEED, require_range
from ..render.video import write_video
from ..scene import Photo, Reconstruction, SavedResult, View, versions
from ..scene.common_camera import common_camera, in_common_world
from ..scene.masks import read_mask
from ..scene.meshing import MeshingOptions
from ..scene.result_files import RECONSTRUCTED, write_files, write_summary
from .figures import figures_of, front_of
from .hypotheses import write_hypotheses
from .pictures import four_views, overlay, own_turntable, turntable
from .posed_photos import PosedPhotos

OVERLAY, TURNTABLE, SHEET = "overlay.png", "turntable.mp4", "views.jpg"
FPS = 24.0
DEFAULT_METHOD = "lift"
DOING = {  # what is said while a step is taken
    "open": "opening the photo",
    "mask": "finding the object in the photo",
    "shape": "finding the shape",
    "pictures": "drawing the pictures",
    "mesh": "making the mesh",
    "overlay": "drawing the mesh over the photo",
    "turntable": "making the turntable",
    "write": "writing the files",
}


@dataclass(frozen=True)
class ReconstructOptions:
    """What a reconstruction can be asked for.

    Attributes:
        method: name of the method; see `monoform models`.
        matting: how a mask is found where none is given: "auto", "rembg", "network" or "grabcut".
        hints: where the object is, for finding its mask.
        beside: masks of other objects of the same photo: with them its result has a world and a camera that all share.
        focal: focal length in pixels of the original photo; None: from EXIF, else the method's assumption.
        faces: number of triangles of the mesh.
        texture: side of the texture in pixels.
        resolution: cells along the longest side at which the surface is extracted.
        frames: of the turntable; 0 leaves the film out.
        film: what the turntable shows: the "mesh", or the "field" as the method itself draws it, which takes longer.
        seed: of all randomness.
        overrides: options of the method, by name.
        device: where networks compute: "cpu", "cuda", "mps", or "auto".
        measured: whether result.json has the figures by which results of several seeds are ranked.
    """

    method: str = DEFAULT_METHOD
    matting: str = "auto"
    hints: Hints = field(default_factory=Hints)
    beside: tuple[Any, ...] = ()
    focal: float | None = None
    faces: int = 20_000
    texture: int = 1024
    resolution: int = 320
    frames: int = 60
    film: Literal["mesh", "field"] = "mesh"
    seed: int = 0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    measured: bool = False

    def __post_init__(self) -> None:
        require_range("--frames", self.frames, 0, 10_000)
        if self.film not in ("mesh", "field"):
            raise InputError(f"--film is {self.film!r}; choose mesh or field.")
        require_range("--seed", self.seed, 0, LARGEST_SEED)
        object.__setattr__(self, "device", device_named(self.device).type)
        MeshingOptions(faces=self.faces, texture=self.texture, resolution=self.resolution)  # refuses before any work

    @property
    def files(self) -> tuple[object, ...]:
        """What the method's options may name of what is read: a folder that holds it is not replaced."""
        values = self.overrides.values()
        return tuple(each for value in values for each in (value if isinstance(value, tuple | list) else (value,)))


def reconstruct(
    photo: object,
    *,
    mask: object = None,
    method: str = DEFAULT_METHOD,
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
        photo: path, http(s) URL, bytes, PIL image, array (h, w[, 3|4]) or `Photo`; for a method that takes several
            views of one object, `PosedPhotos`.
        mask: the same kinds, white where the object is; None: the photo's alpha, else found by `matting`.
        method: name of the method.
        matting: "auto", "rembg", "network" or "grabcut".
        box: left, top, width and height of a box with the whole object in it, in pixels of the upright photo.
        points: on the object, each across and down in pixels of the upright photo.
        not_points: on what is not the object.
        focal: focal length in pixels of the original photo, where known.
        seed: of all randomness.
        device: where networks compute: "cpu", "cuda", "mps", or "auto", the first of the others that is there.
        overrides: options of the method.

    Raises:
        InputError: the photo, the mask or an option cannot be used; the sentence says why.
    """
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
    photo: object,
    masks: Sequence[object],
    *,
    method: str = DEFAULT_METHOD,
    focal: float | None = None,
    seed: int = 0,
    device: str = "cpu",
    **overrides: Any,
) -> tuple[Reconstruction, ...]:
    """Several objects of one photo, in one world with one camera.

    A photo does not tell how far away its objects are: all of them are taken to be as far from the camera.

    Args:
        photo: path, http(s) URL, bytes, PIL image, or array (h, w[, 3|4]).
        masks: the same kinds, one for each object, white where it is.
        method: name of the method.
        focal: focal length in pixels of the original photo, where known.
        seed: of all randomness.
        device: where networks compute, see `reconstruct`.
        overrides: options of the method.

    Raises:
        InputError: photo, mask or option cannot be used, or the method finds a camera of its own for each object.
    """
    if isinstance(photo, Photo | PosedPhotos):
        raise InputError("Several masks need a photo that has none yet: give its file, bytes, image or array.")
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


def write_result(
    reconstruction: Reconstruction,
    place: Path,
    options: ReconstructOptions,
    timings: Timings,
    asked: Mapping[str, Any],
    finish: Callable[[Path], object] | None = None,
    *,
    meshed: bool = True,
    around: Camera | None = None,
    seen_by: Camera | None = None,
    notices: Sequence[str] = (),
) -> dict[str, Any]:
    """Write all files of a result folder.

    Args:
        asked: what was asked for, see `request`.
        finish: called with the folder when all other files are written; there is no page where there is no mesh.
        meshed: whether there is a mesh.
        around: cameras of a film of the field; None: the house's.
        seen_by: the camera of a sample's picture.
        notices: what the user should know, besides what the photo says.

    Returns:
        What result.json holds.

    Raises:
        InputError: it has no surface, or a film of its field is asked for and it has none.
    """
    if options.film == "field" and not reconstruction.draws_itself:
        raise InputError(f"{options.method} gives no radiance field to film: choose --film mesh.")
    mesh = None
    if meshed:
        with timings("mesh"):
            mesh = reconstruction.mesh(faces=options.faces, texture=options.texture, resolution=options.resolution)
    summary = _write(reconstruction, mesh, options, place, timings, around, seen_by) | {"request": dict(asked)}
    summary["notices"] = [*summary["notices"], *notices]
    write_summary(place, summary)
    if finish is not None and meshed:
        with work("writing the page"):
            finish(place)
        write_summary(place, summary)
    return summary


def request(photo: object, mask: object, options: ReconstructOptions) -> dict[str, Any]:
    """What was asked for, as result.json keeps it: a rerun with the same request keeps the result, on any device."""
    shown = [shown_url(each) if isinstance(each, str) else each for each in (photo, mask)]
    asked = {"photo": shown[0], "mask": shown[1]} | asdict(options)
    del asked["device"]
    if not options.measured:  # results of before measured nothing
        del asked["measured"]
    for name in ("hints", "beside"):  # nor had any hints, nor others beside them
        if not getattr(options, name):
            del asked[name]
    return json.loads(json.dumps(asked, default=str))  # tuples become lists, as they are read again


class Timings(dict[str, float]):
    """Seconds by step, in the order in which the steps were taken."""

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        start = time.perf_counter()
        with work(DOING[step]):
            yield
        self[step] = round(self.get(step, 0.0) + time.perf_counter() - start, 3)


def _reconstruct(photo: object, mask: object, options: ReconstructOptions, timings: Timings) -> Reconstruction:
    method = create(options.method, device=options.device, **options.overrides)
    views = _views(photo, mask, options, timings)
    camera = None
    if options.beside:
        (view,) = views
        camera = _shared_camera(view.photo, options, getattr(getattr(method, "config", None), "fov", None))
        views = [View(view.photo, Camera(torch.eye(4)[None], camera.intrinsics, camera.width, camera.height))]
    generator = torch.Generator().manual_seed(options.seed)
    with timings("shape"), torch.inference_mode():
        found = method.reconstruct(views, generator=generator)
    return found if camera is None else in_common_world(found, camera)


def _shared_camera(photo: Photo, options: ReconstructOptions, fov: float | None) -> Camera:
    """The camera of all objects of a photo: every one of them finds the same from their masks."""
    size = photo.width, photo.height
    others = [read_mask(each, size, stored_as=photo.stored_as) for each in options.beside]
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


def _write(
    reconstruction: Reconstruction,
    mesh: Mesh | None,
    options: ReconstructOptions,
    place: Path,
    timings: Timings,
    around: Camera | None,
    seen_by: Camera | None,
) -> dict[str, Any]:
    overlaid = None
    if mesh is not None and reconstruction.can_be_overlaid:
        with timings("overlay"):
            picture, iou = overlay(reconstruction, mesh)
            save_picture(Image.fromarray(to_bytes(picture)), place / OVERLAY, compress_level=1)
            overlaid = {"iou": round(iou, 4)} | front_of(reconstruction, mesh)
    with timings("turntable"):
        if options.frames and options.film == "field":
            film = own_turntable(reconstruction, frames=options.frames, cameras=around)
            write_video(film, place / TURNTABLE, fps=FPS)
        elif options.frames and mesh is not None:
            write_video(turntable(mesh, frames=options.frames), place / TURNTABLE, fps=FPS)
        if mesh is not None:
            save_picture(Image.fromarray(to_bytes(four_views(mesh))), place / SHEET, quality=90)
    with timings("write"):
        summary = write_files(reconstruction, mesh, place, seen_by)
        sizes = {"faces": options.faces, "texture": options.texture, "resolution": options.resolution}
        hypotheses = write_hypotheses(reconstruction, mesh, place, **sizes) if mesh is not None else None
        if hypotheses:
            summary["hypotheses"] = hypotheses
    if options.measured and mesh is not None:
        summary["figures"] = figures_of(reconstruction, mesh)
    return summary | {
        "monoform": versions()["monoform"],
        "seed": options.seed,
        "device": options.device,
        "overlay": overlaid,
        "timings": dict(timings),
    }
