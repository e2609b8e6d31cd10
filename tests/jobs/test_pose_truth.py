"""Truths, and photos that are added to captures: of the right photo, the right way round."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.capture_cases import ball_picture, orbit_cameras, write_photos, write_transforms

from monoform import InputError
from monoform.camera import Camera, look_at, transforms_from_cameras, upright_camera
from monoform.data import CaptureView, open_capture
from monoform.data.capture import read_image
from monoform.jobs.estimate_pose import PoseOptions, first_camera, truth_of
from monoform.jobs.estimate_pose_capture import require_addable, write_extended_capture
from monoform.jobs.estimate_pose_protocol import Protocol, chosen_views
from monoform.jobs.pose_scenes import PoseTarget
from monoform.jobs.posed_photos import PosedPhotos
from monoform.mesh import Mesh
from monoform.methods import SceneBounds
from monoform.render.mesh_rays import MeshRenderer
from monoform.scene import Photo
from monoform.scene.masks import oriented

NAMES = [f"images/{side}/{number}.png" for side in ("front", "back") for number in range(2)]
OFF_CENTER = torch.tensor([[[64.0, 0, 24], [0, 64.0, 20], [0, 0, 1]]])


def cameras(count: int = 4) -> list[Camera]:
    """Of a ball that is not in the middle of its pictures."""
    return [replace(one, intrinsics=OFF_CENTER, width=64, height=48) for one in orbit_cameras(count)]


def known(views: Sequence[CaptureView] = (), own: Camera | None = None) -> PoseTarget:
    """A scene of which only its photos and cameras matter."""
    mesh = Mesh(np.eye(3), np.array([[0, 1, 2]]))
    return PoseTarget(MeshRenderer(mesh), SceneBounds(cameras=own), False, None, "test", tuple(views))


def views_of(root: Path) -> list[CaptureView]:
    return [CaptureView(view.name, view.image, view.split, view.camera) for view in open_capture(root).views]


def rig(root: Path) -> list[Camera]:
    """Two folders whose photos have the same names; z up."""
    found = cameras()
    write_photos(root, found, NAMES)
    (root / "transforms.json").write_text(json.dumps(transforms_from_cameras(list(zip(NAMES, found, strict=True)))))
    return found


def turn_files(files: list[Path], orientation: int) -> None:
    """Give the stored pixels an EXIF orientation, and leave them as they are."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for file in files:
        image = Image.open(file)
        image.load()
        image.save(file, exif=exif)


def same(one: Camera, two: Camera) -> None:
    torch.testing.assert_close(one.world_from_camera, two.world_from_camera, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.intrinsics, two.intrinsics, atol=1e-4, rtol=1e-5)
    assert (one.width, one.height) == (two.width, two.height)


def middle(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.nonzero(mask > 0.5)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def test_the_truth_is_that_of_this_photo(tmp_path: Path, monkeypatch) -> None:
    found, file = rig(tmp_path), tmp_path / "transforms.json"
    monkeypatch.chdir(tmp_path / "images")
    for name, camera in zip(NAMES, found, strict=True):
        same(truth_of(file, str(tmp_path / name)), camera)
        same(truth_of(tmp_path, name.removeprefix("images/")), camera)
    copy = tmp_path / "copy" / "back" / "1.png"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((tmp_path / NAMES[3]).read_bytes())
    same(truth_of(file, str(copy)), found[3])
    with pytest.raises(InputError, match=r"several frames that can be .*front/1\.png and images/back/1\.png"):
        truth_of(file, str(copy.rename(tmp_path / "copy" / "1.png")))
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / NAMES[2])
    same(truth_of(file, str(link)), found[2])


def test_truths_are_in_the_world_of_the_capture(tmp_path: Path) -> None:
    found = orbit_cameras(6)
    write_transforms(tmp_path, found, world_up="y")
    for view in open_capture(tmp_path).views:
        same(truth_of(tmp_path / "transforms.json", str(view.image)), view.camera)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_truth_of_a_phones_photo_is_that_of_its_upright_pixels(tmp_path: Path, orientation: int) -> None:
    rig(tmp_path)
    turn_files([tmp_path / name for name in NAMES], orientation)
    for name in NAMES:
        truth, photo = truth_of(tmp_path / "transforms.json", str(tmp_path / name)), Photo.open(tmp_path / name)
        assert (truth.width, truth.height) == (photo.width, photo.height)
        x, y = truth.project(torch.zeros(1, 1, 3))[0][0, 0].tolist()
        assert photo.mask is not None
        assert np.abs(middle(photo.mask) - (x, y)).max() < 1
    stored = cameras()[0]
    (tmp_path / "camera.json").write_text(json.dumps(stored.to_dict()))
    told = truth_of(tmp_path / "camera.json", str(tmp_path / NAMES[0]))
    same(told, upright_camera(stored, orientation) if orientation in (6, 8) else stored)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_scenes_own_photos_are_sought_upright(tmp_path: Path, orientation: int) -> None:
    rig(tmp_path)
    turn_files([tmp_path / name for name in NAMES], orientation)
    for view in chosen_views(known(views_of(tmp_path)), Protocol(split="train")):
        photo = Photo.open(view.image)
        x, y = view.camera.project(torch.zeros(1, 1, 3))[0][0, 0].tolist()
        assert photo.mask is not None and np.abs(middle(photo.mask) - (x, y)).max() < 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_views_and_their_cameras_are_turned_together(tmp_path: Path, orientation: int) -> None:
    rig(tmp_path)
    turn_files([tmp_path / name for name in NAMES], orientation)
    masks = tmp_path / "masks"
    for name in NAMES:
        mask = masks / name.removeprefix("images/")
        mask.parent.mkdir(parents=True, exist_ok=True)
        Image.open(tmp_path / name).getchannel("A").save(mask)
    for given in (None, str(masks)):
        for view in PosedPhotos(str(tmp_path)).open(masks=given):
            assert view.camera is not None and view.photo.mask is not None
            assert (view.camera.width, view.camera.height) == (view.photo.width, view.photo.height)
            x, y = view.camera.project(torch.zeros(1, 1, 3))[0][0, 0].tolist()
            assert np.abs(middle(view.photo.mask) - (x, y)).max() < 1
            assert view.photo.mask_origin == ("alpha" if given is None else "file")


def test_masks_of_the_capture_are_those_of_its_views(tmp_path: Path) -> None:
    found = cameras(3)
    write_transforms(tmp_path, found, alpha=False)
    content = json.loads((tmp_path / "transforms.json").read_text())
    (tmp_path / "masks").mkdir()
    for frame, camera in zip(content["frames"], found, strict=True):
        frame["mask_path"] = frame["file_path"].replace("images", "masks")
        Image.fromarray(ball_picture(camera)[..., 3]).save(tmp_path / frame["mask_path"])
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    for view, camera in zip(PosedPhotos(str(tmp_path)).open(), found, strict=True):
        assert view.photo.mask is not None and view.photo.mask_origin == "file"
        assert ((view.photo.mask > 0.5) == (ball_picture(camera)[..., 3] > 127)).all()


def test_one_mask_for_photos_of_the_same_name_is_refused(tmp_path: Path) -> None:
    rig(tmp_path)
    (tmp_path / "masks").mkdir()
    for name in ("0.png", "1.png"):
        Image.open(tmp_path / "images/front" / name).getchannel("A").save(tmp_path / "masks" / name)
    with pytest.raises(InputError, match=r"masks/0\.png would be the mask of .*front/0\.png and of .*back/0\.png"):
        PosedPhotos(str(tmp_path)).open(masks=str(tmp_path / "masks"))


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_an_added_photo_is_seen_as_its_file_stores_it(tmp_path: Path, orientation: int) -> None:
    rig(tmp_path)
    photo = tmp_path / "phone.png"
    stored = cameras(5)[4]
    Image.fromarray(ball_picture(stored)).save(photo)
    turn_files([photo], orientation)
    scene = known(views_of(tmp_path))
    upright = upright_camera(stored, orientation)
    assert write_extended_capture(tmp_path / "more", scene, [(photo, upright)]) == 1
    capture = open_capture(tmp_path / "more")
    view = capture.views[-1]
    same(view.camera, stored)
    x, y = view.camera.project(torch.zeros(1, 1, 3))[0][0, 0].tolist()
    assert np.abs(middle(read_image(view)[..., 3]) - (x, y)).max() < 1
    assert [one.split for one in capture.views] == ["train"] * 5
    assert write_extended_capture(tmp_path / "more", scene, []) == 0, "our own file is written again"


def test_what_cannot_be_added_is_refused_before(tmp_path: Path) -> None:
    rig(tmp_path)
    scene = known(views_of(tmp_path))
    before = (tmp_path / "transforms.json").read_bytes()
    with pytest.raises(InputError, match="not written over"):
        write_extended_capture(tmp_path, scene, [])
    assert (tmp_path / "transforms.json").read_bytes() == before
    turn_files([tmp_path / NAMES[0]], 5)
    with pytest.raises(InputError, match="stored mirrored"):
        write_extended_capture(tmp_path / "more", scene, [(tmp_path / NAMES[0], cameras()[0])])
    with pytest.raises(InputError, match="is no file"):
        require_addable(tmp_path / "more", scene, ["https://example.org/a.png"])
    assert not (tmp_path / "more").exists()


def test_overhead_scenes_keep_their_world_when_they_are_extended(tmp_path: Path) -> None:
    eye = torch.tensor([[0.3, 2.0, 0.1]])
    camera = replace(cameras(1)[0], world_from_camera=look_at(eye))
    write_transforms(tmp_path, [camera] * 3)
    views = [CaptureView(view.name, view.image, "train", camera) for view in open_capture(tmp_path, up="z").views]
    write_extended_capture(tmp_path / "more", known(views), [])
    for view in open_capture(tmp_path / "more").views:
        same(view.camera, camera)


@pytest.mark.parametrize("orientation", [6, 8])
def test_starts_and_focal_lengths_of_stored_pixels_fit_an_upright_photo(tmp_path: Path, orientation: int) -> None:
    stored = cameras(1)[0]
    upright = np.asarray(oriented(Image.fromarray(ball_picture(stored)), orientation))
    file = tmp_path / "phone.png"
    Image.fromarray(ball_picture(stored)).save(file)
    turn_files([file], orientation)
    photo = Photo.open(file)
    assert (photo.width, photo.height) == upright.shape[1::-1]
    scene = known(own=Camera.concatenate([stored] * 3))
    start, _, _ = first_camera(photo, scene, PoseOptions(start=stored))
    same(start, upright_camera(stored, orientation))
    sought, unknown, _ = first_camera(photo, scene, PoseOptions())
    assert unknown
    torch.testing.assert_close(sought.intrinsics, upright_camera(stored, orientation).intrinsics)
