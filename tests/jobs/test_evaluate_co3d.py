"""Results against a tiny CO3D of known shape."""

from __future__ import annotations

import gzip
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tests.pictures import mug
from tests.tiny_diffusion import save_clip

import monoform
from monoform import InputError
from monoform.camera import Camera
from monoform.data.captures.co3d import co3d_camera
from monoform.guidance.clip import DEVIATION, MEAN
from monoform.jobs.evaluate import evaluation_of
from monoform.jobs.evaluate_co3d import against_sequence, matches, through_photo
from monoform.jobs.evaluate_results import ResultEvaluation
from monoform.mesh import sample_surface
from monoform.metrics.alignment import apply, shape_scores, without_strays

NAME = "12_34_56"


def viewpoint(camera: Camera, form: str | None) -> dict:
    """What CO3D says of a camera, from the definition: projected by PyTorch3D, +x is left and +y up."""
    pose, k = camera.camera_from_world[0].double(), camera.intrinsics[0].double()
    turn = torch.diag(torch.tensor([-1.0, -1.0, 1.0], dtype=torch.float64))
    w, h = camera.width, camera.height
    half = np.array([w, h]) / 2 if form != "ndc_isotropic" else np.full(2, min(w, h) / 2)
    told = {
        "R": (turn @ pose[:3, :3]).T.tolist(),
        "T": (turn @ pose[:3, 3]).tolist(),
        "focal_length": [float(k[0, 0] / half[0]), float(k[1, 1] / half[1])],
        "principal_point": [float((w / 2 - k[0, 2]) / half[0]), float((h / 2 - k[1, 2]) / half[1])],
    }
    return told if form is None else told | {"intrinsics_format": form}


def write_entries(file: Path, entries: list) -> None:
    file.write_bytes(gzip.compress(json.dumps(entries).encode()))


def write_cloud(file: Path, points: np.ndarray) -> None:
    head = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n"
    head += "".join(f"property float {axis}\n" for axis in "xyz") + "end_header\n"
    file.write_bytes(head.encode() + points.astype("<f4").tobytes())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """A result, and the CO3D whose cloud is the result's own surface, five times as large."""
    root = tmp_path_factory.mktemp("co3d")
    rgb, mask = mug()
    folder = root / "data" / "cup" / NAME
    for name, picture in (("images", rgb), ("masks", mask)):
        (folder / name).mkdir(parents=True)
        values = np.asarray(picture)
        values = values if values.dtype == np.uint8 else (values * 255).astype(np.uint8)
        for number in (1, 2, 3):
            Image.fromarray(values).save(folder / name / f"frame{number:06d}.png")
    photo = folder / "images" / "frame000001.png"
    result = monoform.reconstruct(photo, mask=folder / "masks" / photo.name, method="inflate")
    result = replace(result, surface=result.mesh(faces=300, resolution=48, texture=64))
    result.save(root / "results" / "one")
    camera = result.camera
    assert camera.model == "pinhole"
    pose = camera.world_from_camera.clone()
    pose[:, :3, 3] *= 5
    seen = replace(camera, world_from_camera=pose)
    write_cloud(folder / "pointcloud.ply", 5 * sample_surface(result.mesh(), 20_000, seed=7)[0])
    size = [camera.height, camera.width]
    frames = [
        {
            "sequence_name": NAME,
            "frame_number": number,
            "image": {"path": f"cup/{NAME}/images/frame{number:06d}.png", "size": size},
            "mask": {"path": f"cup/{NAME}/masks/frame{number:06d}.png"},
            "viewpoint": viewpoint(seen, "ndc_isotropic"),
        }
        for number in (1, 2, 3)
    ]
    write_entries(root / "data" / "cup" / "frame_annotations.jgz", frames)
    cloud = {"path": f"/of/the/authors/cup/{NAME}/pointcloud.ply", "quality_score": 1.0}
    write_entries(
        root / "data" / "cup" / "sequence_annotations.jgz",
        [{"sequence_name": NAME, "category": "cup", "point_cloud": cloud}],
    )
    return root / "results", root / "data"


def run(asked: ResultEvaluation) -> tuple[str, dict]:
    evaluation = evaluation_of("realfusion")
    assert evaluation is not None
    return evaluation.run(asked), json.loads((asked.out / "metrics.json").read_text())


def test_the_truth_scores_a_hundred(made: tuple[Path, Path], tmp_path: Path) -> None:
    results, data = made
    clip = save_clip(tmp_path / "clip")
    for number, root in enumerate((data, data / "cup")):
        asked = ResultEvaluation(results=results, out=tmp_path / str(number), size=64, data=root, clip=str(clip))
        scores = run(asked)[1]["each"]["cup/one"]
        assert scores["f_0.05_percent"] == pytest.approx(100, abs=0.1)
        assert scores["chamfer"] < 0.03
        assert -1 <= scores["clip_held_out"] <= 1


class Pixels:
    """In CLIP's place: where a picture is not white, from -1 to 1, is its feature."""

    config = SimpleNamespace(vision_config=SimpleNamespace(image_size=32))
    device = torch.device("cpu")

    def get_image_features(self, pixel_values: torch.Tensor) -> torch.Tensor:
        white = (1 - torch.tensor(MEAN)) / torch.tensor(DEVIATION)
        differs = (pixel_values - white[:, None, None]).abs().amax(1) > 0.1
        return (2.0 * differs - 1).flatten(1)


def test_held_out_photos_are_compared_in_their_cameras(made: tuple[Path, Path]) -> None:
    results, data = made
    result = monoform.load(results / "one")
    match = matches(data, {"one": str(data / "cup" / NAME / "images" / "frame000001.png")})["one"]
    asked = {"clip": Pixels(), "held_out": 8, "seed": 0}
    right = against_sequence(result, result.mesh(), match, **asked)["clip_held_out"]
    assert right > 0.9
    aside = replace(match.frame.camera, intrinsics=match.frame.camera.intrinsics.clone())
    aside.intrinsics[0, 0, 2] += 0.25 * aside.width
    moved = [each if each is match.frame else replace(each, camera=aside) for each in match.sequence.frames]
    wrong = replace(match, sequence=replace(match.sequence, frames=moved))
    assert against_sequence(result, result.mesh(), wrong, **asked)["clip_held_out"] < right - 0.3


@pytest.mark.parametrize("form", [None, "ndc_norm_image_bounds", "ndc_isotropic"])
def test_a_camera_of_co3d_sees_what_pytorch3d_says(form: str | None) -> None:
    told = {
        "R": [[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]],
        "T": [0.1, -0.2, 4.0],
        "focal_length": [2.0, 3.0],
        "principal_point": [0.1, -0.3],
    } | ({} if form is None else {"intrinsics_format": form})
    camera = co3d_camera(told, 200, 100)
    point = np.array([0.3, 0.5, -0.4])
    x, y, z = point @ np.array(told["R"]) + told["T"]
    u, v = 2.0 * x / z + 0.1, 3.0 * y / z - 0.3  # +1 is the left and upper border of the shorter side, or of each
    pixels, depth = camera.project(torch.tensor(point)[None, None])
    across = 50 if form == "ndc_isotropic" else 100
    assert pixels[0, 0].tolist() == pytest.approx([100 - u * across, 50 - v * 50])
    assert float(depth) == pytest.approx(z)


def test_another_focal_length_moves_the_result_as_far_as_it_looks_as_large() -> None:
    generator = np.random.default_rng(0)
    ball = generator.normal(size=(4000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    pose = torch.eye(4, dtype=torch.float64)[None].clone()
    pose[0, 2, 3] = -10
    near = Camera.from_fov(pose, 0.4, 100, 100)
    pose = pose.clone()
    pose[0, 2, 3] = -20
    far = replace(Camera.from_fov(pose, 0.4, 100, 100), world_from_camera=pose)
    far = replace(far, intrinsics=far.intrinsics * torch.tensor([[2.0], [2.0], [1.0]]))
    far.intrinsics[0, :2, 2] = 50
    moved = apply(through_photo(ball, ball, near, far), ball)
    assert np.abs(moved - ball).max() < 0.1


def test_a_shift_is_scored_as_by_hand() -> None:
    corners = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
    shifted = corners + np.array([0.07 * np.sqrt(3), 0, 0])  # the sphere around the box has radius sqrt 3
    scores = shape_scores(shifted, corners)
    assert scores["f_0.05"] == 0 and scores["f_0.1"] == 1 and scores["chamfer"] == pytest.approx(0.07)


def test_stray_points_change_neither_unit_nor_scores(made: tuple[Path, Path]) -> None:
    results, data = made
    result = monoform.load(results / "one")
    match = matches(data, {"one": str(data / "cup" / NAME / "images" / "frame000001.png")})["one"]
    generator = np.random.default_rng(0)
    cloud = match.sequence.points()
    strays = generator.normal(size=(len(cloud) // 200, 3)) * 1000
    kept, radius = without_strays(np.r_[cloud, strays])
    assert np.array_equal(kept, cloud) and radius == without_strays(cloud)[1]
    ball = generator.normal(size=(50_000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    assert without_strays(3 * ball + 7)[1] == pytest.approx(3, rel=0.01)
    scores = []
    for number, points in enumerate((cloud, np.r_[cloud, strays])):
        file = data / f"{number}.ply"
        write_cloud(file, points)
        given = replace(match, sequence=replace(match.sequence, cloud=file))
        scores.append(against_sequence(result, result.mesh(), given, clip=None, held_out=8, seed=0))
    assert scores[1]["f_0.05_percent"] > 99.9
    assert scores[1]["chamfer"] == pytest.approx(scores[0]["chamfer"], rel=0.1)


def test_a_photo_from_elsewhere_is_found_by_the_folder_of_its_result(made: tuple[Path, Path]) -> None:
    data = made[1]
    sources = {
        f"{NAME}/one": "/elsewhere/frame000002.jpg",
        f"{NAME}/two": "",
        f"{NAME}/three": "frame000009.png",
        "four": "/elsewhere/frame000002.png",
    }
    found = matches(data, sources)
    assert set(found) == {f"{NAME}/one"}
    assert found[f"{NAME}/one"].frame.number == 2 and found[f"{NAME}/one"].sequence.name == NAME


def test_an_orthographic_result_goes_where_the_annotated_camera_sees_it_as_large() -> None:
    generator = np.random.default_rng(0)
    ball = generator.normal(size=(4000, 3))
    ball /= np.linalg.norm(ball, axis=1, keepdims=True)
    pose = torch.eye(4, dtype=torch.float64)[None].clone()
    pose[0, 2, 3] = -50
    seen = Camera.from_fov(pose, 0.1, 200, 100)
    flat = replace(seen, model="orthographic", intrinsics=seen.intrinsics.clone())
    flat.intrinsics[0, [0, 1], [0, 1]] = 2 * seen.intrinsics[0, 1, 1] / 50
    half = 0.5 * ball  # twice as many pixels for a unit, so that half the size looks the same
    moved = apply(through_photo(half, ball, flat, seen), half)
    assert np.abs(moved - ball).max() < 0.05


def test_what_cannot_be_measured_is_one_sentence(made: tuple[Path, Path], tmp_path: Path) -> None:
    results, data = made
    entry = json.loads(gzip.decompress((data / "cup" / "frame_annotations.jgz").read_bytes()))[0]
    for number, (content, said) in enumerate(
        (
            (b"no gzip", "cannot be unpacked"),
            (gzip.compress(b'[{"a": 1}, '), "cannot be read as a list"),
            (gzip.compress(json.dumps([entry | {"viewpoint": {"R": [[1]]}}]).encode()), "no 'focal_length'"),
            (gzip.compress(json.dumps([entry | {"image": {"path": "../x", "size": [4, 4]}}]).encode()), "the path"),
            (gzip.compress(b"[]"), "none of CO3D's"),
            (None, "holds no frame_annotations"),
        )
    ):
        folder = tmp_path / str(number) / "cup"
        folder.mkdir(parents=True)
        if content is not None:
            (folder / "frame_annotations.jgz").write_bytes(content)
        with pytest.raises(InputError, match=said):
            run(ResultEvaluation(results=results, out=tmp_path / "out", data=folder.parent))
    assert not (tmp_path / "out").exists()
    write_cloud(tmp_path / "flat.ply", np.ones((50, 3)))
    flat = (tmp_path / "flat.ply").read_bytes()
    unread = "cannot be read as points"
    for cloud, said in ((b"ply\nformat", unread), (b"", unread), (flat, "all its points in one place")):
        damaged = tmp_path / "damaged"
        shutil.copytree(data, damaged, dirs_exist_ok=True)
        (damaged / "cup" / NAME / "pointcloud.ply").write_bytes(cloud)
        with pytest.raises(InputError, match=said):
            run(ResultEvaluation(results=results, out=tmp_path / "cloud", data=damaged))
