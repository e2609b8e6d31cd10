"""A disk that takes no more: the system's reason, whatever the library that writes makes of it; nothing left."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monoform.data import PackOptions, pack_meshes, procedural_sources
from monoform.data.packs.labels import LabelOptions
from monoform.data.packs.views import ViewOptions
from monoform.errors import WriteError
from monoform.outputs import atomic_file, atomic_stream, save_picture
from monoform.outputs.atomic import Stream
from monoform.render.video import _encoder_error, write_video

FULL = re.escape(os.strerror(errno.ENOSPC))


@pytest.fixture
def full(monkeypatch):
    """Files that Python writes take 100 bytes and no more."""
    write = Stream.write

    def limited(self, data):
        if self.tell() + len(memoryview(data).cast("B")) > 100:
            self.failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise self.failure
        return write(self, data)

    monkeypatch.setattr(Stream, "write", limited)


def picture(kind):
    """Write noise as a picture of a kind."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    return lambda path: save_picture(image, path.with_suffix(kind))


def through(write):
    """Write through a stream."""

    def whole(path):
        with atomic_stream(path) as stream:
            write(stream)

    return whole


@pytest.mark.parametrize(
    "write",
    [
        picture(".png"),
        picture(".jpg"),
        picture(".gif"),
        through(lambda stream: torch.save({"a": torch.zeros(4000)}, stream)),
        through(lambda stream: np.save(stream, np.zeros(4000))),
        through(lambda stream: np.savez(stream, a=np.zeros(4000), b=np.ones(3))),
        through(lambda stream: np.savez_compressed(stream, a=np.random.default_rng(0).random(4000))),
    ],
    ids=["png", "jpg", "gif", "torch", "npy", "npz", "npz compressed"],
)
def test_the_reason_is_told(full, tmp_path, write):
    with pytest.raises(WriteError, match=FULL) as refusal:
        write(tmp_path / "new" / "file.bin")
    assert refusal.value.is_full
    assert list(tmp_path.iterdir()) == []


def test_other_failures_stay_what_they_are(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_stream(tmp_path / "x") as stream:
        stream.write(bytes(1 // 0))
    with pytest.raises(WriteError) as refusal, atomic_file(tmp_path / "x"):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    assert not refusal.value.is_full and os.strerror(errno.EACCES) in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_room_for_arrays_is_reserved_at_once(tmp_path, monkeypatch):
    def refuse(_file, _start, _size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    options = PackOptions(views=ViewOptions(count=1, size=16), labels=LabelOptions(points=8, surface=8, voxels=16))
    with pytest.raises(WriteError, match=f"pack: {FULL}"):
        pack_meshes(procedural_sources(1), tmp_path / "new/pack", options, workers=1)
    assert list(tmp_path.iterdir()) == []


def test_what_the_film_encoder_says():
    assert _encoder_error("av_write: No space left on device\n", 228).errno == errno.ENOSPC
    assert "Unknown thing" in str(_encoder_error("x\nUnknown thing\n", 1))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_film_on_a_full_device(tmp_path, monkeypatch):
    from monoform.render import video

    encode = video._encode
    monkeypatch.setattr(
        video, "_encode", lambda words, frames: encode([*words[:-1], "-f", "h264", "/dev/full"], frames)
    )
    frames = (np.random.default_rng(i).random((256, 256, 3)) for i in range(40))
    with pytest.raises(WriteError, match=FULL):
        write_video(frames, tmp_path / "film.mp4")
    assert list(tmp_path.iterdir()) == []
