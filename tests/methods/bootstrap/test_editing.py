"""Appearance apart from shape: another object's palette, single colors, and films between results."""

from __future__ import annotations

from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from tests.command_line import monoform
from tests.methods.bootstrap.test_result_files import result
from tests.methods.bootstrap.test_use import camera_for, method_of, shown
from tests.methods.bootstrap.tiny_bootstrap import config_of

from monoform import InputError, View
from monoform.jobs.generate import stops_in
from monoform.methods.bootstrap.infer import Bootstrap
from monoform.methods.bootstrap.maps import ObjectMaps, maps_of

CAMERA = camera_for("perspective")


def sample(method: Bootstrap, seed: int) -> ObjectMaps:
    latent = method.latent(torch.Generator().manual_seed(seed))
    return maps_of(method.generate(latent, generator=torch.Generator()), CAMERA)


def test_the_palette_of_another_seed_leaves_the_shape(tmp_path: Path) -> None:
    plain = method_of(tmp_path, config_of())
    own, other = sample(plain, 1), sample(plain, 2)
    mixed = sample(method_of(tmp_path / "mixed", config_of(), appearance="2"), 1)
    np.testing.assert_array_equal(mixed.alpha, own.alpha)
    np.testing.assert_array_equal(mixed.palette, own.palette)
    np.testing.assert_array_equal(mixed.colors, other.colors)
    assert abs(mixed.rgb - own.rgb).max() > 0.02
    finest = sample(method_of(tmp_path / "finest", config_of(), appearance="2", appearance_layers=3), 1)
    assert abs(finest.palette - own.palette).max() > 1e-4, "layers of the planes, too"


def test_colors_are_replaced_by_number(tmp_path: Path) -> None:
    own = sample(method_of(tmp_path, config_of()), 1)
    red = sample(method_of(tmp_path / "red", config_of(), recolor=("1:ff0000",)), 1)
    np.testing.assert_array_equal(red.colors, [own.colors[0], (1, 0, 0), own.colors[2]])
    np.testing.assert_array_equal(red.alpha, own.alpha)
    change = red.palette[..., 1:2] * (np.array([1.0, 0, 0]) - own.colors[1])
    np.testing.assert_allclose(red.rgb - own.rgb, change, atol=1e-3)


def test_a_photo_s_object_gets_other_colors_and_its_mesh_too(tmp_path: Path) -> None:
    green = ("0:00ff00", "1:00ff00", "2:00ff00")
    method, photo = shown(method_of(tmp_path, config_of(), refine=0, recolor=green), CAMERA)
    made = method.reconstruct([View(photo, CAMERA)], generator=torch.Generator().manual_seed(0))
    texture = made.mesh(faces=500, texture=64, resolution=32).texture
    assert texture is not None and abs(texture.astype(float) - (0, 255, 0)).max() < 3


def test_what_has_no_such_colors_is_said(tmp_path: Path) -> None:
    for words, said in (
        ({"recolor": ("red",)}, "recolor is 'red'; give NUMBER:RRGGBB"),
        ({"recolor": ("3:ff0000",)}, "names color 3, but this generator has the colors 0 to 2"),
        ({"appearance": "2", "appearance_layers": 64}, "appearance_layers is 64; give 1 to"),
        ({"appearance": str(tmp_path / "nothing")}, "is no result of bootstrap"),
    ):
        with pytest.raises(InputError, match=said):
            method_of(tmp_path / "bad", config_of(), **words)


def test_films_go_between_results(tmp_path: Path) -> None:
    method = method_of(tmp_path, config_of(), refine=0)
    folder = str(result(method, tmp_path / "car"))
    assert stops_in(["0-1", folder]) == [0, 1, Path(folder)]
    words = ("generate", "--weights", tmp_path / "generator", "-o", tmp_path / "films", "--between", "4")
    assert monoform(*words, "--interpolate", "--seeds", "3", folder).returncode == 0
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "films" / "interpolation.mp4"))
    width, height = next(reader)["size"]
    frames = [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]
    assert len(frames) == 8
    assert abs(frames[0].astype(float) - frames[4]).mean() < 2, "the photo shows the object of this very seed"
    assert monoform(*words, "--mix", "5", folder).returncode == 0
    assert (tmp_path / "films" / "mix_0005_car.png").is_file()
    refused = monoform(*words, "--mix", "5", tmp_path / "generator")
    assert refused.returncode == 2 and "is no result of bootstrap" in refused.stderr
