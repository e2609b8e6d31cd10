"""A camera that is followed through pictures in order: of files and of a film."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.jobs.test_estimate_pose import CAMERA, painted_mesh

from monoform.camera import Camera, look_at
from monoform.camera.transforms_json import transforms_from_cameras
from monoform.data.capture import open_capture
from monoform.errors import InputError
from monoform.inputs.films import film_pictures
from monoform.jobs import track_poses
from monoform.jobs.estimate_pose import FoundPose, PoseOptions, estimate_pose
from monoform.jobs.pose_scenes import PoseTarget
from monoform.jobs.track_poses import track_to_folder
from monoform.methods import SceneBounds
from monoform.methods.inerf import InerfOptions
from monoform.metrics.pose import rotation_error
from monoform.render import render_mesh
from monoform.render.mesh_rays import MeshRenderer
from monoform.render.video import write_video
from monoform.scene.result_files import read_json

OPTIONS = PoseOptions(method=InerfOptions(starts=1, longest=80, elsewhere=False), frames=2)
WAY = tuple(
    replace(CAMERA, world_from_camera=look_at(torch.tensor([[1.4 * math.sin(angle), 0.5, 1.4 * math.cos(angle)]])))
    for angle in (0.0, 0.12, 0.24)
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of the mesh in a folder, the same as a film, and the true cameras of both."""
    out = tmp_path_factory.mktemp("way")
    (out / "photos").mkdir()
    pictures = [np.rint(render_mesh(painted_mesh(), camera, samples=2).rgb * 255).astype(np.uint8) for camera in WAY]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(out / "photos" / f"{number:05d}.png")
    named = [(f"{number:05d}.png", camera) for number, camera in enumerate(WAY)]
    (out / "photos" / "transforms.json").write_text(json.dumps(transforms_from_cameras(named)))
    write_video(pictures, out / "film.mp4", fps=10, quality=10)
    return out


@pytest.fixture(scope="module")
def scene() -> PoseTarget:
    renderer = MeshRenderer(painted_mesh())
    return PoseTarget(renderer, SceneBounds(radius=0.42), bare=False, start=lambda photo: WAY[0], kind="test")


def off(one: Camera, other: Camera) -> float:
    return math.degrees(float(rotation_error(one.world_from_camera, other.world_from_camera)[0]))


def test_photos_give_a_path_that_is_read_as_a_capture(
    place: Path, scene: PoseTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is sought as any photo is, each further one from the pose of the one before."""
    out, truth = tmp_path / "out", place / "photos" / "transforms.json"
    starts: list[Camera | None] = []

    def noted(photo: str, target: PoseTarget, options: PoseOptions, **more: object) -> FoundPose:
        starts.append(options.start)
        return estimate_pose(photo, target, options, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(track_poses, "estimate_pose", noted)
    told = track_to_folder([str(place / "photos")], out, scene, OPTIONS, truth=truth)
    assert told["pictures"] == told["believed"] == 3 and told["errors"]["median_rotation_degrees"] < 0.5
    for view, camera in zip(open_capture(out).views, WAY, strict=True):
        assert off(view.camera, camera) < 0.5 and view.image.parent == (place / "photos").resolve()
    assert starts[0] is None
    assert all(start is not None and off(start, camera) < 0.5 for start, camera in zip(starts[1:], WAY, strict=False))
    summary = read_json(out / "result.json")
    assert sorted(summary["files"]) == ["result.json", "track.mp4", "track.png", "transforms.json"]
    turned = [each["turned_degrees"] for each in summary["each"]]
    assert turned[0] == 0 and turned[1] == pytest.approx(off(WAY[0], WAY[1]), abs=0.5)


def test_a_film_keeps_its_pictures(place: Path, scene: PoseTarget, tmp_path: Path) -> None:
    assert [picture.shape for picture in film_pictures(place / "film.mp4")] == [(72, 96, 3)] * 3
    out = tmp_path / "out"
    told = track_to_folder([str(place / "film.mp4")], out, scene, replace(OPTIONS, frames=0), every=2)
    assert told["pictures"] == 2 and told["errors"] is None
    views = open_capture(out).views
    assert [view.image for view in views] == [out / "frames" / "00000.png", out / "frames" / "00001.png"]
    assert off(views[1].camera, WAY[2]) < 1.0


def test_what_cannot_be_followed_is_said(place: Path, scene: PoseTarget, tmp_path: Path) -> None:
    (tmp_path / "no.mp4").write_bytes(b"no film")
    Image.new("RGB", (40, 30)).save(tmp_path / "small.png")
    one = str(place / "photos" / "00000.png")
    for photos, sentence in (
        ([str(tmp_path / "no.mp4")], "no film that can be read"),
        ([str(tmp_path / "none.mp4")], "There is no file"),
        ([one, str(place / "film.mp4")], "one film at a time"),
        ([one], "several pictures, not 1"),
        ([one, str(tmp_path / "small.png")], "the camera of a photo of the same size"),
    ):
        with pytest.raises(InputError, match=sentence):
            track_to_folder(photos, tmp_path / "out", scene, OPTIONS)
        assert not (tmp_path / "out").exists()
