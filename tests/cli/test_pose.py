"""monoform pose and monoform evaluate inerf as programs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import monoform
from tests.jobs.test_estimate_pose import CAMERA, painted_mesh
from tests.methods.pixelnerf.tiny import net_of

from monoform.camera import Camera, look_at
from monoform.metrics.pose import rotation_error
from monoform.render import render_mesh
from monoform.scene import Photo, Provenance, Reconstruction, View
from monoform.scene.mesh_field import MeshField
from monoform.training import save_pretrained


def draw(file: Path, camera: Camera) -> Camera:
    Image.fromarray(np.rint(render_mesh(painted_mesh(), camera, samples=2).rgb * 255).astype(np.uint8)).save(file)
    file.with_suffix(".json").write_text(json.dumps(camera.to_dict()))
    return camera


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """A result folder as reconstruct writes it, and two photos from elsewhere."""
    out = tmp_path_factory.mktemp("pose")
    draw(out / "own.png", CAMERA)
    mask = render_mesh(painted_mesh(), CAMERA).mask.astype(np.float32)
    photo = Photo.open(out / "own.png").with_mask(mask, "file")
    mesh = painted_mesh()
    Reconstruction(MeshField(mesh), (View(photo, CAMERA),), Provenance("test"), surface=mesh).save(out / "result")
    for number, eye in enumerate(([0.8, 0.3, 1.15], [0.2, 0.7, 1.3])):
        draw(out / f"{number}.png", replace(CAMERA, world_from_camera=look_at(torch.tensor([eye]))))
    return out


def test_photos_of_a_result_find_their_places_and_a_bad_one_stops_no_other(place: Path, tmp_path: Path) -> None:
    words = ["--scene", place / "result", "-o", tmp_path, "--starts", 1, "--longest", 96, "--frames", 2]
    done = monoform("pose", place / "0.png", tmp_path / "missing.png", place / "1.png", *words)
    assert done.returncode == 2, done.stderr
    rows = json.loads((tmp_path / "poses.json").read_text())["photos"]
    assert ["error" in row for row in rows] == [False, True, False]
    for name in ("0", "1"):
        found = Camera.from_dict(json.loads((tmp_path / name / "camera.json").read_text()))
        true = Camera.from_dict(json.loads((place / f"{name}.json").read_text()))
        assert float((found.position - true.position).norm()) < 0.02
        assert json.loads((tmp_path / name / "result.json").read_text())["converged"]
    assert not (tmp_path / "missing").exists()


def test_a_start_a_truth_and_the_papers_optimizer(place: Path, tmp_path: Path) -> None:
    words = ["--scene", place / "result", "-o", tmp_path, "--frames", 0, "--start", place / "own.json"]
    adam = ["--optimizer", "adam", "--steps", 5, "--rays", 64, "--sampling", "object", "--truth", place / "0.json"]
    done = monoform("pose", place / "0.png", *words, *adam)
    assert done.returncode == 0, done.stderr
    assert "DID NOT CONVERGE" in done.stdout and "degrees and" in done.stdout
    summary = json.loads((tmp_path / "0" / "result.json").read_text())
    assert summary["optimizer"] == "adam" and summary["steps"] == 6 and not summary["converged"]
    assert "convergence.mp4" not in summary["files"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "either --scene SCENE or --from"),
        (["--scene", "RESULT", "--from", "PHOTO"], "not both: leave out one"),
        (["--scene", "nowhere"], "no scene"),
        (["--from", "PHOTO", "--weights", "nowhere"], "no weights at nowhere"),
        (["--from", "nowhere.png"], "nowhere.png"),
        (["--from", "PHOTO", "--method", "magic"], "no method 'magic'"),
        (["--from", "PHOTO", "--method", "inflate", "--weights", "x"], "inflate has no option weights"),
        (["--scene", "RESULT", "--method", "inflate"], "with --scene there is none"),
        (["--scene", "RESULT", "--optimizer", "sgd"], "choose lm or adam"),
        (["--scene", "RESULT", "--noise", "fog"], "--noise is 'fog'"),
        (["--scene", "RESULT", "--sampling", "all"], "choose one of random"),
        (["--scene", "RESULT", "--set", "preset=magic"], "no preset 'magic': choose one of paper"),
        (["--scene", "RESULT", "--set", "descent.rat=1"], "did you mean descent.rate"),
        (["--scene", "RESULT", "--start", "nowhere.json"], "There is no file nowhere.json"),
        (["--scene", "RESULT", "--start", "EMPTY"], "empty.json: the field model is missing"),
        (["--scene", "RESULT", "--starts", "0"], "starts is 0"),
        (["--scene", "RESULT", "--truth", "nowhere.json"], "There is no file nowhere.json"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    place: Path, tmp_path: Path, words: list[str], sentence: str
) -> None:
    (place / "empty.json").write_text("{}")
    there = {"RESULT": str(place / "result"), "PHOTO": str(place / "own.png"), "EMPTY": str(place / "empty.json")}
    words = [there.get(word, word) for word in words]
    done = monoform("pose", place / "0.png", "-o", tmp_path, *words)
    assert done.returncode == 2 and sentence in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())


def test_a_photo_of_the_object_of_another_photo(place: Path, tmp_path: Path) -> None:
    """The published job on a small network of random weights: it starts at the source's camera and writes its way."""
    net = net_of()
    save_pretrained(net, net.config, tmp_path / "weights", card="# Weights")
    words = ["--from", place / "own.png", "--weights", tmp_path / "weights", "-o", tmp_path / "out", "--frames", 0]
    preset = ["--set", "preset=notebook", "descent.rate=0.02", "--steps", 3, "--rays", 64]
    done = monoform("pose", place / "0.png", *words, *preset)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "0" / "result.json").read_text())
    assert summary["scene"]["kind"] == "pixelnerf" and summary["steps"] == 3  # the last update is not reported
    camera = Camera.from_dict(json.loads((tmp_path / "out" / "0" / "camera.json").read_text()))
    assert (camera.width, camera.height) == (CAMERA.width, CAMERA.height)
    assert float(camera.position.norm()) > 0.5


def test_any_method_may_reconstruct_the_source_photo(place: Path, tmp_path: Path) -> None:
    """Found in its own reconstruction, a photo has the camera that the method has given it."""
    given = monoform("reconstruct", place / "own.png", "--method", "inflate", "-o", tmp_path / "own", "--frames", 0)
    assert given.returncode == 0, given.stderr
    words = ["--from", place / "own.png", "--method", "inflate", "-o", tmp_path / "out", "--frames", 0]
    done = monoform("pose", place / "own.png", *words)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out/own/result.json").read_text())["scene"]["kind"] == "inflate"
    found, known = (
        Camera.from_dict(json.loads((tmp_path / folder / "own" / "camera.json").read_text()))
        for folder in ("out", "own")
    )
    assert float(rotation_error(found.world_from_camera, known.world_from_camera)) < math.radians(2.0)


def test_evaluation_says_what_it_needs(place: Path, tmp_path: Path) -> None:
    for words, sentence in (
        (["--scene", place / "result"], "no photos in its split"),
        (["--scene", place / "result", "--optimizer", "sgd"], "--optimizer is 'sgd'"),
        (["--scene", place / "result", "--about", "sun"], "--about is 'sun'"),
        (["--scene", place / "result", "--preset", "magic"], "no preset 'magic'"),
        (["--scene", place / "result", "--euler", 10, 20], "--euler has 2 numbers"),
        (["--scene", place / "result", "--exposure", -1], "--exposure is -1"),
    ):
        done = monoform("evaluate", "inerf", *words, "-o", tmp_path / "out")
        assert done.returncode == 2 and sentence in done.stderr, done.stderr


def test_a_film_is_to_be_followed(place: Path, tmp_path: Path) -> None:
    done = monoform("pose", "way.mp4", "--scene", place / "result", "-o", tmp_path / "out")
    assert done.returncode == 2 and done.stderr == "monoform: way.mp4 is a film: add --track to follow its camera.\n"
