"""Further photos without cameras: posed against the first result, left out and named where that is not believed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.command_line import monoform
from tests.pictures import disc, png

from monoform import InputError
from monoform.camera import orbit
from monoform.cli.reconstruct import run
from monoform.data import load_source, procedural_sources
from monoform.jobs.further_photos import FurtherPhotos, posed
from monoform.metrics.pose import rotation_error
from monoform.nn.analytic import Sphere
from monoform.render import render_mesh
from monoform.scene import Photo, Provenance, Reconstruction, View

SMALL = ("--faces", "1000", "--texture", "128", "--resolution", "64", "--frames", "0")


@pytest.fixture(scope="module")
def shown():
    """A made object, and pictures of it with their cameras: from the front, and 10 and 60 degrees aside."""
    mesh = load_source(procedural_sources(4)[2], seed=0)
    cameras = orbit(36, elevation=0.35, distance=1.6, fov_y=0.7, width=160, height=160)
    cameras = [cameras[number] for number in (0, 1, 6)]
    made = [render_mesh(mesh, camera) for camera in cameras]
    return mesh, cameras, [np.dstack((each.rgb, each.mask)).astype(np.float32) for each in made]


def photo_of(picture: np.ndarray) -> Photo:
    return Photo.open(picture[..., :3].copy(), mask=picture[..., 3].copy())


def test_cameras_are_found_and_another_thing_is_not_believed(shown):
    mesh, cameras, pictures = shown
    view = View(photo_of(pictures[0]), cameras[0])
    first = Reconstruction(Sphere(0.5), (view,), Provenance("test"), surface=mesh)
    other = Photo.open(disc(160, 160)[0], mask=disc(160, 160)[1])
    found = posed(first, [photo_of(pictures[2]), other], seed=0)
    assert [each.believed for each in found] == [True, False], [each.doubts for each in found]
    error = rotation_error(found[0].camera.world_from_camera, cameras[2].world_from_camera)
    assert float(error) < np.radians(3.0) and found[0].overlap > 0.9


def test_the_command_uses_what_is_believed_and_names_the_rest(shown, tmp_path):
    _, _, pictures = shown
    (tmp_path / "more").mkdir()
    for name, picture in (("thing", pictures[0]), ("more/aside", pictures[1])):
        (tmp_path / f"{name}.png").write_bytes(png(picture))
    rgb, mask = disc(160, 160)
    (tmp_path / "more/other.png").write_bytes(png(np.dstack((rgb, mask))))
    words = ("reconstruct", "thing.png", "--views", "more", "-o", "out", *SMALL)
    done = monoform(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out/thing/result.json").read_text())
    assert [view["name"] for view in told["views"]] == ["thing", "aside"], told["notices"]
    assert any(each.startswith("1 of 2 further photos are used") for each in told["notices"])
    assert any(each.startswith("other is left out, as its camera is not to be believed") for each in told["notices"])
    assert "other is left out" in (tmp_path / "out/thing/report.html").read_text()
    assert told["overlay"]["iou"] > 0.85 and told["mesh"]["watertight"]
    assert "already there" in monoform(*words, cwd=tmp_path).stdout


def test_what_does_not_fit_is_one_sentence(shown, tmp_path):
    _, _, pictures = shown
    file = tmp_path / "thing.png"
    file.write_bytes(png(pictures[0]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "more").mkdir()
    (tmp_path / "more/aside.png").write_bytes(png(pictures[1]))
    out = ["-o", str(tmp_path / "out"), *SMALL]
    for words, sentence in (
        ([str(file), "--views", str(tmp_path / "empty")], "holds no photo"),
        ([str(file), "--views", str(tmp_path / "more"), "--method", "inflate"], "inflate works from one photo"),
        ([str(file), "--views", str(tmp_path / "more"), "--frame", "0"], "--frame chooses among --views"),
        ([str(file), str(file), "--views", str(tmp_path / "more")], "leave out"),
    ):
        with pytest.raises(InputError, match=sentence):
            run([*words, *out])
    with pytest.raises(InputError, match="holds no other photo"):
        FurtherPhotos(str(file), str(file)).others()
    assert not (tmp_path / "out").exists()
