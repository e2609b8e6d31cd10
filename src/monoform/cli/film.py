"""monoform film RESULT -o FILE, and monoform film --data DIR --weights W -o FILE"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ..computing import Computing
from ..errors import InputError
from ..inputs.several import ViewNumbers
from .options import parse


@dataclass(frozen=True)
class Film(Computing):
    """Film a RESULT all around; or an object of a posed data set, from given source views, with pixelNeRF.

    RESULT is a folder that reconstruct wrote, whose mesh is filmed, or a trained or converted scene, whose field is.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")]
    """The film, .mp4 or .gif; with --data its source views are written beside it."""
    result: tyro.conf.Positional[Path | None] = None
    """A result folder or a scene; none with --data."""
    data: Path | None = None
    """A data set in one of the published layouts; see `monoform prepare check`."""
    weights: str | None = None
    """With --data: folder that `monoform convert` or `monoform train pixelnerf` wrote, or OWNER/NAME on the hub."""
    object: str = "0"
    """Number of the object in sorted order, or its name, or CATEGORY/NAME."""
    sources: ViewNumbers = (64,)
    """Source views, for instance 64 104; -1 is one at random."""
    split: Literal["train", "val", "test"] = "test"
    """Of the data set."""
    format: Literal["auto", "srn", "dvr", "dtu", "two_object"] = "auto"
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
    """With --data: size of the frames, of the source views'."""
    size: int = 384
    """Of a RESULT: side of the frames in pixels."""
    fps: float = 30.0
    """Frames in a second."""
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
        raise InputError("film needs either RESULT, a folder that monoform has written, or --data with --weights.")
    if (asked.weights is None) != (asked.data is None):
        raise InputError("--data and --weights belong together: the data set, and the network that sees its objects.")
    return asked


def run(words: list[str]) -> int:
    """Film, and say where the film is."""
    asked = read(words)
    from .main import begin

    device = begin(asked)
    return _of_data(asked, device) if asked.result is None else _of_result(asked, asked.result, device)


def _of_result(asked: Film, folder: Path, device: str) -> int:
    from ..jobs.films import TurntableOptions, film_folder
    from ..outputs import is_marked, require_free_file

    elevation = -math.radians(asked.elevation)
    options = TurntableOptions(frames=asked.frames, size=asked.size, elevation=elevation, fps=asked.fps)
    require_free_file(asked.out, overwrite=asked.overwrite, is_ours=is_marked)
    print(film_folder(folder, asked.out, options, device=device))
    return 0


def _of_data(asked: Film, device: str) -> int:
    import torch

    from ..data.posed.open import open_posed
    from ..methods.pixelnerf.config import PixelNerfConfig
    from ..methods.pixelnerf.evaluate import NewViewOptions
    from ..methods.pixelnerf.fast import FastOptions
    from ..methods.pixelnerf.film import FilmOptions, sources_beside, write_film
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
        seed=asked.seed,
        render=FastOptions(precision=asked.precision),
    )
    for file in (asked.out, sources_beside(asked.out)):
        require_free_file(file, overwrite=asked.overwrite, is_ours=is_marked)
    assert asked.data is not None and asked.weights is not None
    net, config = load_pretrained(PixelNerfNet, PixelNerfConfig, asked.weights, device=device)
    size = config.domain.size
    objects = open_posed(asked.data, asked.split, format=asked.format, unseen=asked.unseen, size=size)
    which = int(asked.object) if asked.object.isdigit() and int(asked.object) < len(objects) else asked.object
    generator = torch.Generator().manual_seed(asked.seed)
    wanted = NewViewOptions(sources=asked.sources)
    views = wanted.sources_of(asked.object, objects.view_count(which), generator)
    print(f"{write_film(net, objects.load(which, views), asked.out, options)}: source views {views}")
    return 0
