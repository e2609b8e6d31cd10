"""Films: what was written can be read back by a decoder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image

from monoform import InputError
from monoform.render.video import write_video


def frames(count: int, width: int = 64, height: int = 48) -> Iterator[np.ndarray]:
    for index in range(count):
        frame = np.zeros((height, width, 3), np.float32)
        frame[:, : width // 2] = (index / max(count - 1, 1), 0.2, 0.1)
        frame[:, width // 2 :] = (0.1, 0.3, 1.0)
        yield frame


def decoded(path: Path) -> tuple[dict, np.ndarray]:
    reader = imageio_ffmpeg.read_frames(str(path))
    meta = next(reader)
    width, height = meta["size"]
    return meta, np.stack([np.frombuffer(data, np.uint8).reshape(height, width, 3) for data in reader])


def test_mp4_holds_the_frames_in_order(tmp_path: Path) -> None:
    path = write_video(frames(12), tmp_path / "a.mp4", fps=24)
    meta, pictures = decoded(path)
    assert meta["codec"] == "h264" and meta["pix_fmt"].startswith("yuv420p") and meta["fps"] == 24
    assert pictures.shape == (12, 48, 64, 3)
    left = pictures[:, 24, 12, 0] / 255
    np.testing.assert_allclose(left, np.linspace(0, 1, 12), atol=0.06)
    np.testing.assert_allclose(pictures[:, 24, 52] / 255, np.tile([0.1, 0.3, 1.0], (12, 1)), atol=0.06)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]


def test_odd_sizes_become_even(tmp_path: Path) -> None:
    _, pictures = decoded(write_video(frames(3, 33, 21), tmp_path / "a.mp4"))
    assert pictures.shape == (3, 22, 34, 3)


def test_bytes_and_floats_give_the_same_film(tmp_path: Path) -> None:
    floats = write_video(frames(4), tmp_path / "a.mp4").read_bytes()
    rounded = (np.rint(frame * 255).astype(np.uint8) for frame in frames(4))
    assert write_video(rounded, tmp_path / "b.mp4").read_bytes() == floats


def test_quality_changes_the_size(tmp_path: Path) -> None:
    noise = [np.random.default_rng(i).random((48, 64, 3)).astype(np.float32) for i in range(5)]
    low = write_video(noise, tmp_path / "low.mp4", quality=1).stat().st_size
    assert write_video(noise, tmp_path / "high.mp4", quality=10).stat().st_size > 2 * low


def test_gif_loops_with_all_frames(tmp_path: Path) -> None:
    with Image.open(write_video(frames(7), tmp_path / "a.gif", fps=10)) as picture:
        assert picture.n_frames == 7 and picture.info["loop"] == 0 and picture.info["duration"] == 100
        assert picture.size == (64, 48)


def test_what_cannot_be_a_film_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frames"):
        write_video([], tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"\.webp or \.apng"):
        write_video(frames(2), tmp_path / "a.avi")
    with pytest.raises(InputError, match="fps=0"):
        write_video(frames(2), tmp_path / "a.mp4", fps=0)
    with pytest.raises(InputError, match="frame 1 has shape"):
        write_video([np.zeros((8, 8, 3)), np.zeros((8, 10, 3))], tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_film_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield from frames(3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(broken(), tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())
