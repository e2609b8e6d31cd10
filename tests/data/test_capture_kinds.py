"""What programs and systems do to captures: the cameras come back as they were, or one sentence says what is wrong."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.data.capture_cases import (
    orbit_cameras,
    surface_points,
    write_blender,
    write_colmap,
    write_llff,
    write_photos,
    write_transforms,
)

from monoform import InputError
from monoform.camera import Camera, look_at, spherical_position, transforms_from_cameras
from monoform.data.capture import content_sphere, open_capture, read_image
from monoform.data.captures.check import check_capture


def edit(root: Path, **fields) -> None:
    file = root / "transforms.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def uses(root: Path) -> str:
    return " ".join(view.split for view in open_capture(root).views)


LISTED = "train train test val"


@pytest.mark.parametrize(
    "form",
    [
        "{}.png",
        "./{}.png",
        "{}",
        "images//../{}.png",
        "/elsewhere/capture/{}.png",
        "{}.PNG",
    ],
)
def test_split_lists_name_photos_and_not_words(tmp_path: Path, form: str) -> None:
    write_transforms(tmp_path, orbit_cameras(4))
    names = [form.format(f"images/{number:02d}") for number in range(4)]
    for spell in (str, lambda name: name.replace("/", "\\"), lambda name: name.split("/")[-1]):
        edit(tmp_path, test_filenames=[spell(names[2])], val_filenames=[spell(names[3]), spell(names[2])])
        assert uses(tmp_path) == LISTED, "a photo for both validation and testing is for testing"
        edit(tmp_path, train_filenames=[spell(name) for name in names[:2]])
        assert uses(tmp_path) == LISTED


def test_lists_that_are_told_are_followed_to_the_letter(tmp_path: Path) -> None:
    write_transforms(tmp_path, orbit_cameras(9))
    names = [f"images/{number:02d}.png" for number in range(9)]
    edit(tmp_path, train_filenames=names, test_filenames=[])
    assert uses(tmp_path) == " ".join(["train"] * 9), "nothing is held out that is to be trained on"
    edit(tmp_path, train_filenames=names[:5], test_filenames=names[5:7])
    capture = open_capture(tmp_path)
    assert uses(tmp_path) == "train train train train train test test"
    assert capture.left_out == 2 and "2 photos are in none of its lists" in capture.sentence()
    edit(tmp_path, train_filenames=None, test_filenames=None, val_filenames=[])
    assert uses(tmp_path).split().count("test") == 1, "as if nothing were told: every eighth"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"train_filenames": 7}, "train_filenames must be a list"),
        ({"val_filenames": True}, "val_filenames must be a list"),
        ({"test_filenames": "images/00.png"}, "test_filenames must be a list"),
        ({"test_filenames": [1, 2]}, "test_filenames must be a list"),
        ({"test_filenames": ["images/99.png"]}, r"test_filenames names 'images/99\.png', but no frame"),
        ({"train_filenames": ["images/00.png"], "test_filenames": ["./images/00.png"]}, "keep it in one of them"),
        ({"train_filenames": []}, None),
        ({"train_filenames": ["images/00.png"], "val_filenames": None}, None),
    ],
)
def test_lists_that_cannot_be_followed(tmp_path: Path, fields: dict, sentence: str | None) -> None:
    write_transforms(tmp_path, orbit_cameras(3))
    edit(tmp_path, **fields)
    if sentence is None:
        assert "test" not in uses(tmp_path)
        return
    with pytest.raises(InputError, match=rf"transforms\.json: .*{sentence}"):
        open_capture(tmp_path)


def test_a_name_that_several_photos_have_is_no_name(tmp_path: Path) -> None:
    names = [f"images/{side}/{number}.png" for side in ("front", "back") for number in range(2)]
    cameras = orbit_cameras(4)
    write_photos(tmp_path, cameras, names)
    content = transforms_from_cameras(list(zip(names, cameras, strict=True)))
    (tmp_path / "transforms.json").write_text(json.dumps(content | {"test_filenames": ["0.png"]}))
    with pytest.raises(InputError, match=r"can be images/front/0\.png and images/back/0\.png"):
        open_capture(tmp_path)
    edit(tmp_path, test_filenames=["back/0.png"])
    assert uses(tmp_path) == "train train test train"
    content["frames"][2]["split"] = "train"
    edit(tmp_path, frames=content["frames"])
    with pytest.raises(InputError, match="split 'train' but is in test_filenames"):
        open_capture(tmp_path)


def test_files_from_windows(tmp_path: Path) -> None:
    write_transforms(tmp_path, orbit_cameras(3))
    file = tmp_path / "transforms.json"
    content = json.loads(file.read_text())
    for frame in content["frames"]:
        frame["file_path"] = frame["file_path"].replace("/", "\\")
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(content).replace(", ", ",\r\n").encode())
    assert [view.name for view in open_capture(tmp_path).views] == ["images/00.png", "images/01.png", "images/02.png"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (10**400, r"frames\[1\]\.transform_matrix"),
        (math.nan, r"frames\[1\]\.transform_matrix"),
        (None, r"frames\[1\]"),
    ],
)
def test_numbers_that_are_none(tmp_path: Path, value: object, sentence: str) -> None:
    write_transforms(tmp_path, orbit_cameras(3))
    frames = json.loads((tmp_path / "transforms.json").read_text())["frames"]
    frames[1]["transform_matrix"][0][3] = value
    edit(tmp_path, frames=frames)
    with pytest.raises(InputError, match=rf"transforms\.json.*{sentence}"):
        open_capture(tmp_path)


@pytest.mark.parametrize("name", ["", None, 7, ["a"]])
def test_frames_without_a_photo(tmp_path: Path, name: object) -> None:
    write_transforms(tmp_path, orbit_cameras(2))
    frames = json.loads((tmp_path / "transforms.json").read_text())["frames"]
    frames[1]["file_path"] = name
    edit(tmp_path, frames=frames)
    with pytest.raises(InputError, match=r"transforms\.json.*file_path"):
        open_capture(tmp_path)


def turned_blender(root: Path, elevations: dict[str, list[float]]) -> dict[str, list[Camera]]:
    """A blender capture whose splits look from these elevations, z up."""
    found = {}
    for split, angles in elevations.items():
        azimuth = torch.arange(len(angles), dtype=torch.float64) * 2.1
        poses = look_at(spherical_position(azimuth, torch.tensor(angles, dtype=torch.float64), 2.0)).float()
        found[split] = [replace(orbit_cameras(1)[0], world_from_camera=pose[None]) for pose in poses]
        names = [f"{split}/{number}.png" for number in range(len(angles))]
        write_photos(root, found[split], names)
        content = transforms_from_cameras(list(zip(names, found[split], strict=True)))
        (root / f"transforms_{split}.json").write_text(json.dumps(content))
    return found


@pytest.mark.parametrize("high", ["train", "test"])
def test_all_splits_have_one_upward_axis(tmp_path: Path, high: str) -> None:
    elevations = {"train": [0.4] * 5, "test": [0.3]} | {high: [1.35] * (5 if high == "train" else 1)}
    if high == "train":
        elevations["test"] = [0.1] * 12
    cameras = turned_blender(tmp_path, elevations)
    for split, own in cameras.items():
        views = open_capture(tmp_path).of_split(split)
        for view, camera in zip(views, own, strict=True):
            torch.testing.assert_close(view.camera.world_from_camera, camera.world_from_camera, atol=1e-5, rtol=1e-5)
        alone = open_capture(tmp_path / f"transforms_{split}.json").views
        for view, camera in zip(alone, own, strict=True):
            torch.testing.assert_close(view.camera.world_from_camera, camera.world_from_camera, atol=1e-5, rtol=1e-5)


def test_photos_that_were_held_sideways_tell_what_is_up_by_their_exif(tmp_path: Path) -> None:
    cameras = orbit_cameras(6)
    exif = Image.Exif()
    exif[0x0112] = 6
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    sideways = []
    for camera in cameras:
        pose = camera.world_from_camera.clone()
        pose[:, :3, :3] = pose[:, :3, :3] @ turn  # stored x is seen downwards
        sideways.append(replace(camera, world_from_camera=pose))
    write_transforms(tmp_path, sideways, alpha=False)
    for file in (tmp_path / "images").iterdir():
        Image.open(file).save(file, exif=exif)
    for view, camera in zip(open_capture(tmp_path).views, sideways, strict=True):
        torch.testing.assert_close(view.camera.world_from_camera, camera.world_from_camera, atol=1e-5, rtol=1e-5)
        assert read_image(view).shape[:2] == (20, 24), "as stored"


def test_upright_and_landscape_photos_have_square_pixels(tmp_path: Path) -> None:
    write_blender(tmp_path, orbit_cameras(4))
    Image.new("RGB", (20, 24)).save(tmp_path / "train" / "r_1.png")
    angle = json.loads((tmp_path / "transforms_train.json").read_text())["camera_angle_x"]
    for view in open_capture(tmp_path).views:
        (fx, _, cx), (_, fy, cy), _ = view.camera.intrinsics[0].tolist()
        assert fx == pytest.approx(fy) == pytest.approx(0.5 * view.camera.width / math.tan(0.5 * angle))
        assert (2 * cx, 2 * cy) == (view.camera.width, view.camera.height)


def test_photos_of_16_bits_and_slips_of_the_eraser(tmp_path: Path) -> None:
    write_transforms(tmp_path, orbit_cameras(2))
    ramp = np.round(np.linspace(0, 65535, 24)[None].repeat(20, axis=0)).astype(np.uint16)
    Image.fromarray(ramp).save(tmp_path / "images" / "00.png")
    rgba = np.full((20, 24, 4), 255, np.uint8)
    Image.fromarray(rgba).save(tmp_path / "images" / "01.png")
    first, second = open_capture(tmp_path).views
    np.testing.assert_allclose(read_image(first)[..., 0], ramp / 65535.0, atol=0.003)
    assert read_image(second).shape[2] == 3, "alpha that is opaque everywhere says nothing"


def test_points_of_a_ply_and_damaged_ones(tmp_path: Path) -> None:
    import trimesh

    cameras = orbit_cameras()
    write_transforms(tmp_path, cameras, ply_file_path="sparse_pc.ply")
    assert open_capture(tmp_path).points is None
    points = surface_points() + np.array([0.3, 0.0, 0.1])
    z_up = np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)
    trimesh.PointCloud(z_up).export(tmp_path / "sparse_pc.ply")
    found = open_capture(tmp_path).points
    assert found is not None
    np.testing.assert_allclose(np.sort(found.numpy(), axis=0), np.sort(points, axis=0), atol=1e-5)
    (tmp_path / "sparse_pc.ply").write_bytes(b"ply\nformat ascii 1.0\nelement vertex 9\n")
    with pytest.raises(InputError, match=r"sparse_pc\.ply"):
        open_capture(tmp_path)
    (tmp_path / "sparse_points.npz").write_bytes(b"PK\3\4")
    with pytest.raises(InputError, match=r"sparse_points\.npz has no array xyz"):
        open_capture(tmp_path)


def test_colmap_photos_in_other_folders(tmp_path: Path) -> None:
    cameras = orbit_cameras()
    write_colmap(tmp_path, cameras, surface_points(), binary=False)
    (tmp_path / "images" / "extra.png").write_bytes((tmp_path / "images" / "00.png").read_bytes())
    assert len(open_capture(tmp_path).views) == 9
    small = tmp_path / "images_2"
    small.mkdir()
    for file in (tmp_path / "images").glob("0*.png"):
        Image.open(file).convert("RGB").resize((12, 10)).save(small / f"{file.stem}.jpg")
        file.unlink()
    for name in ("images_2", "images_lowres", "photos"):
        small = small.rename(tmp_path / name)
        view = open_capture(tmp_path).views[0]
        assert view.image.parent == small and float(view.camera.intrinsics[0, 0, 0]) == pytest.approx(0.8 * 24)
    Image.new("RGB", (10, 12)).save(small / "00.jpg")
    with pytest.raises(InputError, match="10 x 12 pixels, its camera 24 x 20, which is another shape"):
        open_capture(tmp_path)
    (tmp_path / "masks").mkdir()
    Image.new("L", (24, 20)).save(tmp_path / "masks" / "00.png")
    for number in range(1, 9):
        Image.new("L", (24, 20)).save(tmp_path / "masks" / f"{number:02d}.png")
    (small / "00.jpg").unlink()
    with pytest.raises(InputError, match=r"no photo .*00\.png"):
        open_capture(tmp_path)


def ring(count: int, elevation: float, *, spread: float = 2 * math.pi) -> list[Camera]:
    azimuth = torch.linspace(0, spread, count + 1, dtype=torch.float64)[:count]
    poses = look_at(spherical_position(azimuth, torch.full((count,), elevation, dtype=torch.float64), 2.0)).float()
    return [replace(orbit_cameras(1)[0], world_from_camera=pose[None]) for pose in poses]


@pytest.mark.parametrize("elevation", [0.0, 0.5, 1.1])
def test_llff_all_around_looks_at_what_all_cameras_look_at(tmp_path: Path, elevation: float) -> None:
    cameras = ring(8, elevation)
    pose = torch.tensor([[1.0, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]])  # the world of a solver has no upright
    moved = [replace(c, world_from_camera=c.world_from_camera.clone()) for c in cameras]
    for camera in moved:
        camera.world_from_camera[:, :3] = pose @ camera.world_from_camera[:, :3]
    write_llff(tmp_path, moved, np.tile([1.5, 2.5], (8, 1)))
    capture = open_capture(tmp_path)
    center, radius = content_sphere(capture)
    for view in capture.views:
        pixels, depth = view.camera.project(torch.tensor([[center]]))
        np.testing.assert_allclose(pixels[0, 0], [12, 10], atol=0.05)
        assert float(depth.min()) > 0
    up = -torch.cat([view.camera.world_from_camera[:, :3, 1] for view in capture.views]).mean(dim=0)
    assert float(up[1]) == pytest.approx(float(up.norm()), abs=1e-4)
    assert radius == pytest.approx(2.0 / (0.75 * 1.5) * 0.5 / 1.6, rel=1e-3)
    assert "8 photos" in check_capture(tmp_path, "llff")


def forward_facing(count: int = 6) -> list[Camera]:
    eye = torch.stack([torch.tensor([0.3 * math.cos(n), 0.2 * math.sin(2 * n), 3.0]) for n in range(count)])
    return [replace(orbit_cameras(1)[0], world_from_camera=look_at(one[None])) for one in eye]


def test_llff_that_faces_forward_is_recentered_as_published(tmp_path: Path) -> None:
    cameras = forward_facing()
    write_llff(tmp_path, cameras, np.tile([2.0, 5.0], (6, 1)))
    capture = open_capture(tmp_path)
    mean = torch.cat([view.camera.world_from_camera for view in capture.views]).mean(dim=0)
    torch.testing.assert_close(mean[:3, 3], torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(mean[:2, 2], torch.zeros(2), atol=1e-5, rtol=0)  # it looks along the axis
    center, _ = content_sphere(capture)
    assert center == pytest.approx((0.0, 0.0, -2.0 / (1 / 2.0 + 1 / 5.0) / (0.75 * 2.0)), abs=1e-5)


def test_llff_photos_of_other_sizes(tmp_path: Path) -> None:
    write_llff(tmp_path, forward_facing(), np.tile([2.0, 5.0], (6, 1)))
    for name in ("._im00.png", ".DS_Store", "Thumbs.db"):
        (tmp_path / "images" / name).write_bytes(b"Mac OS X")
    full = open_capture(tmp_path).views[0].camera
    assert (full.width, float(full.intrinsics[0, 0, 0])) == (24, pytest.approx(38.4))
    for file in (tmp_path / "images").glob("im*.png"):
        Image.open(file).resize((12, 10)).save(file)
    small = open_capture(tmp_path).views[0].camera
    assert small.width == 12 and small.intrinsics[0, [0, 1], [0, 1]].tolist() == pytest.approx([19.2, 19.2])
    (tmp_path / "images").rename(tmp_path / "images_2")
    torch.testing.assert_close(open_capture(tmp_path).views[0].camera.intrinsics, small.intrinsics)
    for file in (tmp_path / "images_2").glob("im*.png"):
        Image.open(file).resize((10, 12)).save(file)
    with pytest.raises(InputError, match="another shape"):
        open_capture(tmp_path)
    next((tmp_path / "images_2").glob("im*.png")).unlink()
    with pytest.raises(InputError, match="6 cameras for 5 photos in images_2"):
        open_capture(tmp_path)


def test_photos_are_refused_by_their_head(tmp_path: Path) -> None:
    write_transforms(tmp_path, orbit_cameras(2))
    file = tmp_path / "images" / "00.png"
    Image.new("1", (13000, 13000)).save(file)
    with pytest.raises(InputError, match=r"13000 x 13000 pixels, more than 100 million"):
        check_capture(tmp_path, "transforms")
    file.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 20\n")
    with pytest.raises(InputError, match="not an image"):
        check_capture(tmp_path, "transforms")
    file.unlink()
    file.symlink_to("00.png")
    with pytest.raises(InputError, match="no photo"):
        check_capture(tmp_path, "transforms")


def test_turned_photos_are_told_apart_from_others(tmp_path: Path) -> None:
    write_transforms(tmp_path, orbit_cameras(2), alpha=False)
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (20, 24)).save(tmp_path / "images" / "00.png", exif=exif)
    with pytest.raises(InputError, match=r"20 x 24 pixels .turned by its EXIF.* its camera 24 x 20"):
        read_image(open_capture(tmp_path).views[0])
