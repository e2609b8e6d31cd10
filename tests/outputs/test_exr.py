"""OpenEXR files are what ffmpeg reads them as."""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from monoform.outputs.exr import save_exr


def test_another_program_reads_the_same_numbers(tmp_path: Path):
    depth = np.random.default_rng(0).uniform(0, 0.99, (9, 14)).astype(np.float32)
    save_exr(depth, tmp_path / "depth.exr")
    program = imageio_ffmpeg.get_ffmpeg_exe()
    words = ["-v", "error", "-i", str(tmp_path / "depth.exr"), "-f", "rawvideo", "-pix_fmt", "grayf32le", "-"]
    done = subprocess.run([program, *words], capture_output=True, check=True)
    assert not done.stderr
    found = np.frombuffer(done.stdout, "<f4").reshape(-1, *depth.shape)
    np.testing.assert_allclose(found[0], depth, atol=1e-6)
