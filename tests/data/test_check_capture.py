"""`prepare check` of captures: what there is, or the first thing that is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.command_line import monoform
from tests.data.capture_cases import (
    orbit_cameras,
    surface_points,
    write_blender,
    write_colmap,
    write_llff,
    write_transforms,
)

from monoform import InputError
from monoform.data.captures.check import check_capture


def test_every_layout_is_told_in_a_sentence(tmp_path):
    cameras = orbit_cameras()
    write_transforms(tmp_path / "transforms", cameras)
    write_blender(tmp_path / "blender", cameras)
    write_llff(tmp_path / "llff", cameras, np.tile([1.5, 2.5], (9, 1)))
    write_colmap(tmp_path / "colmap", cameras, surface_points(), binary=True)
    for layout in ("transforms", "blender", "colmap", "llff"):
        told = check_capture(tmp_path / layout, layout, quick=layout == "blender") if layout != "llff" else ""
        assert layout == "llff" or told.startswith(f"{layout}: 9 photos of 24 x 20 pixels (")
    done = monoform("prepare", "check", "--data", tmp_path / "colmap")
    assert done.returncode == 0 and "400 points. The content lies within 0.45" in done.stdout, done.stderr


def test_cameras_with_other_axes_are_noticed(tmp_path):
    write_transforms(tmp_path, orbit_cameras())
    content = json.loads((tmp_path / "transforms.json").read_text())
    for frame in content["frames"]:  # z forward instead of backward
        frame["transform_matrix"] = (np.array(frame["transform_matrix"]) * [1, -1, -1, 1]).tolist()
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"cameras|common place"):
        check_capture(tmp_path, "transforms")


def test_a_damaged_photo_is_found_unless_it_is_quick(tmp_path):
    write_transforms(tmp_path, orbit_cameras())
    file = tmp_path / "images" / "04.png"
    file.write_bytes(file.read_bytes()[:120])
    with pytest.raises(InputError, match=r"04\.png is damaged"):
        check_capture(tmp_path, "transforms")
    assert check_capture(tmp_path, "transforms", quick=True)
