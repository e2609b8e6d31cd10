"""Samples for LIST: signed distances, even clouds, files, the readers of ShapeNet's and Pix3D's layout."""

from __future__ import annotations

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial import cKDTree

from monoform import InputError, Mesh
from monoform.data.objects.sources import Source
from monoform.data.sdf.check import check_shapes
from monoform.data.sdf.disn import DisnObjects
from monoform.data.sdf.files import CLOUD, SAMPLES, read_cloud, read_near, write_samples
from monoform.data.sdf.items import DrawOptions, drawing, drawn_near
from monoform.data.sdf.jitter import ByteJitter, draw_byte_jitter, jittered
from monoform.data.sdf.pix3d import Pix3dObjects
from monoform.data.sdf.prepare import globbed_sources, sample_meshes
from monoform.data.sdf.samples import (
    SdfOptions,
    drawn_counts,
    exact_distance,
    farthest_points,
    sample_sdf,
    signed_distance,
    unit_box,
)
from monoform.mesh import sample_surface
from monoform.mesh.solid.winding import winding_number

FEW = SdfOptions(points=400, farthest=50, voxels=48)


def ball(radius: float = 1.0) -> Mesh:
    made = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces))


def open_box() -> Mesh:
    """A box of thin walls without its lid, as one sheet."""
    made = trimesh.creation.box((1.0, 0.6, 0.8)).subdivide().subdivide()
    centers = made.triangles_center
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces)[centers[:, 1] < 0.2999])


def test_the_longest_side_becomes_1() -> None:
    mesh = unit_box(Mesh(np.array([[2.0, 0, 0], [6, 1, 0], [2, 0, 2]]), np.array([[0, 1, 2]])))
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    np.testing.assert_allclose(low, -high)
    np.testing.assert_allclose(high - low, [1, 0.25, 0.5])


@pytest.mark.parametrize("sign", ["solid", "winding", "raw"])
def test_distances_of_a_ball_are_analytic(sign: str) -> None:
    options = SdfOptions(points=300, farthest=20, sign=sign, voxels=64)  # type: ignore[arg-type]
    samples = sample_sdf(ball(), options, generator=np.random.default_rng(0))
    for sigma, rows in samples.near.items():
        wanted = np.linalg.norm(rows[:, :3], axis=1) - 0.5
        np.testing.assert_allclose(rows[:, 3], wanted, atol=0.005, err_msg=str(sigma))
        assert rows[:, :3] - samples.surface == pytest.approx(np.zeros_like(samples.surface), abs=6 * sigma)
    assert samples.near[0.07].shape == (300, 4) and len(samples.farthest) == 20


def test_the_inside_of_an_open_box_is_told_by_the_walls() -> None:
    """Winding numbers give fractions there; what the walls hold is inside, what stands before the opening is not."""
    samples = sample_sdf(open_box(), FEW, generator=np.random.default_rng(0))
    rows = np.concatenate(list(samples.near.values()))
    clear = np.abs(rows[:, :3]) < np.array([0.45, 0.25, 0.35])
    below = (np.abs(rows[:, :3]) > np.array([0.53, 9, 0.43])).any(1) | (rows[:, 1] < -0.34)
    assert (rows[below, 3] > 0).all() and below.sum() > 20
    deep = clear.all(1) & (rows[:, 1] < 0.1)
    assert deep.sum() > 5 and len(np.unique(rows[deep, 3] < 0)) <= 2


@settings(max_examples=25)
@given(st.tuples(*[st.floats(-1.5, 1.5)] * 3))
def test_the_winding_number_of_a_ball_is_1_inside_and_0_outside(point: tuple) -> None:
    place = np.array([point])
    radius = float(np.linalg.norm(place))
    if abs(radius - 1) > 0.02:
        assert winding_number(ball(), place)[0] == pytest.approx(float(radius < 1), abs=1e-9)


def test_no_point_of_the_surface_is_nearer_than_the_exact_distance() -> None:
    mesh = open_box()
    points = np.random.default_rng(0).uniform(-0.8, 0.8, (200, 3))
    nearest = cKDTree(sample_surface(mesh, 200_000, seed=0)[0]).query(points)[0]
    found = exact_distance(mesh, points)
    assert (found <= nearest + 1e-9).all() and (nearest - found).max() < 0.01


def test_overlaps_count_once_unless_asked_for_raw() -> None:
    one, other = ball(), ball()
    beside = other.vertices + np.array([0.8, 0, 0])
    both = Mesh(np.r_[one.vertices, beside], np.r_[one.faces, other.faces + len(one.vertices)])
    place = np.array([[0.4, 0.0, 0.0]])
    distance = exact_distance(both, place)[0]
    assert signed_distance(both, place)[0] == pytest.approx(-distance)
    assert signed_distance(both, place, clip=False)[0] == pytest.approx(-3 * distance)


def test_farthest_points_are_the_greedy_ones() -> None:
    points = np.random.default_rng(0).normal(size=(60, 3))
    found = farthest_points(points, 10)
    chosen = [0]
    while len(chosen) < 10:
        gaps = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(1)
        chosen.append(int(gaps.argmax()))
    assert found.tolist() == chosen
    with pytest.raises(InputError, match="61 farthest points are asked for, of 60"):
        farthest_points(points, 61)


def test_counts_round_halves_to_even() -> None:
    assert drawn_counts((0.45, 0.44, 0.10), 32768) == [14746, 14418, 3277]
    assert drawn_counts((0.5, 0.25), 1) == [0, 0] and drawn_counts((0.5,), 3) == [2]


@pytest.mark.parametrize("changes", [{"farthest": 0}, {"points": 10}, {"sigmas": ()}, {"sigmas": (0.0,)}])
def test_options_that_make_no_samples_are_refused(changes: dict) -> None:
    with pytest.raises(InputError):
        SdfOptions(**changes)


def test_files_hold_what_was_sampled_in_the_published_names(tmp_path: Path) -> None:
    samples = sample_sdf(ball(), FEW, generator=np.random.default_rng(0))
    write_samples(samples, tmp_path)
    with h5py.File(tmp_path / SAMPLES) as file:
        assert set(file) == {"grid_points", *(f"query_points_sigma_{s}" for s in ("0.003", "0.01", "0.07"))}
        assert file["grid_points"].dtype == np.float64 and file["grid_points"].compression == "gzip"
    near = read_near(tmp_path / SAMPLES, (0.01, 0.07))
    np.testing.assert_allclose(near[1], samples.near[0.07], atol=1e-6)
    np.testing.assert_allclose(read_cloud(tmp_path / CLOUD), samples.surface[samples.farthest], atol=1e-6)


def test_damaged_sample_files_are_refused(tmp_path: Path) -> None:
    file = tmp_path / SAMPLES
    with pytest.raises(InputError, match="There is no file"):
        read_near(file, (0.01,))
    file.write_bytes(b"no hdf5")
    with pytest.raises(InputError, match="damaged or has no data set"):
        read_near(file, (0.01,))
    for values, sentence in ((np.zeros((4, 3)), r"shape \(4, 3\)"), (np.full((4, 4), np.nan), "not finite")):
        with h5py.File(file, "w") as content:
            content["query_points_sigma_0.01"] = values
        with pytest.raises(InputError, match=sentence):
            read_near(file, (0.01,))


def sources(folder: Path, count: int = 2) -> list[Source]:
    folder.mkdir(parents=True)
    for number in range(count):
        ball(1.0 + number).export(folder / f"ball_{number}.obj")
    return [Source(f"ball_{number}", str(folder / f"ball_{number}.obj"), category="balls") for number in range(count)]


def test_a_broken_mesh_is_reported_and_a_rerun_keeps_what_is_there(tmp_path: Path) -> None:
    given_ = sources(tmp_path / "in")
    (tmp_path / "in" / "broken.obj").write_text("v 0 0 0\nf 1 2 3\n")
    given_.append(Source("broken", str(tmp_path / "in" / "broken.obj"), category="balls"))
    told: list[tuple[int, int, str]] = []
    done = sample_meshes(given_, tmp_path / "out", FEW, workers=1, progress=lambda *each: told.append(each))
    assert (done.made, done.kept) == (2, 0) and list(done.failed) == ["broken"]
    assert [each[:2] for each in told] == [(1, 3), (2, 3), (3, 3)]
    files = sorted(str(file.relative_to(tmp_path / "out")) for file in (tmp_path / "out").rglob("*") if file.is_file())
    assert "isosurface/balls/ball_0/isosurf_scaled.obj" in files
    assert "sampled_points/balls/ball_1/farthest_pointclouds.h5" in files
    (tmp_path / "out/sampled_points/balls/ball_1" / CLOUD).unlink()
    before = (tmp_path / "out/sampled_points/balls/ball_1" / SAMPLES).read_bytes()
    again = sample_meshes(given_[:2], tmp_path / "out", FEW, workers=1)
    assert (again.made, again.kept) == (1, 1)
    ball(3.0).export(tmp_path / "in/ball_0.obj")  # changed since: its samples are those of another mesh
    future = (tmp_path / "out/sampled_points/balls/ball_0" / CLOUD).stat().st_mtime_ns + 10**9
    os.utime(tmp_path / "in/ball_0.obj", ns=(future, future))
    again = sample_meshes(given_[:2], tmp_path / "out", FEW, workers=1)
    assert (again.made, again.kept) == (1, 1)
    assert len((tmp_path / "out/sampled_points/balls/ball_1" / SAMPLES).read_bytes()) == len(before)
    with pytest.raises(InputError, match="samples of other options"):
        sample_meshes(given_, tmp_path / "out", SdfOptions(points=500, farthest=50), workers=1)


def test_draws_depend_on_the_name_and_not_on_the_company(tmp_path: Path) -> None:
    given_ = sources(tmp_path / "in")
    sample_meshes(given_, tmp_path / "both", FEW, workers=1)
    sample_meshes(given_[1:], tmp_path / "one", FEW, workers=1)
    both, one = (read_cloud(tmp_path / name / "sampled_points/balls/ball_1" / CLOUD) for name in ("both", "one"))
    np.testing.assert_array_equal(both, one)


def test_a_pattern_names_objects_by_their_folders(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "03001627" / name).mkdir(parents=True)
        ball().export(tmp_path / "03001627" / name / "isosurf.obj")
    found = globbed_sources(tmp_path, "*/*/isosurf.obj")
    assert [(each.category, each.name) for each in found] == [("03001627", "a"), ("03001627", "b")]
    with pytest.raises(InputError, match="fits the pattern"):
        globbed_sources(tmp_path, "*/*/other.obj")


def shapenet(root: Path, names: str = "a b") -> Path:
    for name in ("a", "b"):
        pictures, samples = root / "images/1" / name / "easy", root / "sampled_points/1" / name
        pictures.mkdir(parents=True)
        for view in range(3):
            pixels = np.full((8, 8, 4), 40 * view, np.uint8)
            Image.fromarray(pixels).save(pictures / f"{view:02d}.png")
        write_samples(sample_sdf(ball(), FEW, generator=np.random.default_rng(0)), samples)
    (root / "splits").mkdir()
    (root / "splits/1_train.lst").write_text("\n".join(names.split()))
    return root


def test_shapenet_items_and_what_is_missing(tmp_path: Path) -> None:
    objects = DisnObjects(shapenet(tmp_path, "a nowhere b"), "train")
    assert objects.names == ["1/a", "1/b"] and len(objects.missing) == 1 and "nowhere" in objects.missing[0]
    item = objects.item(0, DrawOptions((0.5, 0.25, 0.25), 40), drawing(torch.Generator().manual_seed(0)))
    assert item.picture.shape == (8, 8, 3) and item.cloud.shape == (50, 3)
    assert item.points.shape == (40, 3) and item.sdf.shape == (40,)
    np.testing.assert_allclose(item.sdf, np.linalg.norm(item.points, axis=1) - 0.5, atol=0.01)
    assert len(DisnObjects(tmp_path, "train", most=1)) == 1
    with pytest.raises(InputError, match="no view 5"):
        objects.picture(0, 5)
    with pytest.raises(InputError, match="fractions for 1"):
        objects.item(0, DrawOptions((1.0,), 4), drawing(torch.Generator()))


def test_a_split_without_an_object_is_told(tmp_path: Path) -> None:
    root = shapenet(tmp_path, "a b")
    for file in (root / "splits").iterdir():
        file.with_name(file.name.replace("_train", "_test")).write_text("\n")
    with pytest.raises(InputError, match=r"The lists of the test split in .* name no object"):
        DisnObjects(root, "test")


def test_wrong_shapenet_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no folder splits"):
        DisnObjects(tmp_path)
    shapenet(tmp_path, "nowhere")
    with pytest.raises(InputError, match="None of the 1 objects"):
        DisnObjects(tmp_path)
    with pytest.raises(InputError, match="no list"):
        DisnObjects(tmp_path, "test")
    with pytest.raises(InputError, match="put one object a line"):
        DisnObjects(tmp_path, "train", categories=["7"])


def pix3d(root: Path) -> Path:
    (root / "splits").mkdir(parents=True)
    picture, samples = root / "data/img/bed/IKEA.model", root / "data/sampled_points/bed/IKEA.model"
    picture.mkdir(parents=True)
    np.save(picture / "0001.npy", np.full((6, 9, 3), 77, np.uint8))
    write_samples(sample_sdf(ball(), SdfOptions(points=500, farthest=50), generator=np.random.default_rng(0)), samples)
    record = {"category": "bed", "model": "model/bed/IKEA/model.obj", "img": "img/bed/0001.png"}
    (root / "data/pix3d.json").write_text(json.dumps([record, record | {"img": "img/bed/0002.png"}]))
    (root / "splits/train.json").write_text(json.dumps(["x/0.pkl", "x/1.pkl", "x/0_flipped.pkl", "x/9.pkl"]))
    return root


def test_pix3d_items_and_what_is_missing(tmp_path: Path) -> None:
    objects = Pix3dObjects(pix3d(tmp_path), "train")
    assert objects.names == ["bed/IKEA.model/0001"] and len(objects.missing) == 2
    item = objects.item(0, DrawOptions((0.5, 0.25, 0.25), 40), drawing(torch.Generator().manual_seed(0)))
    assert item.picture.shape == (224, 224, 3) and (item.picture == 77).all() and item.cloud.shape == (4096, 3)
    with pytest.raises(InputError, match="Nothing of the split train"):
        Pix3dObjects(tmp_path, "train", categories=["sofa"])
    np.save(tmp_path / "data/img/bed/IKEA.model/0001.npy", np.zeros((6, 9)))
    with pytest.raises(InputError, match="not bytes"):
        objects.picture(0)
    (tmp_path / "splits/train.json").write_text("{}")
    with pytest.raises(InputError, match="holds a dict"):
        Pix3dObjects(tmp_path, "train")
    (tmp_path / "splits/train.json").write_text("[")
    with pytest.raises(InputError, match="it should hold a list of names"):
        Pix3dObjects(tmp_path, "train")


def test_rows_are_drawn_offset_by_offset() -> None:
    near = [np.full((5, 4), number, np.float32) for number in (1.0, 2.0)]
    points, sdf = drawn_near(near, [2, 3], drawing(torch.Generator().manual_seed(0)))
    assert sdf.tolist() == [1, 1, 2, 2, 2] and points.shape == (5, 3)
    with pytest.raises(InputError, match="that gives none"):
        DrawOptions((0.0,), 5)


def test_jitter_keeps_black_black_and_does_nothing_by_default() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    pixels[0] = 0
    np.testing.assert_array_equal(jittered(pixels, ByteJitter(order=(0, 1))), pixels)
    change = draw_byte_jitter(np.random.default_rng(1))
    assert 0.7 <= change.brightness <= 1.3 and 0.5 <= change.saturation <= 1.5 and abs(change.hue) <= 0.5
    found = jittered(pixels, change)
    assert (found[0] == 0).all() and (found != pixels).any()


def test_views_go_by_the_numbers_of_their_files(tmp_path: Path) -> None:
    pictures = shapenet(tmp_path, "a") / "images/1/a/easy"
    whole = DisnObjects(tmp_path, "train")
    third = whole.picture(0, 2)
    assert whole.objects[0].views == (0, 1, 2)
    (pictures / "01.png").unlink()
    objects = DisnObjects(tmp_path, "train")
    assert objects.objects[0].views == (0, 2)
    np.testing.assert_array_equal(objects.picture(0, 2), third)
    with pytest.raises(InputError, match="no view 1: there are 0, 2"):
        objects.picture(0, 1)
    train, *_ = check_shapes(tmp_path, "shapenet")
    assert "1 without all easy views (1/a)" in train
    for number, name in enumerate(("front", "side")):
        (pictures / f"0{2 * number}.png").rename(pictures / f"{name}.png")
    assert DisnObjects(tmp_path, "train").objects[0].views == (0, 1)
