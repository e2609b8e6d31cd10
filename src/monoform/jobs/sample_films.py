"""Films from one sample to the next, and from the coarse layers of one to all layers of another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from ..camera import Camera
from ..errors import InputError
from ..mesh.texture import to_bytes
from ..methods import Generator, Styles
from ..outputs import is_marked, require_free_file, save_picture
from ..progress import work
from ..ranges import require_range
from ..render.video import write_video
from .sample_pictures import GenerateOptions, cameras_of, seen
from .turntables import FPS

BETWEEN = 24
Frame = Float[np.ndarray, "h w 3"]
Stop = int | Path  # a seed, or the folder of a result


def styles_of(method: Generator, seed: int) -> tuple[Styles, torch.Generator]:
    """The styles of a seed, and the source of what else is random about its sample."""
    drawn = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        return method.styles(method.seeded(seed, drawn)), drawn


def stop_of(method: Generator, stop: Stop) -> Styles:
    """The styles of a seed, or those that made a result.

    Raises:
        InputError: the folder holds none of this generator.
    """
    return styles_of(method, stop)[0] if isinstance(stop, int) else method.styles_of_result(stop)


def write_interpolation(
    method: Generator,
    stops: Sequence[Stop],
    file: Path,
    options: GenerateOptions,
    *,
    between: int = BETWEEN,
    overwrite: bool = False,
) -> Path:
    """A film through the samples of seeds and results, and from the last back to the first.

    Args:
        between: frames from one sample to the next.

    Raises:
        InputError: there are fewer than two, a folder is no result of the generator, or a file is in the way.
    """
    require_range("--between", between, 1, 10_000)
    if len(stops) < 2:
        raise InputError(f"--interpolate goes from sample to sample: give at least two --seeds, not {len(stops)}.")
    require_free_file(file, overwrite=overwrite, is_ours=is_marked)
    there = [stop_of(method, stop) for stop in stops]
    count = between * len(there)

    def at(number: int) -> Styles:
        stop, share = divmod(number, between)
        return there[stop].toward(there[(stop + 1) % len(there)], share / between)

    return write_video(_frames(method, at, count, _seed(stops[0]), options), file, fps=FPS)


def write_mixture(
    method: Generator,
    stops: tuple[Stop, Stop],
    file: Path,
    options: GenerateOptions,
    *,
    between: int = BETWEEN,
    overwrite: bool = False,
) -> tuple[Path, Path]:
    """A film in which the layers of the second replace those of the first, the finest first; and its stations.

    The camera stays that of the first.

    Args:
        between: frames of the film for every layer are a fourth of these.

    Returns:
        The film, and the picture beside it: a sample for each number of layers that were replaced.

    Raises:
        InputError: the generator has no layers, a folder is no result of it, or a file is in the way.
    """
    require_range("--between", between, 1, 10_000)
    picture = file.with_suffix(".png")
    for path in (file, picture):
        require_free_file(path, overwrite=overwrite, is_ours=is_marked)
    one, other = (stop_of(method, stop) for stop in stops)
    one.mixed(other, 0)  # refuses before any work
    layers, steps = len(one.layers), max(1, between // 4)
    stations: list[Frame] = []

    def frames() -> Iterator[Frame]:
        made = _frames(
            method, lambda number: one.mixed(other, number / steps), layers * steps + 1, _seed(stops[0]), options
        )
        for number, frame in enumerate(made):
            if number % steps == 0:
                stations.append(frame)
            yield frame

    write_video(frames(), file, fps=FPS)
    row = np.concatenate(stations, axis=1)
    save_picture(Image.fromarray(to_bytes(row)), picture, marked=True)
    return file, picture


def _seed(stop: Stop) -> int:
    """Of what else is random about the samples of a film."""
    return stop if isinstance(stop, int) else 0


def _frames(
    method: Generator, at: Callable[[int], Styles], count: int, seed: int, options: GenerateOptions
) -> Iterator[Frame]:
    """The sample of each frame, seen by its camera; an orbit goes once around meanwhile."""
    around = method.studio.orbit(count) if options.cameras == "orbit" else None
    with work("making the film", count, unit="frame") as show:
        for number in range(count):
            with torch.inference_mode():
                styles = at(number)
                sample = method.of_styles(styles, generator=torch.Generator().manual_seed(seed))
                camera: Camera = around[number] if around else cameras_of(method, styles, options.cameras, 1)
            yield seen(sample, camera, options).rgb
            show(number + 1)
