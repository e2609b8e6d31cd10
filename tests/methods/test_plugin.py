"""The example package, installed beside monoform, goes through every command like a method of ours."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.command_line import monoform
from tests.pictures import png

from monoform.mesh import Mesh
from monoform.mesh.read import load

PLUGIN = Path(__file__).parents[2] / "examples" / "plugin"
PACKAGE = "monoform_ellipsoid"
WIDE, HIGH = 26.0, 14.0  # half axes of the drawn objects, in pixels


def drawn(wide: float, high: float, *, width: int = 96, height: int = 72) -> bytes:
    """A photo of a green ellipse with its mask as alpha."""
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    reach = np.hypot((columns - 52) / wide, (rows - 40) / high)
    alpha = np.clip((1 - reach) * min(wide, high) + 0.5, 0, 1)
    rgb = np.broadcast_to([0.2, 0.7, 0.3], (height, width, 3))
    return png(np.dstack([rgb, alpha]).astype(np.float32))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package in a folder of its own, with the records of its name and entry points that an installer leaves."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    target = tmp_path_factory.mktemp("installed")
    shutil.copytree(PLUGIN / PACKAGE, target / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    info = target / f"{PACKAGE}-{project['version']}.dist-info"
    info.mkdir()
    told = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(told)
    points = project["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in of.items()) for group, of in points]
    (info / "entry_points.txt").write_text("\n".join(lines))
    return target


@pytest.fixture(scope="module")
def run(installed: Path) -> Callable[..., str]:
    """A command with the package installed; what it prints, where it fails its sentence."""

    def command(*words: object, code: int = 0) -> str:
        done = monoform(*words, packages=installed)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stderr

    return command


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    drawing = np.random.default_rng(0)
    for number in range(16):
        wide, high = drawing.uniform(8, 30, 2)
        (folder / f"{number:02d}.png").write_bytes(drawn(wide, high))
    return folder


@pytest.fixture(scope="module")
def trained(run: Callable[..., str], photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "ellipsoid"
    told = run("train", "ellipsoid", "--data", photos, "-o", out, "--device", "cpu", "--width", 6, "--tensorboard")
    assert "300 of 300 steps are done" in told
    return out


def test_it_is_listed_with_its_verbs_and_options(run: Callable[..., str]) -> None:
    assert "ellipsoid" in run("models")
    told = run("models", "ellipsoid")
    assert "verbs: reconstruct, generate, train, evaluate" in told
    for words in ("radius along the line of sight", "channels of the network", "option of train ellipsoid"):
        assert words in " ".join(told.split())


def test_a_training_has_the_loop_of_the_house(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    ious = [line["evaluate/iou"] for line in lines if line["kind"] == "evaluate"]
    assert len(ious) == 3 and ious[-1] > 0.8
    assert len(list((trained / "pictures").glob("ellipse_*.png"))) == 3 and any((trained / "tensorboard").iterdir())
    assert json.loads((trained / "weights" / "config.json").read_text())["config"]["width"] == 6


def test_a_photo_becomes_a_result_folder(run: Callable[..., str], trained: Path, tmp_path: Path) -> None:
    (tmp_path / "leaf.png").write_bytes(drawn(WIDE, HIGH))
    words = ("--method", "ellipsoid", "--set", f"weights={trained / 'weights'}", "--frames", 0, "--faces", 800)
    run("reconstruct", tmp_path / "leaf.png", *words, "-o", tmp_path / "out", "--resolution", 64)
    result = json.loads((tmp_path / "out" / "leaf" / "result.json").read_text())
    assert result["overlay"]["iou"] > 0.75 and result["device"] == "cpu"
    extent = np.ptp(load(tmp_path / "out" / "leaf" / "mesh.glb").vertices, axis=0)
    assert extent[0] == pytest.approx(0.9, rel=0.05) and extent[1] / extent[0] == pytest.approx(HIGH / WIDE, rel=0.3)
    assert extent[2] == pytest.approx(extent[1], rel=0.05), "as deep as it is narrow"


def test_without_weights_it_says_so(run: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "leaf.png").write_bytes(drawn(WIDE, HIGH))
    told = run("reconstruct", tmp_path / "leaf.png", "--method", "ellipsoid", "-o", tmp_path / "out", code=2)
    assert "ellipsoid needs weights" in told
    told = run("reconstruct", "a.png", "--method", "ellipsoid", "--set", "depth=99", "-o", tmp_path / "out", code=2)
    assert "ellipsoid's depth is 99.0; it must lie in 0.1..10." in told and not (tmp_path / "out").exists()


def test_it_is_measured(run: Callable[..., str], trained: Path, photos: Path, tmp_path: Path) -> None:
    words = ("--data", photos, "--weights", trained / "weights", "-o", tmp_path / "scores")
    told = run("evaluate", "ellipsoid", *words)
    summary = json.loads((tmp_path / "scores" / "metrics.json").read_text())
    assert summary["objects"] == 16 and summary["total"]["iou"] > 0.8 and "| all | 16 |" in told


def test_samples_are_result_folders_of_their_seeds(run: Callable[..., str], tmp_path: Path) -> None:
    words = ("--frames", 2, "--faces", 500, "--resolution", 48, "--texture", 64, "--wobble", 2)
    told = run("generate", "ellipsoid", "--seeds", "0-1", 7, "-o", tmp_path / "out", *words)
    names = ["seed_0000", "seed_0001", "seed_0007"]
    assert [Path(line).name for line in told.splitlines()] == [*names, "sheet.png"]
    beside = {"index.html", "summary.csv", "sheet.png"}
    meshes: list[Mesh] = []
    for name in names:
        folder = tmp_path / "out" / name
        result = json.loads((folder / "result.json").read_text())
        assert result["photo"] is None and result["seed"] == int(name[5:]) and result["overlay"] is None
        expected = {"mesh.glb", "turntable.mp4", "report.html", "image.png", "camera.json", "depth.npy", "wobble.mp4"}
        assert expected <= {path.name for path in folder.iterdir()}
        meshes.append(load(folder / "mesh.glb"))
    radii = torch.randn(6, generator=torch.Generator().manual_seed(7))[:3].mul(0.5).exp()
    expected = (0.9 * radii / radii.max()).numpy()
    np.testing.assert_allclose(np.ptp(meshes[2].vertices, axis=0), expected, atol=0.02)
    again = run("generate", "ellipsoid", "--seeds", "7", "-o", tmp_path / "out", *words)
    assert "already there" in again
    stamps = [(tmp_path / "out" / name / "mesh.glb").stat().st_mtime_ns for name in names]
    others = (*words[:3], 400, *words[4:])
    told = run("generate", "ellipsoid", "--seeds", 3, 7, "-o", tmp_path / "out", *others, code=2)
    folder = tmp_path / "out" / "seed_0007"
    assert told == (
        f"monoform: {folder} is the result of another request (faces 500, not 400): choose another -o, or add "
        "--overwrite to replace it.\n"
    )
    assert [(tmp_path / "out" / name / "mesh.glb").stat().st_mtime_ns for name in names] == stamps
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*names, *beside}, "nothing was begun"
    (tmp_path / "seed_0007.png").write_bytes(drawn(WIDE, HIGH))
    told = run("reconstruct", tmp_path / "seed_0007.png", "--method", "inflate", "-o", tmp_path / "out", code=2)
    assert f"{folder} is the result of a sample of ellipsoid: choose another -o" in told
    run("generate", "ellipsoid", "--seeds", 7, "-o", tmp_path / "out", "--overwrite", *others)
    alone = run("generate", "ellipsoid", "--seeds", 7, "-o", tmp_path / "alone", *words)
    assert Path(alone.strip()).name == "seed_0007"
    np.testing.assert_array_equal(load(tmp_path / "alone" / "seed_0007" / "mesh.glb").vertices, meshes[2].vertices)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("lift",), "lift makes no samples: choose bootstrap or ellipsoid or pof3d."),
        (("ellipsoid", "--seeds", "7-3"), "--seeds has '7-3'; a range goes upwards"),
        (("ellipsoid", "--seeds", "x"), "--seeds has 'x'; give numbers and ranges, as in 0-7 12."),
        (("ellipsoid", "--seeds", "0-99999999"), "over at most 1000000 seeds in all"),
        (("ellipsoid", "--film", "field"), "ellipsoid gives no radiance field to film"),
        (("ellipsoid", "--truncation", "0.5"), "ellipsoid has no option truncation: it takes weights, depth, fov."),
        (("ellipsoid", "--cameras", "predicted"), "ellipsoid predicts no cameras: choose --cameras fixed or orbit."),
        (("ellipsoid", "--interpolate"), "--interpolate goes from sample to sample: give at least two --seeds, not 1."),
        (("ellipsoid", "--mix", 0, 1), "have one layer of styles: there is nothing to mix."),
        (("ellipsoid", "--published"), "ellipsoid knows no files of its authors' program: leave out --published."),
        (("--weights", "nowhere"), "There are no weights at nowhere: give a folder that exists, or name the METHOD."),
        ((), "generate needs METHOD or --weights"),
        (("ellipsoid", "--set", "fov=a"), "--set fov is 'a': give a number."),
        (("none",), "There is no method 'none'"),
    ],
)
def test_what_cannot_be_sampled_is_one_sentence(
    words: tuple[str, ...], sentence: str, run: Callable[..., str], tmp_path: Path
) -> None:
    told = run("generate", *words, "-o", tmp_path / "out", code=2)
    assert sentence in told and len(told.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_package_with_a_broken_file_stops_no_other_method(installed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "packages"
    shutil.copytree(installed, broken)
    (broken / "monoform_ellipsoid" / "train.py").write_text("import nothing_of_this_name\n")
    (broken / "monoform_ellipsoid" / "evaluate.py").write_text("import nothing_of_this_name\n")
    listed = monoform("models", packages=broken)
    assert listed.returncode == 0 and "ellipsoid" in listed.stdout
    told = monoform("train", "lift", "--data", tmp_path / "none", "-o", tmp_path / "out", packages=broken)
    assert told.returncode == 2 and "is not a packed data set" in told.stderr
    told = monoform("evaluate", "ellipsoid", "-o", tmp_path / "out", packages=broken)
    assert told.returncode == 2 and "monoform_ellipsoid.evaluate is installed but cannot be imported" in told.stderr


def test_the_page_about_it_quotes_its_files() -> None:
    page = PLUGIN.parents[1] / "docs" / "extending.md"
    blocks = re.findall(r"{literalinclude} (\S+)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert [Path(name).name for name, _ in blocks] == ["pyproject.toml", "infer.py", "train.py", "evaluate.py"]
    for name, options in blocks:
        begun = re.search(r":start-at: (.+)", options)
        assert begun is None or begun[1] in (page.parent / name).read_text(), name
