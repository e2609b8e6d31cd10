"""The result folder: read back, and read when it is damaged."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.pictures import mug

import monoform
from monoform import InputError
from monoform.cli import view
from monoform.jobs.cite import cite
from monoform.jobs.films import TurntableOptions, film_folder
from monoform.jobs.pose_scenes import open_scene


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "mug"
    rgb, mask = mug()
    result = monoform.reconstruct(rgb, mask=mask)
    replace(result, surface=result.mesh(faces=300, resolution=48, texture=64)).save(folder)
    return folder


def test_it_shows_itself_in_a_line():
    made = monoform.reconstruct(mug()[0], mask=mug()[1], method="inflate")
    assert repr(made) == "<Reconstruction of photo by inflate: camera, color, geometry>"


def test_what_is_not_there(saved, tmp_path):
    with pytest.raises(InputError, match="no result folder"):
        monoform.load(tmp_path / "none")
    with pytest.raises(InputError, match=r"no file .*result\.json: the result is not complete"):
        monoform.load(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    (copy / "mesh.glb").unlink()
    with pytest.raises(InputError, match=r"mesh\.glb"):
        monoform.load(copy)


def test_the_output_folder_of_one_photo_stands_for_its_result(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "mug")
    (tmp_path / "fit").mkdir()
    assert monoform.load(tmp_path).photo.size == monoform.load(saved).photo.size
    assert cite(tmp_path) == cite(saved)
    assert film_folder(tmp_path, tmp_path / "turn.gif", TurntableOptions(frames=1, size=16)).is_file()
    assert view.run([str(tmp_path), "--print-only"]) == 0
    assert (tmp_path / "mug" / "report.html").is_file()
    assert open_scene(tmp_path).kind == open_scene(saved).kind
    shutil.copytree(saved, tmp_path / "cup")
    for read in (monoform.load, cite, open_scene, lambda place: film_folder(place, tmp_path / "other.gif")):
        with pytest.raises(InputError, match=r"holds 2 results \(cup, mug\): give one of them"):
            read(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"seed": "x"}', '{"photo": 3, "seed": 1e300}', "[" * 100000])
def test_a_damaged_summary_is_one_sentence(saved, tmp_path, text):
    copy = tmp_path / "copy"
    shutil.copytree(saved, copy)
    (copy / "result.json").write_text(text)
    with pytest.raises(InputError) as caught:
        monoform.load(copy)
    assert "result.json" in str(caught.value)


def test_nan_never_reaches_a_file(tmp_path):
    from monoform.scene.result_files import write_json

    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "x.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(file=st.sampled_from(["camera.json", "result.json"]), data=st.data())
def test_any_values_in_its_json_load_or_give_one_sentence(saved, tmp_path, file, data):
    content = json.loads((saved / file).read_text())
    key = data.draw(st.sampled_from(sorted(content)))
    content[key] = data.draw(JSON)
    load_changed(saved, tmp_path, file, json.dumps(content).encode())


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(file=st.sampled_from(["mesh.glb", "mask.png", "photo.jpg", "camera.json"]), data=st.data())
def test_any_damage_to_its_files_loads_or_gives_one_sentence(saved, tmp_path, file, data):
    content = bytearray((saved / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    load_changed(saved, tmp_path, file, bytes(content[: data.draw(st.integers(1, len(content)))]))


def load_changed(saved, tmp_path, file, content: bytes) -> None:
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(saved, copy)
    (copy / file).write_bytes(content)
    try:
        monoform.load(copy)
    except InputError as error:
        assert "\n" not in str(error)
