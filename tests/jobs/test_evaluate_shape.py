"""`monoform evaluate shape`: answers whose figures are known by hand, what is frozen, and what goes wrong."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from tests.command_line import monoform

from monoform import InputError, Mesh
from monoform.camera import Camera
from monoform.data import ViewOptions, render_views
from monoform.data.objects.scans import scan_sources
from monoform.data.objects.sources import Source, load_source
from monoform.jobs.evaluate import evaluation_of
from monoform.jobs.shape import answers
from monoform.jobs.shape.answers import Answer, parse_method
from monoform.jobs.shape.evaluate import Shapes
from monoform.jobs.shape.options import ShapeEvaluation
from monoform.jobs.shape.scores import scores
from monoform.methods.lift import LiftConfig, LiftNet
from monoform.metrics.shape_truth import Truth, truth_of
from monoform.training.weights import save_pretrained, weights_digest

SMALL = ("--size", "64", "--texture", "64", "--resolution", "32", "--faces", "400")


def cube(side: float = 1.0, middle: tuple[float, float, float] = (0, 0, 0), lid: bool = True) -> Mesh:
    """Twelve triangles; without the lid, which is the upper face, ten."""
    solid = trimesh.creation.box((side,) * 3)
    faces = np.asarray(solid.faces)
    if not lid:
        faces = faces[solid.face_normals[:, 1] < 0.5]
    return Mesh(np.asarray(solid.vertices) + middle, faces)


def bracket() -> Mesh:
    """Three cubes of side 0.4 in the shape of an L, one solid."""
    flat = 0.4 * np.array([[0, 0], [2, 0], [2, 1], [1, 1], [1, 2], [0, 2]]) - 0.4
    vertices = np.concatenate([np.column_stack((flat, np.full(6, depth))) for depth in (-0.2, 0.2)])
    front = np.array([[0, each, each + 1] for each in range(1, 5)]) + 6
    walls = [part for k in range(6) for n in [(k + 1) % 6] for part in ([k, n, n + 6], [k, n + 6, k + 6])]
    return Mesh(vertices, np.concatenate((front, front[:, ::-1] - 6, walls)))


def truth_for(mesh: Mesh) -> tuple[Truth, Camera]:
    views = render_views(mesh, ViewOptions(count=1, size=96), generator=np.random.default_rng(0))
    return truth_of(mesh, views.images, views.cameras, seed=0), views.cameras


@pytest.fixture(scope="module")
def box() -> tuple[Truth, Camera]:
    return truth_for(cube(0.5))


def measured(mesh: Mesh, truth: Truth, camera: Camera | None, *alignments: str) -> dict[str, float]:
    return scores(Answer(mesh, camera), truth, 0, alignments)  # type: ignore[arg-type]


def test_the_truth_itself_is_perfect(box) -> None:
    """Chamfer is what two samples of 10,000 points are apart: on the cube, whose area is 24 in its units, 1 / 2 / sqrt
    of their density, 0.5 (24 / 10000)^0.5 = 0.0245."""
    found = measured(cube(0.5), *box, "none", "icp", "turns")
    for alignment in ("none", "icp", "turns"):
        assert found[f"{alignment}_f_0.1"] == 1 and found[f"{alignment}_chamfer"] == pytest.approx(0.0245, rel=0.1)
        assert found[f"{alignment}_iou"] > 0.98 and found[f"{alignment}_normals"] > 0.97
    assert found["none_iou"] > 0.999 and found["none_psnr"] > 50 and found["none_ssim"] > 0.99
    assert found["silhouette_iou"] > 0.97  # of 96 pixels a side: the outline is cut otherwise by one ray a pixel
    assert (found["closed"], found["components"], found["self_intersections"], found["faces"]) == (1, 1, 0, 12)


def test_a_shifted_cube(box) -> None:
    """By a fifth of its side: they share 4/5 of 6/5. In units of half a side it is 0.4: of four faces a fifth leaves
    the truth, half of that by more than 0.2; of the face that went in, the border of width 0.2 is near the truth's
    sides; the face that went out is nowhere near."""
    truth, _ = box
    found = measured(cube(0.5, (0.1, 0, 0)), truth, None, "none", "icp")
    assert found["none_iou"] == pytest.approx(4 / 6, abs=0.01)
    assert found["icp_iou"] > 0.98 and found["icp_f_0.05"] > 0.9
    assert found["none_f_0.5"] == 1 and found["none_f_0.2"] < 0.85
    assert found["none_f_0.2"] == pytest.approx((4 * 0.9 + 1 - 0.8**2) / 6, abs=0.02)
    assert "silhouette_iou" not in found


def test_a_scaled_cube(box) -> None:
    """At half the size: an eighth of the volume, every point of it 0.5 within the larger one's faces."""
    truth, _ = box
    found = measured(cube(0.25), truth, None, "none", "icp", "turns")
    assert found["none_iou"] == pytest.approx(1 / 8, abs=0.005)
    assert found["none_f_0.2"] == 0 and found["none_normals"] > 0.7
    assert found["icp_iou"] > 0.97 and found["turns_iou"] > 0.97 and found["icp_chamfer"] < 0.03


def test_a_mirrored_bracket() -> None:
    """Two of three cubes are the same, of four in all; turned by half a turn it is the bracket again."""
    truth, _ = truth_for(bracket())
    other = bracket()
    mirrored = Mesh(other.vertices * [-1.0, 1, 1], other.faces[:, ::-1])
    found = measured(mirrored, truth, None, "none", "turns")
    assert found["none_iou"] == pytest.approx(2 / 4, abs=0.01) and found["none_f_0.1"] < 0.8
    assert found["turns_iou"] > 0.95 and found["turns_f_0.1"] == pytest.approx(1, abs=0.01)
    assert found["components"] == 1 and measured(other, truth, None, "none")["none_iou"] > 0.99


def test_a_cube_without_its_lid(box) -> None:
    """A sixth of the truth is bare: of it what lies within 0.2 of the rim, in a square of side 2, is 1 - 0.8^2."""
    truth, _ = box
    found = measured(cube(0.5, lid=False), truth, None, "none")
    recall = 5 / 6 + (1 - 0.8**2) / 6
    assert found["none_f_0.2"] == pytest.approx(2 * recall / (1 + recall), abs=0.005)
    assert found["closed"] == 0 and found["faces"] == 10
    assert found["none_iou"] > 0.85, "it still holds most of the cube: rays to other sides meet it"


def test_two_cubes_in_each_other_are_two_and_cross(box) -> None:
    truth, _ = box
    first, second = cube(0.5), cube(0.5, (0.11, 0.12, 0.13))
    both = Mesh(np.concatenate((first.vertices, second.vertices)), np.concatenate((first.faces, second.faces + 8)))
    found = measured(both, truth, None, "none")
    assert found["components"] == 2 and found["closed"] == 1 and found["self_intersections"] >= 6


def test_no_answer_is_the_worst(box) -> None:
    truth, _ = box
    found = scores(Answer(None, reason="none"), truth, 0, ("icp",))
    assert found["failed"] == 1 and found["icp_iou"] == found["icp_f_0.1"] == found["silhouette_iou"] == 0
    assert found["icp_chamfer"] > 0.5
    assert {name for name, value in found.items() if value > 0} == {"icp_chamfer", "failed"}


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Two objects in the layout of Google's scanned objects."""
    root = tmp_path_factory.mktemp("gso")
    for name, shape in (("Ball", trimesh.creation.icosphere(subdivisions=2)), ("Box", trimesh.creation.box((2, 1, 3)))):
        (root / name / "meshes").mkdir(parents=True)
        shape.export(root / name / "meshes" / "model.obj")
    return root


def test_layouts_of_scans_are_read(scans: Path, tmp_path: Path) -> None:
    assert [(each.name, each.category) for each in scan_sources(scans)] == [("Ball", ""), ("Box", "")]
    shutil.copytree(scans / "Box", tmp_path / "one" / "Box")
    assert [each.name for each in scan_sources(tmp_path / "one")] == ["Box"], "alone it is called as among others"
    shutil.rmtree(tmp_path / "one")
    for category, name in (("cup", "cup_001"), ("cup", "cup_002"), ("pen", "pen_001")):
        (tmp_path / category / name / "Scan").mkdir(parents=True)
        shutil.copy(scans / "Ball" / "meshes" / "model.obj", tmp_path / category / name / "Scan" / "Scan.obj")
    found = [(each.name, each.category) for each in scan_sources(tmp_path)]
    assert found == [("cup_001", "cup"), ("cup_002", "cup"), ("pen_001", "pen")]
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "pack.json").write_text("{}")
    with pytest.raises(InputError, match="without meshes"):
        scan_sources(tmp_path / "pack")
    (tmp_path / "index.csv").write_text("path,name,category\npen/pen_001/Scan/Scan.obj,my pen,pens\n")
    assert [(each.name, each.category) for each in scan_sources(tmp_path)] == [("my pen", "pens")]


def test_textures_of_googles_scans_are_found(tmp_path: Path) -> None:
    """The material names texture.png, which lies in materials/textures."""
    for folder in ("meshes", "materials/textures"):
        (tmp_path / "Box" / folder).mkdir(parents=True)
    (tmp_path / "Box/meshes/model.obj").write_text(
        "mtllib model.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nusemtl a\nf 1/1 2/2 3/3\n"
    )
    (tmp_path / "Box/meshes/model.mtl").write_text("newmtl a\nmap_Kd texture.png\n")
    Image.new("RGB", (8, 8), (200, 10, 30)).save(tmp_path / "Box/materials/textures/texture.png")
    [source] = scan_sources(tmp_path)
    texture = load_source(source, seed=0).texture
    assert texture is not None and (texture[..., :3] == (200, 10, 30)).all()
    with pytest.raises(InputError, match=r"texture\.png"):
        Mesh.load(tmp_path / "Box/meshes/model.obj")


def test_answers_of_other_weights_are_not_taken_for_those_of_now(scans: Path, tmp_path: Path) -> None:
    config = LiftConfig(image_size=32, channels=(8, 8, 16, 16), attention=1, heads=2)
    words = [
        "evaluate",
        "shape",
        "--data",
        scans,
        "-o",
        tmp_path / "out",
        *SMALL,
        "--limit",
        "1",
        "--alignments",
        "icp",
    ]
    words += ["--methods", f"lift:weights={tmp_path / 'weights'}"]
    for seed, code in ((0, 0), (0, 0), (1, 2)):
        torch.manual_seed(seed)
        save_pretrained(LiftNet(config), config, tmp_path / "weights", card="Untrained.")
        told = monoform(*words)
        assert told.returncode == code, told.stderr
    assert "with other weights than those of now: use --overwrite" in told.stderr
    again = monoform(*words, "--overwrite")
    assert again.returncode == 0 and f"SHA-256 {weights_digest(tmp_path / 'weights')}" in again.stdout, again.stderr


def test_methods_and_systems_on_the_same_frozen_pictures(scans: Path, tmp_path: Path) -> None:
    """Another system that writes the truth is perfect; it can come later, and nothing is measured again."""
    words = ["evaluate", "shape", "--data", scans, "-o", tmp_path / "out", *SMALL]
    first = monoform(*words, "--methods", "inflate", "--alignments", "icp")
    assert first.returncode == 0, first.stderr
    listed = json.loads((tmp_path / "out" / "inputs" / "inputs.json").read_text())["inputs"]
    assert [(each["object"], each["view"]) for each in listed] == [("Ball", 0), ("Box", 0)]
    assert "SHA-256" in first.stdout and (tmp_path / "out" / "inputs" / "Box_0.png").is_file()
    (tmp_path / "theirs" / "Box_0").mkdir(parents=True)
    source = Source("Box", str(scans / "Box" / "meshes" / "model.obj"))
    load_source(source, seed=0).export(tmp_path / "theirs" / "Box_0" / "mesh.glb")
    (tmp_path / "theirs" / "Box_0" / "camera.json").write_text(json.dumps(listed[1]["camera"]))
    before = (tmp_path / "out" / "inflate" / "Box_0" / "scores.json").stat().st_mtime_ns
    both = monoform(*words, "--methods", "inflate", "--outside", f"theirs={tmp_path / 'theirs'}", "--alignments", "icp")
    assert both.returncode == 0, both.stderr
    assert (tmp_path / "out" / "inflate" / "Box_0" / "scores.json").stat().st_mtime_ns == before
    found = json.loads((tmp_path / "out" / "shape.json").read_text())
    perfect = found["each"]["theirs"]["Box_0"]
    assert perfect["icp_iou"] > 0.97 and perfect["silhouette_iou"] > 0.95 and perfect["icp_f_0.1"] == 1
    assert found["means"]["theirs"]["failed"] == 1 and "there is no mesh of it" in both.stdout
    gap = found["differences"]["theirs"]["icp_f_0.1"]
    expected = found["means"]["inflate"]["icp_f_0.1"] - found["means"]["theirs"]["icp_f_0.1"]
    assert gap["value"] == pytest.approx(expected) and gap["low"] <= gap["value"] <= gap["high"]
    page = (tmp_path / "out" / "index.html").read_text()
    assert all(f'src="{each}"' in page for each in ("inputs/Box_0.png", "theirs/Box_0/side.png", "truths/Box_0.png"))
    assert all((tmp_path / "out" / each).is_file() for each in ("truths/Box_0.png", "inflate/Ball_0/mesh.glb"))
    assert found["each"]["inflate"]["Box_0"]["silhouette_iou"] > 0.9

    again = monoform(
        *words[:4], "--inputs", tmp_path / "out" / "inputs", "-o", tmp_path / "second", *SMALL, "--methods", "inflate",
        "inflate:thickness=0.5", "--alignments", "icp", "--objects", "Box",
    )  # fmt: skip
    assert "(one object tells no interval)" in again.stdout
    assert again.returncode == 0, again.stderr
    second = json.loads((tmp_path / "second" / "shape.json").read_text())["each"]["inflate"]["Box_0"]
    assert second["icp_iou"] == found["each"]["inflate"]["Box_0"]["icp_iou"]
    assert not (tmp_path / "second" / "inputs").exists()


def test_what_another_system_writes_later_is_measured_later(scans: Path, tmp_path: Path) -> None:
    """A mesh that was not there, one that has changed, and a camera that came; what stayed is not measured again."""
    theirs, out = tmp_path / "theirs", tmp_path / "out"
    theirs.mkdir()
    words = ["evaluate", "shape", "--data", scans, "-o", out, *SMALL, "--methods", "inflate", "--alignments", "none"]
    words += ["--outside", f"theirs={theirs}"]

    def results() -> tuple[dict[str, dict[str, float]], int]:
        told = monoform(*words)
        assert told.returncode == 0, told.stderr
        kept = (out / "inflate" / "Ball_0" / "scores.json").stat().st_mtime_ns
        return json.loads((out / "shape.json").read_text())["each"]["theirs"], kept

    cube(0.5).export(theirs / "Ball_0.glb")
    first, kept = results()
    assert (first["Ball_0"]["faces"], first["Box_0"]["failed"]) == (12, 1)
    cube(0.5, lid=False).export(theirs / "Ball_0.glb")
    cube(0.5).export(theirs / "Box_0.glb")
    shutil.copy(out / "inputs" / "Box_0.json", theirs / "Box_0.camera.json")
    record = json.loads((theirs / "Box_0.camera.json").read_text())
    (theirs / "Box_0.camera.json").write_text(json.dumps(record["camera"]))
    second, after = results()
    assert second["Ball_0"]["faces"] == 10 and second["Box_0"]["failed"] == 0 and "silhouette_iou" in second["Box_0"]
    assert kept == after


def test_a_line_that_measured_nothing_stands_in_no_other_ones_way(scans: Path, tmp_path: Path) -> None:
    """And pictures of its size are not taken for those that are asked for then."""
    words = ["evaluate", "shape", "--data", scans, "-o", tmp_path / "out", "--limit", "1"]
    words += ["--alignments", "none", "--texture", "64", "--resolution", "32", "--faces", "400"]
    refused = monoform(*words, "--size", "48", "--methods", f"lift:weights={tmp_path / 'nowhere'}")
    assert refused.returncode == 2 and "nowhere" in refused.stderr
    told = monoform(*words, "--size", "64", "--methods", "inflate")
    assert told.returncode == 0, told.stderr
    assert Image.open(tmp_path / "out" / "inputs" / "Ball_0.png").size == (64, 64)
    other = monoform(*words, "--size", "48", "--methods", "inflate")
    assert other.returncode == 2 and "with other options (size was 64, 48 is asked for)" in other.stderr


def test_pictures_of_an_earlier_run_are_what_they_are(scans: Path, tmp_path: Path) -> None:
    protocol = Shapes.open(ShapeEvaluation(data=scans, out=tmp_path, methods=("inflate",), size=64, views=2))
    for each in protocol.asked:
        protocol.inputs.of(each)
    protocol.finish(tmp_path, {})
    given = ShapeEvaluation(data=scans, out=tmp_path / "out", methods=("inflate",), inputs=tmp_path / "inputs")
    for options in (given, replace(given, size=64, views=2, seed=5)):
        assert Shapes.open(options).names == protocol.names
    for options, word in ((replace(given, size=96), "--size is 96"), (replace(given, views=3), "--views is 3")):
        with pytest.raises(InputError, match=f"{word}.*leave it out with --inputs"):
            Shapes.open(options)


def test_a_method_that_breaks_stops_no_other(scans: Path, tmp_path: Path) -> None:
    asked = ShapeEvaluation(data=scans, out=tmp_path / "out", methods=("inflate",), size=64, alignments=("none",))
    protocol = Shapes.open(asked)

    def broken(asked, picture, camera) -> Answer:
        if asked.object == "Ball":
            return Answer(None, reason="it broke.")
        return Answer(cube(0.5), camera)

    protocol = Shapes({"broken": broken}, protocol.inputs, protocol.asked, asked)
    (tmp_path / "draft").mkdir()
    contents = {name: protocol.measure(number, tmp_path / "draft") for number, name in enumerate(protocol.names)}
    assert [content["failed"] for content in contents.values()] == [1, 0]
    assert "broken, Ball_0: it broke." in protocol.finish(tmp_path / "out", contents)


@pytest.mark.parametrize("large", [0.0, 1e200])
def test_what_cannot_be_measured_of_a_system_is_the_worst_and_stops_no_other(
    large: float, scans: Path, tmp_path: Path
) -> None:
    """Meshes without area, and such as reach beyond what can be computed with."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "Ball_0.obj").write_text(f"v {large} 0 0\nv 0 {large} 0\nv 0 0 {large}\nf 1 2 3\n")
    asked = ShapeEvaluation(
        data=scans,
        out=tmp_path / "out",
        methods=(),
        outside=(f"a={tmp_path / 'theirs'}",),
        size=32,
        alignments=("none",),
    )
    protocol = Shapes.open(asked)
    content = protocol.measure(0, tmp_path)
    assert content["failed"] == 1 and content["reason"] and content["none_iou"] == 0


def test_a_camera_of_a_larger_picture_is_drawn_as_large_as_the_input(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    shutil.copy(scans / "Ball" / "meshes" / "model.obj", tmp_path / "theirs" / "Ball_0.obj")
    asked = ShapeEvaluation(
        data=scans,
        out=tmp_path / "out",
        methods=(),
        outside=(f"a={tmp_path / 'theirs'}",),
        size=32,
        alignments=("none",),
    )
    protocol = Shapes.open(asked)
    camera = protocol.inputs.of(protocol.asked[0])[1].resized(200_000, 200_000)
    (tmp_path / "theirs" / "Ball_0.camera.json").write_text(json.dumps(camera.to_dict()))
    assert protocol.measure(0, tmp_path)["failed"] == 0
    assert Image.open(tmp_path / "seen.png").size == (32, 32)


def test_a_record_without_its_camera_is_told(scans: Path, tmp_path: Path) -> None:
    protocol = Shapes.open(ShapeEvaluation(data=scans, out=tmp_path, methods=("inflate",), size=32))
    protocol.inputs.of(protocol.asked[0])
    file = tmp_path / "inputs" / "Ball_0.json"
    record = json.loads(file.read_text())
    del record["camera"]
    file.write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"Ball_0\.json tells no camera"):
        protocol.inputs.of(protocol.asked[0])


def test_a_changed_picture_or_mesh_is_not_measured(scans: Path, tmp_path: Path) -> None:
    data = shutil.copytree(scans, tmp_path / "data")
    asked = ShapeEvaluation(data=data, out=tmp_path / "out", methods=("inflate",), size=64)
    protocol = Shapes.open(asked)
    ball, box = protocol.asked
    protocol.inputs.of(ball), protocol.inputs.of(box)
    (tmp_path / "out" / "inputs" / "Ball_0.png").write_bytes(b"")
    with pytest.raises(InputError, match="is not the picture"):
        protocol.inputs.of(ball)
    trimesh.creation.box((1, 1, 1.5)).export(data / "Box" / "meshes" / "model.obj")
    with pytest.raises(InputError, match="is not the mesh"):
        protocol.inputs.of(box)
    again = Shapes.open(replace(asked, overwrite=True, seed=1)).inputs
    assert again.of(ball)[0].shape == again.of(box)[0].shape == (64, 64, 4)
    ours, others = again.of(box)[1].to_dict(), protocol.inputs.of(box)[1].to_dict()
    assert ours != others, "each has those of its seed"
    assert again.of(box)[1].to_dict() == ours, "which are made anew"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--alignments", "best"], "--alignments has 'best'; choose of none, icp, turns"),
        (["--alignments", "none", "icp", "none"], "--alignments has none more than once"),
        (["--methods", "inflate:volume=1"], "'volume' is no option of inflate"),
        (["--methods", "lift:refine=some"], "refine is 'some'; give a number"),
        (["--methods", "nosuch"], "nosuch"),
        (["--methods", "lift", "--outside", "lift=."], "lift cannot be the name"),
        (["--outside", "x"], "--outside has 'x'; give NAME=FOLDER"),
        (["--outside", "metrics.json=."], "metrics.json cannot be the name"),
        (["--outside", "index.html=."], "index.html cannot be the name"),
        (["--outside", "x=nowhere"], "there is no folder nowhere"),
        (["--objects", "Cat"], "--objects has Cat"),
        (["--inputs", "."], "inputs.json"),
    ],
)
def test_what_cannot_be_compared_is_refused(scans: Path, tmp_path: Path, monkeypatch, words, sentence) -> None:
    from monoform.cli import evaluate

    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as told:
        evaluate.run(["shape", "--data", str(scans), "-o", str(tmp_path / "out"), *words])
    assert sentence in str(told.value) and not (tmp_path / "out").exists()


def test_options_say_which_pictures_there_are_and_what_methods_are_told(
    scans: Path, tmp_path: Path, monkeypatch
) -> None:
    asked = ShapeEvaluation(data=scans, out=tmp_path / "out", methods=("inflate",), size=64, views=2, seed=3)
    protocol = Shapes.open(asked)
    assert protocol.names == ["inflate/Ball_0", "inflate/Ball_1", "inflate/Box_0", "inflate/Box_1"]
    one = Shapes.open(replace(asked, limit=1, views=1, out=tmp_path / "one", seed=4))
    assert one.names == ["inflate/Ball_0"]
    first, camera = protocol.inputs.of(protocol.asked[0])
    other, _ = one.inputs.of(one.asked[0])
    large, _ = (inputs := Shapes.open(replace(asked, size=96, out=tmp_path / "large"))).inputs.of(inputs.asked[0])
    assert first.shape == other.shape == (64, 64, 4) and large.shape == (96, 96, 4) and (first != other).any()
    told = []
    monkeypatch.setattr(
        answers, "answered", lambda method, image, camera, seed: told.append((camera, seed)) or broken()
    )

    def broken():
        raise InputError("seen enough.")

    for focal in ("true", "unknown"):
        made = Shapes.open(replace(asked, focal=focal)).answerers["inflate"](protocol.asked[0], first, camera)
        assert made.mesh is None and made.reason == "seen enough."
    assert told == [(camera, 3), (None, 3)]


def test_methods_make_meshes_of_the_size_that_is_asked_for(scans: Path, tmp_path: Path) -> None:
    asked = ShapeEvaluation(
        data=scans, out=tmp_path, methods=("inflate",), size=64, faces=300, texture=64, resolution=32
    )
    protocol = Shapes.open(asked)
    picture, camera = protocol.inputs.of(protocol.asked[0])
    sizes = []
    for changed in (asked, replace(asked, faces=200, texture=96)):
        mesh = Shapes.open(changed).answerers["inflate"](protocol.asked[0], picture, camera).mesh
        assert mesh is not None and mesh.texture is not None
        sizes.append((len(mesh.faces), mesh.texture.shape[0]))
    assert sizes == [(300, 64), (200, 96)]


def test_options_of_methods_are_typed() -> None:
    assert parse_method("lift:refine=3,mirror=true") == ("lift", {"refine": 3, "mirror": True})
    assert evaluation_of("shape") is not None
