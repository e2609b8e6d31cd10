"""The films of a result: what its files show, the way round that the photo has it."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from tests.methods.realfusion.solids import solid
from tests.methods.realfusion.tiny_realfusion import options, view

from monoform.errors import InputError
from monoform.jobs.reconstruct_options import ReconstructOptions
from monoform.jobs.write_result import Timings, write_result
from monoform.methods.realfusion import films as filming
from monoform.methods.realfusion.films import ABOUT, FPS, pictures
from monoform.methods.realfusion.infer import RealFusion
from monoform.scene import Reconstruction
from monoform.scene.result_files import RECONSTRUCTED

SIZE, FRAMES = 32, 4


def film(path: Path) -> np.ndarray:
    """Frames of a film."""
    frames = imageio_ffmpeg.read_frames(path)
    about = next(frames)
    assert about["fps"] == FPS
    width, height = about["size"]
    return np.stack([np.frombuffer(each, np.uint8).reshape(height, width, 3) for each in frames]).astype(int)


def result(*, mirrored: bool, films: int = FRAMES) -> Reconstruction:
    """Of the known ball; nothing is fitted."""
    method = RealFusion(options(films=films, film_size=SIZE))
    method.net = solid(mirrored=mirrored)
    return method.reconstruct([view()], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_films_show_the_world_and_not_its_mirror_image(tmp_path: Path, mirrored: bool) -> None:
    made = result(mirrored=mirrored)
    assert made.own_files is not None
    about = made.own_files(tmp_path, None)
    assert set(about) == {path.name for path in tmp_path.iterdir()} == {f"film_{name}.mp4" for name in ABOUT}
    seen = {name: film(tmp_path / f"film_{name}.mp4") for name in ABOUT}
    assert seen["grid"].shape == (FRAMES, 2 * SIZE, 3 * SIZE, 3) and len(seen["rgb"]) == FRAMES
    covered = seen["opacity"].mean(axis=3) > 128
    middle = [float(np.nonzero(each)[1].mean()) for each in covered]
    assert (
        middle[0] > 0.6 * SIZE and middle[2] < 0.4 * SIZE
    )  # at the right of the photo's camera, at the left of behind
    assert covered[1].sum() > 1.3 * covered[3].sum()  # the second camera stands at the right, where it is near
    front, back = seen["rgb"][0][covered[0]].mean(axis=0), seen["rgb"][2][covered[2]].mean(axis=0)
    assert front[0] > front[2] + 80 and back[2] > back[0] + 80
    normals = seen["normals"]
    assert normals[0][covered[0]][:, 2].mean() > 150 > 100 > normals[2][covered[2]][:, 2].mean()
    assert normals[1][covered[1]][:, 0].mean() > 150 > 100 > normals[3][covered[3]][:, 0].mean()


def test_a_result_folder_has_them_where_they_are_asked_for(tmp_path: Path) -> None:
    asked = ReconstructOptions(method="realfusion", frames=0, texture=64, resolution=32, faces=200)
    names = {}
    for films in (0, 2):
        place = tmp_path / str(films)
        place.mkdir()
        summary = write_result(result(mirrored=False, films=films), place, asked, Timings(), {})
        names[films] = {path.name for path in place.iterdir()}
        assert names[films] <= (RECONSTRUCTED.owned_in(place) or set())
        assert len(summary.get("own_files", {})) == (6 if films else 0)
    assert names[2] - names[0] == {f"film_{name}.mp4" for name in ABOUT}


def test_frames_do_not_gather_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[weakref.ref[np.ndarray]] = []
    alive = []

    def watched(*given: Any, **more: Any) -> dict[str, np.ndarray]:
        found = pictures(*given, **more)
        made.extend(weakref.ref(each) for each in found.values())
        alive.append(sum(each() is not None for each in made))
        return found

    monkeypatch.setattr(filming, "pictures", watched)
    write = result(mirrored=False, films=5).own_files
    assert write is not None and len(write(tmp_path, None)) == len(ABOUT)
    assert len(alive) == 5 and max(alive) <= 2 * len(ABOUT)


def test_numbers_beyond_their_range_are_refused() -> None:
    with pytest.raises(InputError, match="films"):
        options(films=-1)
    with pytest.raises(InputError, match="film_size"):
        options(film_size=4)
