"""monoform film RESULT -o FILE, monoform film PHOTO -o FILE, and monoform film --data DIR -o FILE"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..computing import Computing
from ..errors import InputError
from ..inputs.several import ViewNumbers
from .options import parse

if TYPE_CHECKING:
    from ..data.posed.objects import PosedObject
    from ..methods.pixelnerf.config import PixelNerfConfig


@dataclass(frozen=True)
class Film(Computing):
    """Film a RESULT all around; or with pixelNeRF the object of a PHOTO, or of a data set from given source views.

    RESULT is a folder that reconstruct wrote, whose mesh is filmed, or a trained or converted scene, whose field is.
    Of a PHOTO and of a data set's object the field is filmed, as the network sees it.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """The film, .mp4, .gif, .webp or .apng; of a photo or with --data the source views are written beside it."""
    result: Annotated[tyro.conf.Positional[Path | None], tyro.conf.arg(metavar="RESULT|PHOTO")] = None
    """A result folder or a scene, or a photo; none with --data."""
    data: Path | None = None
    """A data set in one of the published layouts; see `monoform prepare check`."""
    weights: str | None = None
    """Of a photo or with --data: folder that `monoform convert` or `monoform train pixelnerf` wrote, or
    hub:OWNER/NAME; cars: the weights of cars that ship. Default: the small weights that ship."""
    mask: Path | None = None
    """Of a photo: its mask, white where the object is. Default: its alpha, else the mask is found."""
    object: str = "0"
    """Number of the object in sorted order, or its name, or CATEGORY/NAME."""
    sources: ViewNumbers = (64,)
    """Source views, for instance 64 104; -1 is one at random."""
    split: Literal["train", "val", "test"] = "test"
    """Of the data set."""
    format: Literal["auto", "srn", "dvr", "dtu", "two_object", "captures"] = "auto"
    """Of the data set; auto tells it by its files."""
    unseen: bool = False
    """For dvr: the lists of the unseen categories."""
    path: Literal["circle", "scan"] = "circle"
    """circle: around the object; scan: the published way before a scene of DTU."""
    frames: int = 40
    """Frames of the circle; a scan has 6 for every 5 of them."""
    elevation: float = -10.0
    """Of the circle, degrees; negative is from above."""
    radius: float = 0.0
    """Of the circle, in the data set's units; 0: the middle of its bounds."""
    scale: float = 1.0
    """Of a photo or with --data: size of the frames, of the source views'."""
    size: int = 384
    """Of a RESULT: side of the frames in pixels."""
    camera_path: Path | None = None
    """Of a RESULT: JSON file with the cameras of the film, in place of --frames, --size and --elevation."""
    fps: float = 30.0
    """Frames in a second."""
    depth: bool = False
    """Of a photo or with --data: write a film of the depths beside it, NAME_depth."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the networks."""
    seed: int = 0
    """Seed of all randomness."""
    overwrite: bool = False
    """Replace a file of this name that film did not write."""


def read(words: list[str]) -> Film:
    """The options."""
    asked = parse(Film, "film", words)
    if (asked.result is None) == (asked.data is None):
        raise InputError("film needs either RESULT, a folder that monoform has written, or a PHOTO, or --data.")
    photo = asked.result is not None and not asked.result.is_dir()
    if asked.weights is not None and asked.data is None and not photo:
        raise InputError("--weights are those of pixelNeRF: give a photo or --data, the objects that it sees.")
    if asked.depth and asked.data is None and not photo:
        raise InputError("--depth is of the field that pixelNeRF sees: give a photo or --data, or leave it out.")
    if asked.mask is not None and not photo:
        raise InputError("--mask is that of a photo: give the photo, or leave it out.")
    if asked.camera_path is not None and (asked.result is None or asked.result.is_file()):
        raise InputError("--camera-path is for films of a RESULT: give its folder, or leave it out.")
    return asked


def run(words: list[str]) -> int:
    """Film, and say where the film is."""
    asked = read(words)
    from ..render.video import video_suffix
    from .main import begin

    device = begin(asked)
    video_suffix(asked.out)  # refuses other names before anything is rendered
    if asked.result is None or asked.result.is_file():
        return _of_pixelnerf(asked, device)
    return _of_result(asked, asked.result, device)


def _of_result(asked: Film, folder: Path, device: str) -> int:
    from ..jobs.films import TurntableOptions, film_folder
    from ..outputs import is_marked, require_free_file

    elevation = -math.radians(asked.elevation)
    options = TurntableOptions(asked.frames, asked.size, elevation, asked.fps, asked.camera_path)
    require_free_file(asked.out, overwrite=asked.overwrite, is_ours=is_marked)
    print(film_folder(folder, asked.out, options, device=device))
    return 0


def _of_pixelnerf(asked: Film, device: str) -> int:
    from ..methods.pixelnerf.config import PixelNerfConfig
    from ..methods.pixelnerf.fast import FastOptions
    from ..methods.pixelnerf.film import FilmOptions, depth_beside, sources_beside, write_film
    from ..methods.pixelnerf.infer import weights_folder
    from ..methods.pixelnerf.model import PixelNerfNet
    from ..outputs import is_marked, require_free_file
    from ..training import load_pretrained

    options = FilmOptions(
        path=asked.path,
        frames=asked.frames,
        elevation=math.radians(asked.elevation),
        radius=asked.radius,
        scale=asked.scale,
        fps=asked.fps,
        depth=asked.depth,
        seed=asked.seed,
        render=FastOptions(precision=asked.precision),
    )
    beside = (sources_beside(asked.out), *((depth_beside(asked.out),) if asked.depth else ()))
    for file in (asked.out, *beside):
        require_free_file(file, overwrite=asked.overwrite, is_ours=is_marked)
    net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, weights_folder(asked.weights or ""), device=device)
    source, told = _photo(asked, config) if asked.data is None else _object(asked, config)
    print(f"{write_film(net, source, asked.out, options)}: {told}")
    return 0


def _photo(asked: Film, config: PixelNerfConfig) -> tuple[PosedObject, str]:
    """The object of a photo, and what is told of it."""
    from ..matting import segment
    from ..methods.pixelnerf.film import photo_object
    from ..scene import Photo

    photo = Photo.open(asked.result, mask=asked.mask)
    return photo_object(segment(photo, device=asked.device), config), "the photo is its source view"


def _object(asked: Film, config: PixelNerfConfig) -> tuple[PosedObject, str]:
    """An object of a data set, and what is told of it."""
    import torch

    from ..data.posed.open import open_posed
    from ..methods.pixelnerf.evaluate import NewViewOptions

    assert asked.data is not None
    domain = config.domain
    objects = open_posed(
        asked.data,
        asked.split,
        format=asked.format,
        unseen=asked.unseen,
        size=domain.size,
        radius=domain.world_radius,
    )
    which = int(asked.object) if asked.object.isdigit() and int(asked.object) < len(objects) else asked.object
    generator = torch.Generator().manual_seed(asked.seed)
    views = NewViewOptions(sources=asked.sources).sources_of(asked.object, objects.view_count(which), generator)
    return objects.load(which, views), f"source views {views}"
