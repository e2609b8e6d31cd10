"""LIST's layouts are checked: what is missing is counted, the first wrong thing is named; Pix3D's photos are cut."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import trimesh
from PIL import Image
from tests.command_line import monoform
from tests.data.test_sdf import shapenet

from monoform import InputError, Mesh
from monoform.data.sdf.check import check_shapes, detect_layout
from monoform.data.sdf.pix3d import Pix3dObjects
from monoform.data.sdf.pix3d_crops import CropOptions, box_of, crop_photos, cropped, model_sources


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """ShapeNet's layout, two objects, nothing wrong; a third is listed and not there."""
    root = shapenet(tmp_path_factory.mktemp("whole"), "a b c")
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    for name in ("a", "b"):
        Mesh(np.asarray(ball.vertices), np.asarray(ball.faces)).export(root / f"isosurface/1/{name}/isosurf_scaled.obj")
    (root / "splits/1_test.lst").write_text("b\nd\n")
    return root


def test_what_is_there_and_what_is_missing_is_told(whole: Path) -> None:
    assert detect_layout(whole) == "shapenet"
    train, test = check_shapes(whole, "shapenet")
    assert train.startswith("train: 2 of 3 objects of 1 categories are whole; 6 easy views of 8 x 8 pixels.")
    for what in ("pictures", "samples", "farthest points", "a surface"):
        assert f"1 without {what} (1/c)." in train and f"1 without {what} (1/d)." in test
    assert check_shapes(whole, "shapenet", quick=True) == [train, test]
    done = monoform("prepare", "check", "--data", whole)
    assert done.returncode == 0 and done.stdout.splitlines() == [train, test], done.stderr


def spoiled(change: Callable[[h5py.File], None]) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        with h5py.File(root / "sampled_points/1/b/sampled_points.h5", "r+") as file:
            change(file)

    return spoil


def scale(file: h5py.File) -> None:
    file["grid_points"][...] = 2 * file["grid_points"][...]


def unsign(file: h5py.File) -> None:
    file["query_points_sigma_0.07"][:, 3] = np.abs(file["query_points_sigma_0.07"][:, 3])


def enlarge(file: h5py.File) -> None:
    file["query_points_sigma_0.003"][:, 3] = 0.3


def cut(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:40])


def few_cameras(root: Path) -> None:
    (root / "images/1/b/easy/rendering_metadata.txt").write_text("[1,2,0,0.7,35,32,1.75,0,0,0]\n")


def another_surface(root: Path) -> None:
    ball = trimesh.creation.icosphere(subdivisions=1, radius=1.0)
    ball.export(root / "isosurface/1/b/isosurf_scaled.obj")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (spoiled(scale), "fill the box of side 1"),
        (spoiled(unsign), "no point at the offset 0.07 is inside"),
        (spoiled(enlarge), "half of the points at the offset 0.003 lie 0.3"),
        (spoiled(lambda file: file.pop("query_points_sigma_0.01")), "no data set 'query_points_sigma_0.01'"),
        (cut("images/1/b/easy/01.png"), "01.png"),
        (cut("sampled_points/1/b/farthest_pointclouds.h5"), "farthest_pointclouds.h5"),
        (few_cameras, "tells of 1 views, and 3 are there"),
        (another_surface, "a longest side of 2"),
    ],
)
def test_the_first_wrong_thing_is_named(whole: Path, tmp_path: Path, spoil, sentence: str) -> None:
    shutil.copytree(whole, tmp_path / "set")
    spoil(tmp_path / "set")
    with pytest.raises(InputError, match=sentence) as found:
        check_shapes(tmp_path / "set", "shapenet")
    assert "1/b" in str(found.value)


def test_before_anything_is_sampled_the_next_step_is_told(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "images", tmp_path / "images")
    assert detect_layout(tmp_path) == "shapenet"
    with pytest.raises(InputError, match="has no folder splits"):
        check_shapes(tmp_path, "shapenet")
    shutil.copytree(whole / "splits", tmp_path / "splits")
    (tmp_path / "DISN/1/a").mkdir(parents=True)
    (tmp_path / "DISN/1/a/isosurf.obj").write_text("v 0 0 0\n")
    told = check_shapes(tmp_path, "shapenet")[-1]
    assert "1 of 4 have DISN/CATEGORY/OBJECT/isosurf.obj" in told and "prepare sdf" in told


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Pix3D as it is published: three photos of two chairs, one of a table whose photo and mesh are missing."""
    root, records = tmp_path / "pix3d", []
    for number, model in enumerate(("A", "A", "B")):
        pixels = np.zeros((40, 60, 3), np.uint8)
        pixels[10:30, 20:50] = (200, 10 * number, 0)
        pixels[:5] = 90  # the background
        mask = np.where(pixels[..., 0] > 100, 255, 0).astype(np.uint8)
        mask[:, 45:] = 0
        for kind, content in (("img", pixels), ("mask", mask)):
            (root / kind / "chair").mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(root / kind / "chair" / f"{number:04d}.png")
        (root / "model/chair" / model).mkdir(parents=True, exist_ok=True)
        trimesh.creation.box((1.0, 0.6, 0.4)).export(root / "model/chair" / model / "model.obj")
        records.append(
            {
                "img": f"img/chair/{number:04d}.png",
                "mask": f"mask/chair/{number:04d}.png",
                "model": f"model/chair/{model}/model.obj",
                "category": "chair",
                "bbox": [19.6, 4, 50, 99],
                "rot_mat": np.eye(3).tolist(),
                "trans_mat": [0, 0, 1.5],
            }
        )
    lost = {
        key: value.replace("0000", "0009").replace("/A/", "/C/")
        for key, value in records[0].items()
        if key in ("img", "mask", "model")
    }
    records.append(records[0] | lost)
    (root / "pix3d.json").write_text(json.dumps(records))
    return root


def test_photos_are_cut_to_their_boxes(published: Path) -> None:
    record = json.loads((published / "pix3d.json").read_text())[2]
    found = cropped(published, record)
    assert found.shape == (36, 31, 3)  # columns 19 to 50, rows 4 to the last
    assert found[0, 0].tolist() == [90, 90, 90] and found[6, 1].tolist() == [200, 20, 0]
    masked = cropped(published, record, masked=True)
    assert masked[0, 0].tolist() == [0, 0, 0] and masked[6, 1].tolist() == [200, 20, 0] and masked[6, 28].max() == 0
    for box in (None, [1, 2, 3], [70, 5, 90, 9], ["a", 1, 2, 3], [float("nan")] * 4):
        with pytest.raises(InputError, match="bbox"):
            box_of({"img": "x.png", "bbox": box}, 60, 40)
    with pytest.raises(InputError, match="no path below"):
        cropped(published, record | {"img": "../x.png"})


def test_pix3d_as_published_becomes_what_list_reads(published: Path, tmp_path: Path) -> None:
    assert detect_layout(published) == "pix3d"
    checked = monoform("prepare", "check", "--data", published)
    assert checked.returncode == 0 and "3 of 4 photos of 3 models are whole." in checked.stdout, checked.stderr
    assert "1 without a photo (img/chair/0009.png)." in checked.stdout and "1 without a mesh" in checked.stdout
    out, words = tmp_path / "out", ("--test-share", 0.5, "--workers", 1)
    done = monoform("prepare", "pix3d", "--data", published, "-o", out, *words)
    assert done.returncode == 2 and "0009.png is left out" in done.stdout and "3 photos are in" in done.stdout
    again = monoform("prepare", "pix3d", "--data", published, "-o", out, *words)
    assert "3 of them from before" in again.stdout, again.stderr
    words = ("--points", 400, "--farthest", 40, "--voxels", 32, "--workers", 1)
    done = monoform("prepare", "sdf", "--data", published, "-o", out / "data", *words)
    assert done.returncode == 2 and "2 objects are in" in done.stdout, done.stdout + done.stderr
    train, test = (json.loads((out / f"splits/{split}.json").read_text()) for split in ("train", "test"))
    assert sorted(train + test) == ["0.pkl", "1.pkl", "2.pkl", "3.pkl"]
    assert ("0.pkl" in train) == ("1.pkl" in train)  # one model
    photos = [photo for split in ("train", "test") for photo in _photos(out, split)]
    assert {(photo.category, photo.model) for photo in photos} == {("chair", "A.model"), ("chair", "B.model")}
    checked = monoform("prepare", "check", "--data", out)
    assert checked.returncode == 0 and "1 without a crop (3.pkl)." in checked.stdout, checked.stderr
    np.save(out / "data/img/chair/A.model/0000.npy", np.zeros((4, 4)))
    checked = monoform("prepare", "check", "--data", out)
    assert checked.returncode == 2 and "not bytes (h, w, 3)" in checked.stderr


def _photos(out: Path, split) -> list:
    try:
        return Pix3dObjects(out, split).photos
    except InputError:
        return []


def test_splits_of_others_are_taken_and_wrong_records_refused(published: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    (others / "train.json").write_text('["x/0.pkl", "x/1_flipped.pkl"]')
    (others / "test.json").write_text('["x/2.pkl"]')
    done = crop_photos(published, tmp_path / "out", CropOptions(masked=True), splits=others, workers=1)
    assert (done.made, done.splits) == (3, {"train": 2, "test": 1}) and list(done.failed) == ["img/chair/0009.png"]
    assert json.loads((tmp_path / "out/splits/train.json").read_text())[1] == "x/1_flipped.pkl"
    assert np.load(tmp_path / "out/data/img/chair/A.model/0000.npy")[0, 0].max() == 0
    with pytest.raises(InputError, match="other photos or options"):
        crop_photos(published, tmp_path / "out", CropOptions(), splits=others, workers=1)
    assert [source.name for source in model_sources(published)] == ["A.model", "B.model", "C.model"]
    for content, sentence in (("{}", "should hold"), ('["x"]', "None of the 1 photos"), ("[]", "None of the 0 photos")):
        (published / "pix3d.json").write_text(content)
        with pytest.raises(InputError, match=sentence):
            crop_photos(published, tmp_path / "none", workers=1)
