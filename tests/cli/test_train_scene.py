"""`monoform train scene`: a capture in, a scene out that renders held-out photos and opens elsewhere."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
import torch
from tests.command_line import monoform
from tests.data.capture_cases import RADIUS, ball_picture, orbit_cameras, write_transforms

from monoform.camera import Camera, cameras_from_transforms
from monoform.jobs.pose_scenes import open_scene
from monoform.mesh.read import load
from monoform.methods.nerf import load_scene

QUICK = (
    "downscale_factor=1",
    "rays=512",
    "samples=6000",
    "warmup=30",
    "levels=3",
    "log2_hashmap_size=12",
    "finest=32",
    "n_samples=48",
    "mesh=64",
    "film=32",
    "rate=0.03",
    "network_rate=0.01",
)


def run(*words: object) -> CompletedProcess[str]:
    return monoform("train", "scene", *words)


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    root = tmp_path_factory.mktemp("capture")
    write_transforms(root, orbit_cameras(24, width=48, height=40))
    return root


@pytest.fixture(scope="module")
def trained(capture, tmp_path_factory):
    out = tmp_path_factory.mktemp("scene")
    done = run("--data", capture, "-o", out, "--steps", 250, "--set", *QUICK)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("part", [".", "weights"])
def test_photos_can_be_found_in_it(trained, part):
    scene = open_scene(trained / part)  # beside a mesh.glb, which results have too
    assert scene.kind == "nerf" and len(scene.views) == 24


def test_held_out_photos_are_predicted(trained):
    scores = json.loads((trained / "weights" / "held_out.json").read_text())
    assert len(scores["each"]) == 3
    assert scores["mean"]["psnr_content"] > 20 and scores["mean"]["ssim"] > 0.7
    assert "| all | 3 |" in (trained / "weights" / "held_out.md").read_text()
    assert len(list((trained / "weights" / "held_out").glob("*.png"))) == 3
    assert f"psnr {scores['mean']['psnr']:.2f}" in (trained / "weights" / "README.md").read_text()


def test_held_out_photos_are_measured_again(trained, tmp_path):
    done = monoform("evaluate", "nerf", "--scene", trained, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    again = json.loads((tmp_path / "out" / "metrics.json").read_text())
    before = json.loads((trained / "weights" / "held_out.json").read_text())
    assert again["objects"] == 3 and "| all | 3 |" in done.stdout
    for name, value in before["mean"].items():
        assert again["total"][name] == pytest.approx(value, rel=1e-4)
    assert len(list((tmp_path / "out").glob("*/comparison.png"))) == 3


def test_the_scene_opens_with_its_cameras_and_its_field(trained, capture):
    scene = load_scene(trained)
    cameras = orbit_cameras(24, width=48, height=40)
    assert len(scene.views) == 24 and len(scene.of_split("test")) == 3
    for view, camera in zip(scene.views, cameras, strict=True):
        torch.testing.assert_close(view.camera.world_from_camera, camera.world_from_camera)
        assert view.image.is_file() and view.image.is_relative_to(capture)
    inside, outside = scene.field.geometry(torch.tensor([[0.0, 0.0, 0.9 * RADIUS], [0.0, 0.0, 1.2 * RADIUS]]))
    assert inside > 5 * outside
    rgb, alpha = scene.render(cameras[7])
    truth = ball_picture(cameras[7])[..., 3] > 127
    assert float(((alpha > 0.5).numpy() == truth).mean()) > 0.97
    assert rgb.shape == (40, 48, 3) and float(rgb[0, 0].min()) > 0.9, "on white"


def test_rays_are_differentiable_and_repeatable(trained):
    scene = load_scene(trained / "weights")
    origins, directions = (rays[0, 950:970] for rays in orbit_cameras(1, width=48, height=40)[0].rays())
    renderer = scene.renderer()
    origins, directions = origins.clone().requires_grad_(), directions.clone().requires_grad_()
    seen = renderer(origins, directions)
    assert torch.equal(seen.rgb, renderer(origins, directions).rgb)
    gradients = torch.autograd.grad(seen.rgb.sum() + seen.alpha.sum(), (origins, directions))
    assert all(torch.isfinite(gradient).all() and gradient.abs().max() > 0 for gradient in gradients)
    hit = seen.alpha > 0.9
    away = (origins + seen.distance[:, None] * directions).norm(dim=-1)[hit]
    assert hit.any() and torch.allclose(away, torch.tensor(RADIUS), atol=0.08)


def test_mesh_film_and_cameras_open_elsewhere(trained):
    mesh = load(trained / "mesh.glb")
    size = np.linalg.norm(mesh.vertices, axis=1)
    assert abs(np.median(size) - RADIUS) < 0.05 and mesh.texture is not None
    assert (trained / "turntable.mp4").stat().st_size > 1000
    content = json.loads((trained / "weights" / "transforms.json").read_text())
    found = cameras_from_transforms(content)
    assert len(found) == 24 and {frame["split"] for frame in content["frames"]} == {"train", "test"}


def test_training_again_goes_on_and_changes_nothing_that_is_done(trained, capture):
    before = (trained / "weights" / "model.safetensors").read_bytes()
    done = run("--data", capture, "-o", trained, "--steps", 250, "--set", *QUICK)
    assert done.returncode == 0 and "250 of 250" in done.stdout
    assert (trained / "weights" / "model.safetensors").read_bytes() == before


def test_what_it_is_doing_is_said_in_plain_lines(trained, capture, tmp_path):
    """On standard error, where no terminal is: the step, the loss, the time left, and each stage that takes long."""
    words = [word for word in QUICK if not word.startswith("samples")] + ["samples=30000"]
    done = run("--data", capture, "-o", tmp_path, "--steps", 400, "--set", *words)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert any(re.match(r"training: step \d+ of 400", line) for line in lines), lines
    assert any("loss " in line for line in lines) and any("left" in line for line in lines)
    assert "\x1b" not in done.stderr
    assert "400 of 400 steps are done." in done.stdout


def test_the_frequency_network_learns_too(capture, tmp_path):
    words = (
        "config=frequency",
        "rays=128",
        "coarse=12",
        "fine=12",
        "width=32",
        "mesh=0",
        "film=0",
        "downscale_factor=2",
    )
    done = run("--data", capture, "-o", tmp_path, "--steps", 60, "--set", *words, "rate=0.0005")
    assert done.returncode == 0, done.stderr
    scene = load_scene(tmp_path)
    assert scene.net.config.sphere is not None
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [line["scene/loss"] for line in lines if line["kind"] == "train"]
    assert losses[-1] < losses[0]
    assert (tmp_path / "weights" / "held_out.json").is_file() and not (tmp_path / "mesh.glb").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("config=other",), "config is 'other': give hash or frequency"),
        (("background=sky",), "background is 'sky'"),
        (("center=1,2",), "give 3 values"),
        (("rate=0",), "rate is 0.0"),
        (("nonsense=1",), "nonsense"),
        (("config=frequency", "background=learned"), "no learned background"),
        (("center=50,0,0", "radius=0.1"), "No ray of any photo meets"),
        (("layout=colmap",), "COLMAP"),
    ],
)
def test_bad_options_are_one_sentence(capture, tmp_path, words, sentence):
    done = run("--data", capture, "-o", tmp_path / "out", "--steps", 5, "--set", *words)
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "weights").exists()


def test_its_own_photos_tell_how_far_off_poses_are(trained, tmp_path):
    """Kept beside the weights, taken by `pose`, gone when the scene is trained anew or its weights are others."""
    scene = tmp_path / "scene"
    shutil.copytree(trained / "weights", scene)
    done = monoform("prepare", "poses", "--scene", scene, "--photos", 3)
    assert done.returncode == 0, done.stderr
    content = json.loads((scene / "pose_errors.json").read_text())
    assert [pose["split"] for pose in content["poses"]] == ["test"] * 3
    assert f"of poses in it by {content['deviation']:.2f} from now on" in done.stdout and "(test)" in done.stdout
    opened = open_scene(scene)
    assert opened.errors is not None and opened.errors.deviation == pytest.approx(content["deviation"])
    again = monoform("prepare", "poses", "--scene", scene, "--photos", 3, "--split", "train")
    assert again.returncode == 0, again.stderr
    assert {pose["split"] for pose in json.loads((scene / "pose_errors.json").read_text())["poses"]} == {"train"}
    (scene / "pose_errors.json").write_text("{}")
    broken = monoform("prepare", "poses", "--scene", scene)
    assert broken.returncode == 2 and "pose_errors.json" in broken.stderr and "Traceback" not in broken.stderr


def test_a_scene_without_its_photos_tells_nothing_of_poses(trained, tmp_path):
    scene = tmp_path / "scene"
    shutil.copytree(trained / "weights", scene)
    content = json.loads((scene / "transforms.json").read_text())
    for frame in content["frames"]:
        frame["file_path"] = "gone/" + frame["file_path"].rsplit("/", 1)[-1]
    (scene / "transforms.json").write_text(json.dumps(content))
    done = monoform("prepare", "poses", "--scene", scene)
    assert done.returncode == 2 and "0 photos of the scene are where they were" in done.stderr
    assert not (scene / "pose_errors.json").exists()


def test_photos_whose_pose_was_found_train_the_scene_on(trained, capture, tmp_path):
    """Self-supervision as one job: poses of further photos, a larger capture, a scene trained on all of them."""
    scene, photos = tmp_path / "scene", tmp_path / "photos"
    shutil.copytree(trained / "weights", scene)
    content = json.loads((scene / "transforms.json").read_text())
    truth = {Path(frame["file_path"]).name: frame for frame in content["frames"]}
    new = [name for name, frame in truth.items() if frame["split"] == "test"][:2]
    content["frames"] = [frame for name, frame in truth.items() if name not in new]
    (scene / "transforms.json").write_text(json.dumps(content))
    photos.mkdir()
    for name in new:
        shutil.copy(truth[name]["file_path"], photos / name)
    words = ["--scene", scene, "-o", tmp_path / "poses", "--frames", 0, "--add-to", tmp_path / "more", "--starts", 1]
    words += ["--set", "limits.deviation=0.2"]  # radians: so small photos of a ball fix its rotation loosely
    done = monoform("pose", *sorted(photos.iterdir()), *words, "--truth", capture)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "poses" / "poses.json").read_text())["photos"]
    believed = {Path(row["photo"]).name for row in rows if row["converged"]}
    assert believed and f"{tmp_path / 'more'}: {len(believed)} of 2 photos added" in done.stdout
    more = json.loads((tmp_path / "more" / "transforms.json").read_text())
    added = {Path(frame["file_path"]).name: frame for frame in more["frames"] if "photos" in frame["file_path"]}
    assert added.keys() == believed and len(more["frames"]) == 22 + len(believed)
    for (name, camera), frame in zip(cameras_from_transforms(more), more["frames"], strict=True):
        if Path(name).name in added:
            told = Camera.from_dict(json.loads((tmp_path / "poses" / Path(name).stem / "camera.json").read_text()))
            torch.testing.assert_close(camera.world_from_camera, told.world_from_camera, atol=1e-5, rtol=0)
            apart = np.array(frame["transform_matrix"]) - np.array(truth[Path(name).name]["transform_matrix"])
            # Photos of 48 x 40 pixels of a smooth ball, from 2 units away: the right place, roughly.
            assert np.linalg.norm(apart[:3, 3]) < 0.5 and frame["split"] == "train"
    again = run("--data", tmp_path / "more", "-o", tmp_path / "scene2", "--steps", 3, "--set", *QUICK)
    assert again.returncode == 0, again.stderr
    views = load_scene(tmp_path / "scene2").views
    assert sum(view.split == "train" for view in views) == 21 + len(believed)
