"""The job: from a photo and a scene's folder to files, and what is measured on the way."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monoform.camera import Camera, look_at
from monoform.camera.transforms_json import transforms_from_cameras
from monoform.data.capture import CaptureView, open_capture
from monoform.errors import InputError
from monoform.jobs.estimate_pose import Disturbance, PoseOptions, estimate_pose, estimate_to_folder, truth_of
from monoform.jobs.estimate_pose_capture import write_extended_capture
from monoform.jobs.estimate_pose_protocol import Protocol, Run, starts_of, summary_of_runs
from monoform.jobs.evaluate_poses import Poses, scene_folders
from monoform.jobs.pose_scenes import PoseTarget, object_photo, open_scene
from monoform.jobs.pose_success import success_shares, success_sheet
from monoform.mesh import Mesh
from monoform.methods import SceneBounds
from monoform.methods.inerf import InerfOptions, PhotometricAdam, euler_start
from monoform.metrics.evaluation import run_protocol
from monoform.render import render_mesh
from monoform.render.mesh_rays import MeshRenderer
from monoform.scene import Photo
from monoform.scene.result_files import read_json

CAMERA = Camera.from_fov(look_at(torch.tensor([[0.5, 0.5, 1.3]])), math.radians(40), 96, 72)
OPTIONS = PoseOptions(method=InerfOptions(starts=1, longest=96), frames=0)


def painted_mesh() -> Mesh:
    """A ball of triangles in waves of colours."""
    rows, columns = np.meshgrid(np.linspace(0.15, np.pi - 0.15, 40), np.linspace(0, 2 * np.pi, 80), indexing="ij")
    x, y, z = np.sin(rows) * np.sin(columns), np.cos(rows), np.sin(rows) * np.cos(columns)
    vertices = np.stack((0.42 * x, 0.3 * y, 0.36 * z), -1).reshape(-1, 3)
    colors = np.stack((np.sin(11 * x + 2 * y), np.cos(9 * y + 4 * z), np.sin(8 * z - 5 * x)), -1).reshape(-1, 3)
    corner = (np.arange(39)[:, None] * 80 + np.arange(79)).reshape(-1)
    faces = np.concatenate(
        (np.stack((corner, corner + 80, corner + 1), 1), np.stack((corner + 1, corner + 80, corner + 81), 1))
    )
    return Mesh(vertices, faces, vertex_colors=(127.5 + 100 * colors).astype(np.uint8))  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three photos of the mesh with a transforms.json."""
    out = tmp_path_factory.mktemp("photos")
    named = []
    for number, angle in enumerate((0.0, 0.3, 0.6)):
        eye = torch.tensor([[1.4 * math.sin(angle), 0.5, 1.4 * math.cos(angle)]])
        camera = replace(CAMERA, world_from_camera=look_at(eye))
        drawn = render_mesh(painted_mesh(), camera, samples=2)
        Image.fromarray(np.rint(drawn.rgb * 255).astype(np.uint8)).save(out / f"{number}.png")
        named.append((f"{number}.png", camera))
    (out / "transforms.json").write_text(json.dumps(transforms_from_cameras(named)))
    return out


@pytest.fixture(scope="module")
def scene(folder: Path) -> PoseTarget:
    views = tuple(
        CaptureView(f"{n}.png", folder / f"{n}.png", "test", truth_of(folder / "transforms.json", f"{n}.png"))
        for n in range(3)
    )
    renderer = MeshRenderer(painted_mesh())
    return PoseTarget(renderer, SceneBounds(radius=0.42), bare=True, start=None, kind="test", views=views)  # fmt: skip


def test_files_of_a_found_pose(folder: Path, scene: PoseTarget, tmp_path: Path) -> None:
    truth = scene.views[1].camera
    options = replace(OPTIONS, start=scene.views[0].camera, frames=4)
    found = estimate_to_folder(str(folder / "1.png"), tmp_path / "1", scene, options, truth=truth)
    assert found.errors["rotation_degrees"] < 1.0 and found.errors["translation_share"] < 0.01
    content = read_json(tmp_path / "1" / "camera.json")
    camera = Camera.from_dict(content)
    torch.testing.assert_close(camera.world_from_camera, found.estimate.camera.world_from_camera.float())
    assert np.array(content["covariance"]).shape == (6, 6)
    summary = read_json(tmp_path / "1" / "result.json")
    assert summary["converged"] and summary["job"] == "pose" and summary["errors"]["rotation_degrees"] < 1.0
    for name in summary["files"]:
        assert (tmp_path / "1" / name).stat().st_size > 100
    overlay = Image.open(tmp_path / "1" / "overlay.png")
    assert overlay.size == (3 * 96, 72)
    # The middle third is what the camera sees: it looks like the photo at the left.
    left, middle = (np.asarray(overlay)[:, part * 96 : part * 96 + 96].astype(float) for part in (0, 1))
    assert np.abs(left - middle).mean() < 6
    assert {"convergence.mp4", "convergence.png", "mask.png"} <= set(summary["files"])


def test_the_same_seed_gives_the_same_bytes(folder: Path, scene: PoseTarget) -> None:
    options = replace(OPTIONS, start=scene.views[0].camera)
    one, two = (estimate_pose(str(folder / "1.png"), scene, options).estimate for _ in range(2))
    assert torch.equal(one.camera.world_from_camera, two.camera.world_from_camera)


def test_disturbances_change_the_photo_and_brightness_is_found(folder: Path, scene: PoseTarget) -> None:
    photo = Photo.open(folder / "1.png")
    for noise in ("gaussian", "s&p", "salt", "pepper", "poisson"):
        changed = Disturbance(noise=noise).applied(photo, 1)
        assert not np.array_equal(changed.rgb, photo.rgb) and 0 <= changed.rgb.min() <= changed.rgb.max() <= 1
        assert np.array_equal(changed.rgba, Disturbance(noise=noise).applied(photo, 1).rgba)
    darker = Disturbance(exposure=0.5).applied(photo, 0).rgb
    np.testing.assert_allclose(darker, 0.5 * photo.rgb, atol=1e-6)
    assert Disturbance(brightness=-0.1).applied(photo, 0).rgb.mean() < photo.rgb.mean() - 0.05
    options = replace(OPTIONS, start=scene.views[0].camera, disturbance=Disturbance("gaussian", 0.03))
    found = estimate_pose(str(folder / "1.png"), scene, options, truth=scene.views[1].camera)
    assert found.errors["rotation_degrees"] < 2.0
    with pytest.raises(InputError, match="--noise"):
        Disturbance(noise="fog")
    with pytest.raises(InputError, match="brightness"):
        Disturbance(brightness=2.0)
    with pytest.raises(InputError, match="--exposure is -1"):
        Disturbance(exposure=-1.0)


def test_focal_lengths_come_from_where_they_are_known(folder: Path, scene: PoseTarget) -> None:
    start = scene.views[0].camera
    given = estimate_pose(str(folder / "1.png"), scene, replace(OPTIONS, start=start, focal=150.0))
    assert float(given.estimate.camera.intrinsics[0, 0, 0]) == pytest.approx(150.0)
    own = estimate_pose(str(folder / "1.png"), scene, replace(OPTIONS, start=start))
    assert float(own.estimate.camera.intrinsics[0, 0, 0]) == pytest.approx(float(start.intrinsics[0, 0, 0]))
    with pytest.raises(InputError, match="focal length of 1"):
        estimate_pose(str(folder / "1.png"), scene, replace(OPTIONS, start=start, focal=1.0))
    with pytest.raises(InputError, match="same size"):
        estimate_pose(str(folder / "1.png"), scene, replace(OPTIONS, start=start.resized(10, 10)))


def test_an_object_on_white_needs_no_matting(folder: Path) -> None:
    photo = object_photo(Photo.open(folder / "0.png"))
    drawn = render_mesh(painted_mesh(), replace(CAMERA, world_from_camera=look_at(torch.tensor([[0.0, 0.5, 1.4]]))))
    assert photo.mask_origin == "white"
    assert ((photo.mask > 0.5) == drawn.mask).mean() > 0.95


def test_truths(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "camera.json").write_text(json.dumps(CAMERA.to_dict()))
    torch.testing.assert_close(truth_of(tmp_path / "camera.json", "any").world_from_camera, CAMERA.world_from_camera)
    with pytest.raises(InputError, match=r"no frame named 9\.png"):
        truth_of(folder / "transforms.json", "9.png")


def test_the_protocol_counts_what_it_should(scene: PoseTarget, tmp_path: Path) -> None:
    protocol = Protocol(photos=2, starts=1, angle=12.0, offset=0.03, relative=True)
    starts = starts_of(scene.views[0], scene, protocol, 0)
    again = starts_of(scene.views[0], scene, protocol, 0)
    assert torch.equal(starts[0].world_from_camera, again[0].world_from_camera)
    few = replace(
        OPTIONS, method=InerfOptions(optimizer="adam", descent=PhotometricAdam(steps=2, rays=32, sampling="random"))
    )
    poses = Poses(scene, protocol, {"lm": OPTIONS, "adam": few})
    summary = run_protocol(poses, tmp_path, {"seed": 0})
    contents = {name: read_json(tmp_path / name / "scores.json") for name in poses.names}
    runs = [Run.of(content) for name, content in contents.items() if name.startswith("lm/")]
    assert len(runs) == 2 and all(run.within(2.0, 0.02) for run in runs)
    assert all(run.start[0] <= 12.0 and run.seconds_to(2.0) <= run.seconds for run in runs)
    content = read_json(tmp_path / "poses.json")
    assert content["summary"]["lm"]["within_2_degrees_and_2_percent"] == 1.0
    assert len(content["runs"]["adam"][0]["path"]) == 3 and "| runs | 2 | 2 |" in summary["told"]
    assert (tmp_path / "poses.md").read_text() in summary["told"]
    assert summary["categories"]["lm"]["within_2_degrees_and_2_percent"] == 1.0
    assert Image.open(tmp_path / "success.png").width == 640
    with pytest.raises(InputError, match="no photos in its split 'train'"):
        Poses(scene, replace(protocol, split="train"), {"lm": OPTIONS})
    with pytest.raises(InputError, match="--starts is 0"):
        Protocol(starts=0)


def test_shares_and_times_of_runs() -> None:
    def run(angle: float, share: float, converged: bool) -> Run:
        path = ((0.0, 20.0, 0.1), (1.0, 1.0, 0.1), (2.0, 9.0, 0.1), (3.0, 1.5, 0.1), (4.0, angle, share))
        return Run("a", (20.0, 0.1), (angle, share), share, converged, (), 4.5, path)

    runs = [run(0.5, 0.01, True), run(1.0, 0.01, False), run(30.0, 0.3, True), run(30.0, 0.3, False)]
    summary = summary_of_runs(runs)
    assert [summary[name] for name in ("both", "within_2_degrees_and_2_percent", "believed")] == [0.5, 0.5, 0.5]
    assert summary["believed_and_right"] == summary["right_and_believed"] == 0.5
    assert runs[0].seconds_to(2.0) == 3.0 and math.isinf(runs[2].seconds_to(2.0))


def test_success_over_steps_and_seconds(tmp_path: Path) -> None:
    """Distances of the way are shares of the camera's distance; success is told in world units."""
    path = ((0.0, 20.0, 0.1), (1.0, 4.0, 0.03), (5.0, 1.0, 0.01))
    run = Run("a", (20.0, 0.1), (1.0, 0.01), 0.02, True, (), 5.0, path, distance=2.0)
    other = replace(run, path=path[:2], end=(4.0, 0.03), translation=0.06)
    at = np.array([0.0, 1.0, 2.0, 9.0])
    shares = success_shares([run, other], at, "steps")
    assert shares.tolist() == [[0, 1, 1, 1], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]]
    assert success_shares([run], np.array([0.5, 4.0, 6.0]), "seconds")[2].tolist() == [0, 0, 1]
    lines = success_sheet({"lm": [run, other]}).splitlines()
    assert lines[0] == "optimizer,step,rotation_below_5_degrees,translation_below_0.05,both"
    assert lines[3] == "lm,2,1.0000,0.5000,0.5000" and len(lines) == 4


def test_fixed_starts_by_angles_of_each_scene(scene: PoseTarget) -> None:
    view, angles = scene.views[0], (10.0, 20.0, -5.0, 0.1)
    protocol = Protocol(euler=(*angles, 1.0, 2.0, 3.0, 0.0), euler_order="llff", photos=1)
    first, second = (starts_of(view, scene, protocol, 0, place) for place in (0, 1))
    true = view.camera.world_from_camera
    phi, theta, psi = (math.radians(value) for value in angles[:3])
    expected = euler_start(true, (phi, theta, psi), 0.1, order="llff")
    assert len(first) == 1 and torch.equal(first[0].world_from_camera, expected)
    assert not torch.equal(first[0].world_from_camera, second[0].world_from_camera)
    poses = Poses({"one": scene, "two": scene}, protocol, {"lm": OPTIONS})
    assert poses.names == ["lm/one_photo_000_start_000", "lm/two_photo_000_start_000"]
    with pytest.raises(InputError, match="--euler has 8 numbers for 1 scenes"):
        Poses(scene, protocol, {"lm": OPTIONS})
    with pytest.raises(InputError, match="--euler has 3 numbers"):
        Protocol(euler=(1.0, 2.0, 3.0))


def test_a_folder_of_scenes_is_all_of_them(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name / "weights").mkdir(parents=True)
        (tmp_path / name / "weights" / "config.json").write_text("{}")
    assert list(scene_folders(tmp_path)) == ["a", "b"]
    assert scene_folders(tmp_path / "a") == {"": tmp_path / "a"}
    assert scene_folders(tmp_path / "none") == {"": tmp_path / "none"}


def test_found_photos_extend_a_capture_that_can_be_read_again(folder: Path, scene: PoseTarget, tmp_path: Path) -> None:
    fewer = replace(scene, views=scene.views[:2])
    count = write_extended_capture(
        tmp_path, fewer, [(folder / "2.png", scene.views[2].camera), (folder / "0.png", CAMERA)]
    )
    capture = open_capture(tmp_path, up="z")
    assert count == 1 and [view.image.name for view in capture.views] == ["0.png", "1.png", "2.png"]
    assert [view.split for view in capture.views] == ["test", "test", "train"]
    for view, expected in zip(capture.views, scene.views, strict=True):
        torch.testing.assert_close(view.camera.world_from_camera, expected.camera.world_from_camera)
        torch.testing.assert_close(view.camera.intrinsics, expected.camera.intrinsics)
    with pytest.raises(InputError, match="no photos of its own"):
        write_extended_capture(tmp_path, replace(scene, views=()), [])


def test_what_is_no_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no scene"):
        open_scene(tmp_path)
