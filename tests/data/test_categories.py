"""Sets of photos of one category: published layouts written by hand and by our renders, read one picture at a time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from tests.command_line import monoform
from tests.data import posed_files_cases
from tests.data.category_cases import (
    BOX,
    HEIGHT,
    WIDTH,
    photo,
    structures,
    write_birds,
    write_carla,
    write_detections,
)

from monoform.camera import rigid_inverse
from monoform.data import procedural_sources
from monoform.data.categories import CategoryPhotos, open_category
from monoform.data.categories.check import categories_in, check_categories
from monoform.data.categories.run_lengths import RunLengthMask
from monoform.data.categories.squares import grown, normalized_box, square_around, whole
from monoform.data.packs.layouts import LayoutOptions, render_layout, render_views_of
from monoform.errors import InputError


def test_whole_photos_and_their_mirror_images_are_learned_from(tmp_path: Path) -> None:
    photos = open_category(write_detections(tmp_path), "p3d_car")
    assert len(photos) == 4 and photos.names == ["p3d/photos/1.png", "p3d/photos/0.png"]
    for number in range(2):
        plain, mirrored = photos.photo(number, WIDTH), photos.photo(number + 2, WIDTH)
        assert mirrored.mirrored and mirrored.name == plain.name and plain.box.tolist() == [[-1, -1], [2, 2]]
        torch.testing.assert_close(mirrored.image, plain.image.flip(2))
        assert set(plain.image[3].unique().tolist()) == {0.0, 1.0}
        assert (plain.image[:3, plain.image[3] == 0] == 0).all()
    image, mask = photo(1)
    top = (WIDTH - HEIGHT) // 2
    seen = photos.photo(0, WIDTH).image[:, top : top + HEIGHT]
    np.testing.assert_allclose(seen[:3].numpy(), ((image / 127.5 - 1) * mask[..., None]).transpose(2, 0, 1), atol=1e-6)


def test_mirrored_cameras_see_the_mirrored_world(tmp_path: Path) -> None:
    """A point that a photo shows at u is shown by the mirror image at 1 - u, once the world is mirrored too."""
    root = write_birds(write_detections(tmp_path))
    for name in ("p3d_car", "cub"):
        photos = open_category(root, name)
        cameras = photos.poses.cameras(64)
        count = len(photos.names)
        point = torch.tensor([0.3, -0.2, 0.4])
        across = torch.tensor([-1.0, 1.0, 1.0])
        pixels = cameras.project(torch.stack([point] * count + [point * across] * count)[:, None])[0][:, 0] - 0.5
        torch.testing.assert_close(pixels[count:, 0], 64 - pixels[:count, 0], atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(pixels[count:, 1], pixels[:count, 1], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("name", ["p3d_car", "cub"])
def test_a_crop_and_its_camera_show_what_the_whole_photo_shows(name: str, tmp_path: Path) -> None:
    root = write_birds(write_detections(tmp_path))
    crops = open_category(root, name, "train-eval")
    photos = open_category(root, name, "train", mirrored=False)
    points = 0.3 * torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(0))
    for number in range(len(crops)):
        small, large = crops.photo(number, 20), photos.photo(number, 80)
        left, top, side = square_around(grown(BOX))
        shift = torch.tensor([left, top + (WIDTH - HEIGHT) // 2])
        found, wanted = small.camera.project(points)[0] - 0.5, (large.camera.project(points)[0] - 0.5) * WIDTH / 80
        torch.testing.assert_close(found * side / 20 + shift, wanted, atol=2e-4, rtol=1e-4)
        assert small.image[3].mean() > 0.6


def test_labels_of_birds_follow_the_lists_of_the_release(tmp_path: Path) -> None:
    photos = open_category(write_birds(tmp_path), "cub")
    assert photos.labels.tolist() == [0, 2, 4] * 2 and photos.classes == 5
    assert photos.photo(4, 16).label == 2 and photos.poses.orthographic


def test_imagenets_test_cars_are_those_that_are_not_trained_on(tmp_path: Path) -> None:
    """By the name of the file, wherever it lies; cameras stay with their photos."""
    write_detections(tmp_path, "p3d_car", count=3)
    write_detections(tmp_path, "imagenet_car", count=6, first=1)
    photos = open_category(tmp_path, "p3d_car", "imagenet-test")
    everything = open_category(tmp_path, "imagenet_car", "train-eval")
    # Photo 6 has no camera, photos 1 and 2 are training cars (2 without a camera, which does not matter).
    assert photos.names == [f"imagenet/photos/{number}.png" for number in (5, 4, 3)] and not photos.has_mirrored
    for number, name in enumerate(photos.names):
        other = everything.names.index(name)
        assert torch.equal(photos.poses.world_from_camera[number], everything.poses.world_from_camera[other])
        assert torch.equal(photos.photo(number, 16).image, everything.photo(other, 16).image)
    with pytest.raises(InputError, match="imagenet-test is of p3d_car"):
        open_category(tmp_path, "imagenet_car", "imagenet-test")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_path": "../outside.png"}, "names the photo '../outside.png', which lies outside of"),
        ({"image_path": "/etc/passwd"}, "lies outside of"),
        ({"image_path": 3}, "entry 0 cannot be used, it has no image_path"),
        ({"bbox": np.array([3.0, 2, 1, 9])}, "entry 0 cannot be used, its bbox ends before it begins"),
        ({"bbox": np.array([0.0, np.nan, 1, 1])}, "its bbox is no four numbers"),
        ({"bbox": np.array([0.0, 0, 1e6, 1e6])}, "and its bbox 0 0 1e+06 1e+06 lies outside of it"),
        ({"bbox": np.array([50.0, 2, 60, 9])}, "and its bbox 50 2 60 9 lies outside of it"),
        ({"mask": {"size": [26, 40]}}, "entry 0 cannot be used, its mask has no size and counts"),
        ({"mask": {"size": 26, "counts": b"1"}}, "the size of its mask is no height and width"),
        ({"mask": {"size": [26, 40], "counts": "\u00e9"}}, "the counts of its mask are no letters of runs"),
        ({"mask": {"size": [1 << 30, 1 << 30], "counts": b"1"}}, "its mask has 1073741824 x 1073741824 pixels"),
        ({"mask": {"size": [26, 40], "counts": b"12"}}, "the runs of its mask do not fill 40 x 26 pixels"),
        ({"mask": RunLengthMask.of(np.ones((4, 4))).entry()}, "is 40 x 26 pixels but its mask is 4 x 4"),
        ({"image_path": "p3d/photos/none.png"}, "There is no file"),
        ({"mask": np.random}, "cannot be read, it is damaged or truncated"),
    ],
)
def test_bad_detections_are_one_sentence(change: dict, sentence: str, tmp_path: Path) -> None:
    if change.get("mask") is np.random:
        change = {"mask": np.random.default_rng(0)}  # objects that are pickled by the names of their classes
    write_detections(tmp_path, **change)
    with pytest.raises(InputError, match=sentence.replace("(", r"\(").replace("+", r"\+")):
        check_categories(tmp_path)


def other(root: Path, name: str, change: Callable[[dict], None]) -> None:
    file = next(root.rglob("poses_estimated_*.bin"))
    poses = torch.load(file, weights_only=True)
    change(poses)
    torch.save(poses, file)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda poses: poses.pop("z0"), "lacks one of indices, z0, t, s and R"),
        (lambda poses: poses["indices"].fill_(7), "has indices that none of the 3 detections has"),
        (lambda poses: poses["R"].fill_(0), "a camera whose scale or quaternion is zero"),
        (lambda poses: poses["t"].fill_(float("nan")), "t must hold 2 finite numbers for each of 2 indices"),
        (lambda poses: poses.update(s=poses["s"][:1]), "s must hold 1 finite numbers"),
        (lambda poses: poses.update(s=[[1.0], [2.0, 3.0]]), "s must hold 1 finite numbers"),
        (lambda poses: poses["z0"].fill_(1000), "camera 0 lies inf away and has the focal length inf"),
        (lambda poses: poses["s"].fill_(1e-38), r"camera 0 lies .*e\+38 away"),
        (lambda poses: poses["s"].neg_(), "looks away from the world's origin"),
    ],
)
def test_bad_cameras_are_one_sentence(change: Callable[[dict], None], sentence: str, tmp_path: Path) -> None:
    other(write_detections(tmp_path), "p3d_car", change)
    with pytest.raises(InputError, match=sentence):
        check_categories(tmp_path)


def test_other_bad_input_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"There is no category 'p3d_x/y'.*p3d_NAME"):
        open_category(tmp_path, "p3d_x/y")
    with pytest.raises(InputError, match="imagenet_zebra has no test set"):
        open_category(tmp_path, "imagenet_zebra", "test")
    with pytest.raises(InputError, match=r"There is no file .*it lists the photos with their boxes and masks"):
        open_category(tmp_path, "p3d_car")
    with pytest.raises(InputError, match=r"There is no file .*car_val\.mat"):
        open_category(tmp_path, "p3d_car", "test")
    with pytest.raises(InputError, match="holds no set of photos of a category"):
        check_categories(tmp_path)
    root = write_birds(write_carla(tmp_path))
    for last in ("", "3 0\n", "3 99999999999999999999\n"):
        (root / "cub/CUB_200_2011/image_class_labels.txt").write_text(f"1 1\n2 3\n{last}")
        with pytest.raises(InputError, match=r"has no class from 1 on for 002\.Bird/b2\.png"):
            open_category(root, "cub")
    for change, sentence in {"rot": "rot of camera 0 is no rotation", "scale": "camera 0 lies inf away"}.items():
        cameras = [{"scale": 9.0, "trans": np.zeros(2), "rot": np.eye(3)} for _ in range(3)]
        cameras[0] |= {"rot": -np.eye(3)} if change == "rot" else {"scale": 1e-300}
        savemat(root / "cub/sfm/anno_train.mat", {"sfm_anno": structures(cameras)})
        with pytest.raises(InputError, match=sentence):
            open_category(root, "cub")
    Image.new("RGB", (32, 31)).save(root / "carla/1.png")
    with pytest.raises(InputError, match=r"1.png is 32 x 31 pixels, 0.png 32 wide"):
        open_category(root, "carla").photo(1, 16)
    np.save(root / "carla/carla_poses/intrinsics.npy", np.zeros((0, 3, 3)))
    with pytest.raises(InputError, match=r"must hold a matrix of 3 x 3 numbers"):
        open_category(root, "carla")
    write_carla(tmp_path / "other")
    root = tmp_path / "other"
    (root / "carla/carla_poses/1_extrinsics.npy").unlink()
    with pytest.raises(InputError, match="every picture needs its pose there"):
        open_category(root, "carla")


def test_what_is_there_is_told(tmp_path: Path) -> None:
    write_birds(write_carla(write_detections(write_detections(tmp_path), "imagenet_car", count=2, first=5)))
    posed_files_cases.write_srn(tmp_path / "shapenet/cars_train", ("a", "b"), blank=("b",))
    found = categories_in(tmp_path)
    assert found == {
        "imagenet_car": ["train", "train-eval"],
        "p3d_car": ["train", "train-eval", "imagenet-test"],
        "cub": ["train", "train-eval"],
        "carla": ["train"],
        "shapenet_cars": ["train"],
    }
    told = monoform("prepare", "check", "--data", tmp_path).stdout.splitlines()
    assert told[0].startswith("p3d_car train: 2 photos, whole, each with its mirror image, focal lengths ")
    assert told[5] == "cub train: 3 photos, whole, each with its mirror image, orthographic cameras, 5 classes."
    assert told[6] == "cub train-eval: 3 photos, cropped to 5 % around the object, orthographic cameras, 5 classes."
    assert told[8].startswith("shapenet_cars train: 6 photos, whole, focal lengths 1.12 to 1.12")  # the white one too
    assert len(told) == 9


def test_views_of_objects_are_one_list(tmp_path: Path) -> None:
    posed_files_cases.write_srn(tmp_path / "shapenet/cars_test", ("a", "b"), views=2)
    photos = open_category(tmp_path, "shapenet_cars", "test")
    assert len(photos) == 4 and photos.views_per_object == 2 and photos.names[2] == "cars/b/000000"
    assert photos.poses.up == (0.0, 0.0, 1.0)
    view = photos.photo(3, 6)
    expected = posed_files_cases.picture(1).reshape(6, 2, 6, 2, 3).mean(axis=(1, 3)) / 127.5 - 1
    np.testing.assert_allclose(view.image.permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_sets_are_read_from_addresses_too(tmp_path: Path) -> None:
    write_birds(write_carla(write_detections(tmp_path)))
    posed_files_cases.write_srn(tmp_path / "shapenet/cars_train", ("a",))
    address = f"memory://{tmp_path.name}"
    fsspec.filesystem("memory").put(f"{tmp_path}/", f"/{tmp_path.name}", recursive=True)
    try:
        assert check_categories(address) == check_categories(tmp_path)
        for name in categories_in(tmp_path):
            here, there = open_category(tmp_path, name), open_category(address, name)
            assert torch.equal(here.poses.world_from_camera, there.poses.world_from_camera)
            assert torch.equal(here.images([0, 1], 16), there.images([0, 1], 16))
        shown = monoform("prepare", "check", "--data", "nowhere://bucket/cars")
        assert shown.returncode == 2 and "cannot be reached: Protocol not known: nowhere" in shown.stderr
    finally:
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def test_masks_of_a_set_take_the_memory_of_their_runs(tmp_path: Path) -> None:
    """100 masks of 300 x 400 pixels would be 12 MB as pixels."""
    mask = np.zeros((300, 400), np.uint8)
    mask[50:200, 60:300] = 1
    box = {"x1": 61.0, "y1": 51.0, "x2": 300.0, "y2": 200.0}
    entries = structures([{"rel_path": f"{number}.png", "mask": mask, "bbox": box} for number in range(100)])
    file = tmp_path / "p3d/p3d_sfm_image/img_anno/car_val.mat"
    file.parent.mkdir(parents=True)
    savemat(file, {"other": np.zeros((200, 200)), "images": entries}, do_compression=True)
    tracemalloc.start()
    photos = open_category(tmp_path, "p3d_car", "test")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    assert len(photos) == 100 and photos.poses is None
    assert np.array_equal(photos.detections[99].mask.pixels(), mask)


def test_renders_are_written_in_the_layout_and_read_back(tmp_path: Path) -> None:
    options = LayoutOptions(layout="p3d", views=2, size=48, samples=1, keep_likes=True, share=0.3)
    sources = [replace(source, category="cup") for source in procedural_sources(6)]
    done = render_layout(sources, tmp_path / "out", options, workers=1)
    assert done.counts["train"] > 0 and done.counts["test"] > 0 and done.counts["val"] == 0
    assert categories_in(tmp_path / "out") == {"p3d_cup": ["train", "train-eval", "test"]}
    assert len(check_categories(tmp_path / "out")) == 3
    photos = open_category(tmp_path / "out", "p3d_cup", "train", mirrored=False)
    by_name = {source.name: source for source in sources}
    for number, name in enumerate(photos.names):
        folder, view = Path(name).parent.name, int(Path(name).stem)
        images, alpha, cameras = render_views_of(by_name[folder], "train", options)
        seen = photos.photo(number, options.size)
        torch.testing.assert_close(seen.camera.intrinsics[0], cameras.intrinsics[view], atol=1e-4, rtol=1e-5)
        torch.testing.assert_close(
            seen.camera.world_from_camera[0], cameras.world_from_camera[view], atol=1e-4, rtol=1e-4
        )
        mask = alpha[view] >= 0.5
        assert np.array_equal(seen.image[3].numpy() > 0.5, mask)
        colors = seen.image[:3].permute(1, 2, 0).numpy()[mask]
        np.testing.assert_allclose(colors, images[view][mask] / 127.5 - 1, atol=1e-6)
    test = open_category(tmp_path / "out", "p3d_cup", "test")
    assert (
        len(test) == 2 * done.counts["test"]
        and test.photo(0, 24).image[3].mean() > 0.1
        and test.photo(0, 24).camera is None
    )
    again = render_layout(sources, tmp_path / "out", options, workers=1)
    assert again == done
    assert photos.poses.up == (0.0, 1.0, 0.0)
    assert rigid_inverse(photos.poses.world_from_camera)[:, 2, 3].min() > 1


def test_boxes_follow_the_published_rounding() -> None:
    """Halves are rounded to even, and squares end where their side says."""
    assert grown((10, 20, 29, 39), 0.05) == (9.0, 19.0, 30.0, 40.0)
    assert square_around((0.5, 1.5, 3.5, 2.5)) == (0, 0, 5)  # columns 0..4, row 2
    assert square_around((0, 0, 6, 9)) == (-2, 0, 10)  # 1.5 becomes 2
    np.testing.assert_allclose(normalized_box(square_around(whole(40, 26)), 40, 26), [[-1, -1], [2, 2]])


def test_every_reader_says_how_many(tmp_path: Path) -> None:
    photos: CategoryPhotos = open_category(write_carla(tmp_path), "carla")
    with pytest.raises(IndexError, match="no photo number 2; there are 2"):
        photos.photo(2, 16)
    with pytest.raises(InputError, match="A size of 0 pixels"):
        photos.photo(0, 0)
