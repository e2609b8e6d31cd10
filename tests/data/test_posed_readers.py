"""Readers of published posed data: order, look-up, laziness, conventions, and what they refuse."""

from __future__ import annotations

import math
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation
from tests.data import posed_files_cases as cases

from monoform.data.posed.dtu import TRAINING_VIEWS, DtuObjects, decompose_projection
from monoform.data.posed.dvr import DvrObjects
from monoform.data.posed.srn import SrnObjects
from monoform.data.posed.two_object import TwoObjectScenes
from monoform.data.posed.view_lists import read_view_list
from monoform.errors import InputError

quick = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_srn_objects_are_sorted_and_found_by_name(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("b", "a", "c"))
    cars = SrnObjects(tmp_path / "cars", "test", size=None)
    assert cars.keys == ("cars/a", "cars/b", "cars/c") and len(cars) == 3
    assert cars.index("cars/b") == cars.index("b") == cars.index(1) == cars.index(-2) == 1
    assert [item.key for item in cars] == list(cars.keys)
    assert SrnObjects(tmp_path, "test", size=None).keys == cars.keys  # the folder above, when it has one category
    with pytest.raises(InputError, match="no object 'd' among the 3; the first is cars/a"):
        cars.index("d")
    with pytest.raises(IndexError):
        cars[3]
    assert (cars.near, cars.far) == (0.8, 1.8)
    cases.write_srn(tmp_path / "chairs_train" / "chairs_2.0_train", ("x",))
    chairs = SrnObjects(tmp_path / "chairs", "train")
    assert chairs.keys == ("chairs/x",) and (chairs[0].near, chairs[0].far) == (1.25, 2.75)
    with pytest.raises(InputError, match="several categories"):
        SrnObjects(tmp_path, "test")


def test_srn_cameras_stand_where_they_were_put(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("a",))
    item = SrnObjects(tmp_path / "cars", "test", size=None)[0]
    torch.testing.assert_close(item.cameras.world_from_camera.double(), cases.poses(3), atol=1e-6, rtol=0)
    pixels, depth = item.cameras.project(torch.zeros(3, 1, 3))
    torch.testing.assert_close(pixels, torch.full_like(pixels, 6.5), atol=1e-4, rtol=0)  # centre 6 in whole numbers
    torch.testing.assert_close(depth, torch.full_like(depth, 1.3))
    assert item.images.shape == (3, 12, 12, 3) and item.masks is not None and item.boxes is not None
    inside = torch.from_numpy((cases.picture(1) != 255).all(-1))
    assert torch.equal(item.masks[1] > 0, inside)
    assert item.boxes[1].tolist() == [3, 3, 7, 8]
    assert torch.equal(item.images[1][~inside], torch.ones(int((~inside).sum()), 3))


def test_resizing_averages_areas_and_scales_cameras_and_boxes(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("a",))
    full = SrnObjects(tmp_path / "cars", "test", size=None)[0]
    small = SrnObjects(tmp_path / "cars", "test", size=(6, 6))[0]
    means = full.images.reshape(3, 6, 2, 6, 2, 3).mean(dim=(2, 4))
    torch.testing.assert_close(small.images, means)
    assert full.boxes is not None and small.boxes is not None
    torch.testing.assert_close(small.boxes, 0.5 * full.boxes)
    torch.testing.assert_close(small.cameras.intrinsics[:, 0, 0], 0.5 * full.cameras.intrinsics[:, 0, 0])
    scaled = SrnObjects(tmp_path / "cars", "test", size=None, world_scale=2.0)[0]
    torch.testing.assert_close(scaled.cameras.position, 2 * full.cameras.position)
    torch.testing.assert_close(scaled.cameras.intrinsics[:, 0, 0], 2 * full.cameras.intrinsics[:, 0, 0])


def test_only_the_views_that_are_asked_for_are_read(tmp_path: Path) -> None:
    root = cases.write_srn(tmp_path / "cars_test", ("a",))
    (root / "a/rgb/000001.png").write_bytes(b"broken")
    cars = SrnObjects(tmp_path / "cars", "test", size=None)
    item = cars.load("a", [2, 0, 2])
    assert item.views == (2, 0, 2) and torch.equal(item.images[0], item.images[2])
    assert cars.view_count("a") == 3
    with pytest.raises(InputError, match=r"000001\.png is not an image"):
        cars.load("a", [1])


def test_views_are_drawn_without_repetition(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("a",), views=7)
    cars = SrnObjects(tmp_path / "cars", "test")
    assert cars.draw_views(0, 7, generator=torch.Generator()) == list(range(7))
    drawn = [tuple(cars.draw_views(0, 3, generator=torch.Generator().manual_seed(seed))) for seed in range(20)]
    assert all(len(set(views)) == 3 and set(views) <= set(range(7)) for views in drawn) and len(set(drawn)) > 5
    assert TRAINING_VIEWS == 49


def test_a_white_object_is_left_out_and_reported(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("a", "b", "c"), blank=("b",))
    with pytest.warns(UserWarning, match="b: all its views are white; the object is left out"):
        cars = SrnObjects(tmp_path / "cars", "test")
    assert cars.keys == ("cars/a", "cars/c") and list(cars.skipped) == ["cars/b"]
    Image.fromarray(cases.picture(1, blank=True)).save(tmp_path / "cars_test/a/rgb/000000.png")
    with pytest.warns(UserWarning):
        item = SrnObjects(tmp_path / "cars", "test", size=None)["a"]
    assert item.boxes is not None and item.boxes[0].tolist() == [0, 0, 11, 11]  # one white view is no reason


@quick
@given(
    st.sampled_from(["pose", "numbers", "nan", "mirrored", "png", "size", "intrinsics", "focal", "view", "rgb"]),
    st.data(),
)
def test_a_broken_srn_object_is_one_sentence_with_file_and_fix(tmp_path: Path, fault: str, data: st.DataObject) -> None:
    root = tmp_path / "cars_test"
    shutil.rmtree(root, ignore_errors=True)
    folder = cases.write_srn(root, ("a",)) / "a"
    view = data.draw(st.integers(0, 2))
    pose, image, views = folder / f"pose/{view:06d}.txt", folder / f"rgb/{view:06d}.png", None
    if fault == "pose":
        pose.unlink()
    elif fault == "numbers":
        pose.write_text(data.draw(st.sampled_from(["", "1 2 3", "1 " * 15 + "x", "1 " * 17])))
    elif fault == "nan":
        pose.write_text(
            pose.read_text().rsplit(" ", 3)[0] + f" {data.draw(st.sampled_from(['nan', 'inf', '-inf']))} 0 1"
        )
    elif fault == "mirrored":
        values = np.array(pose.read_text().split(), float).reshape(4, 4)
        values[:, 0] *= data.draw(st.sampled_from([-1.0, 1.01, 0.0]))
        pose.write_text(" ".join(map(str, values.ravel())))
    elif fault == "png":
        whole = image.read_bytes()
        image.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 20))])
    elif fault == "size":
        (folder / "intrinsics.txt").write_text("13.5 6. 6. 0.\n12 13\n")
    elif fault == "intrinsics":
        (folder / "intrinsics.txt").write_text(
            data.draw(st.sampled_from(["", "13.5\n12 12", "a b c d\n12 12", "13 6 6 0"]))
        )
    elif fault == "focal":
        (folder / "intrinsics.txt").write_text(f"{data.draw(st.sampled_from([0, -3, 'nan']))} 6. 6. 0.\n12 12\n")
    elif fault == "view":
        views = [data.draw(st.integers(3, 99) | st.integers(-9, -1))]
    else:
        shutil.rmtree(folder / "rgb")
    with pytest.raises(InputError) as refused:
        SrnObjects(tmp_path / "cars", "test")["a"] if views is None else SrnObjects(tmp_path / "cars", "test").load(
            0, views
        )
    said = str(refused.value)
    assert str(folder) in said and "\n" not in said and (";" in said or ":" in said)


@pytest.mark.parametrize("reader", [SrnObjects, DvrObjects, DtuObjects, TwoObjectScenes])
def test_a_missing_or_empty_folder_is_one_sentence(reader: type, tmp_path: Path) -> None:
    for data in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(InputError) as refused:
            reader(data, "test")
        assert str(tmp_path) in str(refused.value)


def test_dvr_lists_may_have_blank_lines_and_names_may_repeat(tmp_path: Path) -> None:
    cases.write_dvr(tmp_path, "0002", ("x", "y"))
    cases.write_dvr(tmp_path, "0001", ("y", "a"), masks=False)
    objects = DvrObjects(tmp_path, "test")
    assert objects.keys == ("0001/a", "0001/y", "0002/x", "0002/y")
    assert objects["x"].key == "0002/x"
    with pytest.raises(InputError, match="Several categories have an object 'y'; ask for it as CATEGORY/y"):
        objects["y"]
    item, plain = objects["0002/y"], objects["0001/y"]
    assert plain.masks is None and plain.boxes is None
    assert item.masks is not None and item.boxes is not None and item.boxes[0].tolist() == [2, 3, 7, 8]
    torch.testing.assert_close(item.cameras.world_from_camera.double(), cases.poses(3, 2.5), atol=1e-6, rtol=0)
    assert item.cameras.intrinsics[0].tolist() == [[18, 0, 6.5], [0, 18, 6.5], [0, 0, 1]]
    with pytest.raises(InputError, match=r"gen_test\.lst"):
        DvrObjects(tmp_path, "test", lists="gen_")
    (tmp_path / "0001/softras_test.lst").write_text("../0002/x\n")
    with pytest.raises(InputError, match="no folder beside it"):
        DvrObjects(tmp_path, "test")


@quick
@given(st.sampled_from(["missing", "shape", "nan", "focal", "damaged", "masks", "pickle"]), st.integers(0, 2))
def test_a_broken_dvr_object_is_one_sentence(tmp_path: Path, fault: str, view: int) -> None:
    shutil.rmtree(tmp_path / "0001", ignore_errors=True)
    folder = cases.write_dvr(tmp_path, "0001", ("a",)) / "0001/a"
    with np.load(folder / "cameras.npz") as archive:
        arrays = dict(archive)
    if fault == "missing":
        del arrays[f"world_mat_{view}"]
    elif fault == "shape":
        arrays[f"world_mat_{view}"] = np.eye(3)
    elif fault == "nan":
        arrays[f"world_mat_{view}"][0, 3] = np.nan
    elif fault == "focal":
        arrays[f"camera_mat_{view}"] = np.diag([3.0, 3.001, 1, 1])
    elif fault == "masks":
        (folder / f"mask/{view:04d}.png").unlink()
    elif fault == "pickle":
        arrays[f"world_mat_{view}"] = np.array([{"a": 1}], dtype=object)
    np.savez(folder / "cameras.npz", **arrays)
    if fault == "damaged":
        (folder / "cameras.npz").write_bytes((folder / "cameras.npz").read_bytes()[: 50 * view])
    with pytest.raises(InputError) as refused:
        DvrObjects(tmp_path, "test")["a"]
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)


@given(st.integers(0, 10_000), st.floats(0.01, 100.0), st.booleans())
def test_a_projection_comes_apart_into_what_it_was_made_of(seed: int, scale: float, negative: bool) -> None:
    generator = np.random.default_rng(seed)
    intrinsics = np.array(
        [[generator.uniform(5, 20), generator.normal(), 8], [0, generator.uniform(5, 20), 6], [0, 0, 1]]
    )
    rotation, center = Rotation.random(random_state=seed).as_matrix(), generator.normal(size=3)
    projection = intrinsics @ np.concatenate((rotation, -(rotation @ center)[:, None]), axis=1)
    found, pose = decompose_projection((-scale if negative else scale) * projection)
    np.testing.assert_allclose(found, intrinsics, atol=1e-8)
    np.testing.assert_allclose(pose[:3, :3], rotation.T, atol=1e-8)
    np.testing.assert_allclose(pose[:3, 3], center, atol=1e-8)


def test_a_scan_projects_as_its_matrices_say(tmp_path: Path) -> None:
    """A point of the scanner's world falls on the same pixel through the file's matrix and through our camera."""
    folder = tmp_path / "DTU/scan1"
    (folder / "image").mkdir(parents=True)
    (tmp_path / "DTU/new_val.lst").write_text("scan1\n\n")
    intrinsics = np.array([[30.0, 0, 7], [0, 31.0, 5], [0, 0, 1]])
    scale = np.diag([4.0, 4.0, 4.0, 1.0])
    scale[:3, 3] = (1.0, -2.0, 0.5)
    points = np.random.default_rng(0).normal(size=(5, 3))
    arrays, expected = {}, []
    for view, camera in enumerate(np.linalg.inv(cases.poses(3, 8.0).numpy())):
        projection = np.eye(4)
        projection[:3] = 2.5 * intrinsics @ camera[:3]
        arrays |= {f"world_mat_{view}": projection, f"scale_mat_{view}": scale}
        homogeneous = np.c_[points, np.ones(5)] @ projection[:3].T
        expected.append(homogeneous[:, :2] / homogeneous[:, 2:])
        Image.fromarray(np.zeros((10, 14, 3), np.uint8)).save(folder / f"image/{view:06d}.png")
    np.savez(folder / "cameras.npz", **arrays)
    item = DtuObjects(tmp_path, "test")[0]
    turned = (points - scale[:3, 3]) / 4.0 * (1, -1, -1)
    pixels, _ = item.cameras.project(torch.from_numpy(turned).float().expand(3, -1, -1))
    np.testing.assert_allclose(pixels.numpy(), np.stack(expected) + 0.5, atol=2e-4)
    assert (item.near, item.far, item.background, item.masks, item.boxes) == (0.1, 5.0, 0.0, None, None)
    np.savez(folder / "cameras.npz", **{**arrays, "world_mat_1": np.zeros((4, 4))})
    with pytest.raises(InputError, match="world_mat_1 is no projection"):
        DtuObjects(tmp_path, "val").load(0, [0])


def test_two_objects_lie_over_white_by_their_alpha(tmp_path: Path) -> None:
    cases.write_scene(tmp_path / "test/deep/s2")
    cases.write_scene(tmp_path / "test/s1")
    scenes = TwoObjectScenes(tmp_path, "test")
    assert scenes.keys == ("deep/s2", "s1")
    item = scenes["s1"]
    assert item.masks is not None and item.boxes is not None
    torch.testing.assert_close(item.images[0, 3, 5], torch.full((3,), 0.2 * 100 / 255 + 0.8))
    assert item.boxes.tolist() == [[4, 2, 8, 4], [0, 0, 11, 11]]
    torch.testing.assert_close(item.cameras.world_from_camera.double(), cases.poses(2, 6.0), atol=1e-5, rtol=0)
    assert math.isclose(float(item.cameras.intrinsics[0, 0, 0]), 6 / math.tan(0.35), rel_tol=1e-6)
    half = TwoObjectScenes(tmp_path, "test", size=(6, 6))["s1"]
    torch.testing.assert_close(half.cameras.intrinsics[0, 0], torch.tensor([3 / math.tan(0.35), 0, 3.5]))
    (tmp_path / "test/s1/view_1_obj.png").unlink()
    with pytest.raises(InputError, match=r"no file .*view_1_obj\.png: copy it again"):
        scenes["s1"]
    (tmp_path / "test/s1/transforms.json").write_text('{"frames": [{"file_path": 3}]}')
    with pytest.raises(InputError, match=r"frames\[0\] has no file_path"):
        scenes["s1"]


def test_view_lists(tmp_path: Path) -> None:
    file = tmp_path / "views.txt"
    file.write_text("0001 a 3\n\n0002 b 1 5\n0001 a 3\n")
    assert read_view_list(file) == {"0001/a": (3,), "0002/b": (1, 5)}
    for text, sentence in (
        ("0001 a\n", "line 1"),
        ("0001 a 1\n0001 b -2", "line 2"),
        ("0001 a 1\n0001 a 2", "other views in an earlier line"),
        ("\n", "is empty"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=sentence):
            read_view_list(file)
    with pytest.raises(InputError, match=r"no file .*view list"):
        read_view_list(tmp_path / "none.txt")


def test_no_warning_without_a_reason(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("a",))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not SrnObjects(tmp_path / "cars", "test").skipped


def test_transparent_renders_lie_over_white_in_every_layout(tmp_path: Path) -> None:
    """Blender hides black where a picture is transparent; published pictures have white there."""
    rng = np.random.default_rng(0)
    alpha = np.zeros((cases.SIZE, cases.SIZE), np.uint8)
    alpha[3:9, 2:8], alpha[5, 2:8] = 255, 64
    color = rng.integers(0, 255, (cases.SIZE, cases.SIZE, 3))
    color[4, 4] = 255  # white belongs to the object too
    hidden = np.dstack([np.where(alpha[..., None] > 0, color, 0), alpha]).astype(np.uint8)
    white = color / 255 * (alpha / 255)[..., None] + 1 - (alpha / 255)[..., None]
    cases.write_srn(tmp_path / "srn" / "cars_test", ("a",))
    cases.write_dvr(tmp_path / "dvr", "0001", ("a",), masks=False)
    for file in [*tmp_path.glob("srn/*/*/rgb/*"), *tmp_path.glob("dvr/*/*/image/*")]:
        Image.fromarray(hidden).save(file)
    for objects in (SrnObjects(tmp_path / "srn", "test", size=None), DvrObjects(tmp_path / "dvr", "test")):
        item = objects[0]
        np.testing.assert_allclose(item.images[0], white, atol=1e-6)
        assert item.masks is not None and item.boxes is not None
        np.testing.assert_allclose(item.masks[0], alpha / 255, atol=1e-6)
        assert item.boxes[0].tolist() == [2, 3, 7, 8]


def test_transparent_views_of_nothing_are_left_out(tmp_path: Path) -> None:
    cases.write_srn(tmp_path / "cars_test", ("a", "b"))
    for file in (tmp_path / "cars_test" / "b" / "rgb").iterdir():
        Image.new("RGBA", (cases.SIZE, cases.SIZE), (0, 0, 0, 0)).save(file)
    with pytest.warns(UserWarning, match="all its views are white"):
        assert SrnObjects(tmp_path / "cars", "test", size=None).keys == ("cars/a",)


def test_what_systems_leave_is_no_view_and_no_object(tmp_path: Path) -> None:
    root = cases.write_srn(tmp_path / "cars_test", ("a",))
    for name in ("._000000.png", ".DS_Store", "Thumbs.db"):
        (root / "a" / "rgb" / name).write_bytes(b"Mac OS X")
    (root / "._a").write_bytes(b"Mac OS X")
    (root / "__MACOSX" / "rgb").mkdir(parents=True)
    assert [len(item) for item in SrnObjects(tmp_path / "cars", "test", size=None)] == [3]
    file = root / "a" / "rgb" / "000001.png"
    file.unlink()
    file.symlink_to(file.name)
    with pytest.raises(InputError, match=r"000001\.png cannot be read: Too many levels"):
        SrnObjects(tmp_path / "cars", "test", size=None).load("a")
