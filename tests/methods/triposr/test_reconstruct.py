"""TripoSR as a method: the solid of a network that sees an ellipsoid, its camera, its options, several views."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.command_line import monoform
from tests.data.capture_cases import orbit_cameras, write_transforms
from tests.methods.triposr.tiny_triposr import AXES, ellipsoid_net
from tests.pictures import png

from monoform import InputError, Photo, View
from monoform.camera import Camera, orbit
from monoform.jobs.batch import Item, run_one
from monoform.jobs.reconstruct_options import ReconstructOptions
from monoform.mesh import Mesh, report
from monoform.methods import make
from monoform.methods.triposr import losses
from monoform.methods.triposr.cameras import WORLD_FROM_NETWORK
from monoform.methods.triposr.infer import TripoSr, bytes_of
from monoform.metrics import mask_iou
from monoform.render import render_mesh
from monoform.scene import Reconstruction
from monoform.training.weights import save_pretrained

HALF = np.abs(np.array(WORLD_FROM_NETWORK)) @ np.array(AXES) * 0.49 / max(AXES)
"""Half axes of the ellipsoid in the world."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    net = ellipsoid_net()
    return str(save_pretrained(net, net.config, tmp_path_factory.mktemp("weights") / "x", card="x", exact=True))


def solid() -> Mesh:
    """The ellipsoid as it should be."""
    import trimesh

    ball = trimesh.creation.icosphere(subdivisions=4)
    return Mesh(ball.vertices * HALF, ball.faces)


def photo_from(camera: Camera) -> Photo:
    seen = render_mesh(solid(), camera, background=(0.0, 0.0, 0.0))
    return Photo.open((255 * seen.rgb).astype(np.uint8), mask=(255 * seen.alpha).astype(np.uint8))


def usual(turn: float = 0.0, elevation: float = 0.1, count: int = 1) -> Camera:
    return orbit(count, start=turn, elevation=elevation, distance=1.9, fov_y=0.7, width=96, height=80)


def made(weights: str, camera: Camera | None = None, **options) -> Reconstruction:
    camera = camera or usual()
    known = Camera(torch.eye(4)[None], camera.intrinsics, camera.width, camera.height)
    method = make("triposr", weights=weights, **options)
    return method.reconstruct([View(photo_from(camera), known)], generator=torch.Generator().manual_seed(0))


def test_the_surface_is_the_ellipsoid_closed_and_upright(weights: str) -> None:
    found = made(weights).mesh(faces=4000, texture=64, resolution=96)
    told = report(found)
    assert told.watertight and told.components == 1 and told.euler_number == 2
    # The planes are straight between their pixels: a hundredth of the axes.
    np.testing.assert_allclose(np.abs(found.bounds), [HALF, HALF], atol=0.012)
    distance = np.linalg.norm(found.vertices / HALF, axis=1)
    np.testing.assert_allclose(distance, 1.0, atol=0.04)


def test_the_camera_sees_it_where_the_photo_does(weights: str) -> None:
    camera = usual(elevation=0.15)
    found = made(weights, camera)
    assert found.capabilities == {"geometry", "color", "camera"}
    seen = render_mesh(found.mesh(faces=2000, texture=64, resolution=64), found.camera)
    mask = found.photo.original_mask() > 0.5
    assert (seen.mask & mask).sum() / (seen.mask | mask).sum() > 0.95
    # A silhouette alone knows the camera of an ellipsoid up to its symmetries: it is that side of it.
    ahead = found.camera.world_from_camera[0, :3, 2]
    assert float(ahead @ camera.world_from_camera[0, :3, 2].float()) > np.cos(0.25)


@pytest.mark.parametrize(("facing", "axis"), [("+x", 0), ("-z", 2)])
def test_the_side_of_the_photo_looks_where_it_is_told(facing: str, axis: int, weights: str) -> None:
    found = made(weights, facing=facing)
    sign = 1 if facing[0] == "+" else -1
    assert sign * float(found.camera.position[0, axis]) > 1.0
    size = np.ptp(found.field.bounds.numpy(), axis=0)
    assert size.argmin() == axis and size.argmax() == 1  # it is thin towards the viewer, and high
    assert found.provenance.to_dict()["weights"]["world"].endswith(facing)


def test_colors_are_the_fields_and_the_photos(weights: str) -> None:
    plain = made(weights, paint="vertices").mesh(faces=1000, texture=64, resolution=48)
    assert plain.texture is None and plain.vertex_colors is not None
    red = plain.vertex_colors[:, 0]
    right = plain.vertices[:, 0]  # the network's y
    assert red[right > 0.1].min() > 150 and red[right < -0.1].max() < 100
    for paint in ("texture", "field"):
        mesh = made(weights, paint=paint).mesh(faces=1000, texture=64, resolution=48)
        assert mesh.texture is not None and mesh.texture.shape == (64, 64, 3)


def test_a_higher_threshold_makes_a_smaller_solid(weights: str) -> None:
    """In the cube; in the world it has one size."""
    method = make("triposr", weights=weights, threshold=100.0)
    volume = method.volume(photo_from(usual()))
    larger, smaller = (
        make("triposr", weights=weights, threshold=level).first_look(volume, torch.eye(3), 1) for level in (25.0, 100.0)
    )
    assert np.ptp(smaller.vertices, axis=0)[2] < 0.95 * np.ptp(larger.vertices, axis=0)[2]
    with pytest.raises(InputError, match="as dense as 1e\\+06: give another photo, or a lower threshold"):
        make("triposr", weights=weights, threshold=1e6).first_look(volume, torch.eye(3), 1)


def test_smooth_surfaces_lie_nearer_to_the_true_one(weights: str) -> None:
    """Densities are steep: on a coarse grid straight lines between them miss the surface, those between logarithms do
    not."""
    errors = {}
    for smooth in (False, True):
        found = made(weights, smooth=smooth)
        mesh = found.mesh(faces=100_000, texture=64, resolution=32)
        density = found.field.parts[0].volume.density(
            found.field.parts[0].inside(torch.from_numpy(mesh.vertices).float())
        )
        errors[smooth] = float((density / 25.0).log().abs().mean())
    assert errors[True] < 0.3 * errors[False]


def test_chunks_change_nothing_and_precision_and_foreground_something(weights: str) -> None:
    photo, points = photo_from(usual()), torch.rand(500, 3) - 0.5
    plain = make("triposr", weights=weights).volume(photo)
    chunked = make("triposr", weights=weights, chunk=64).volume(photo)
    torch.testing.assert_close(chunked.raw(points), plain.raw(points), atol=1e-5, rtol=1e-5)
    seen = []
    for options in ({}, {"precision": "bfloat16"}, {"foreground": 0.5}):
        method = make("triposr", weights=weights, **options)
        with torch.no_grad():
            method.net.backbone.proj_out.weight.fill_(0.01)  # so that the planes depend on the photo
            seen.append(method.volume(photo).planes)
            method.net.backbone.proj_out.weight.zero_()
    assert 0 < float((seen[1] - seen[0]).abs().max()) < 0.05
    assert float((seen[2] - seen[0]).abs().max()) > 0


def test_as_many_solids_are_kept_as_are_asked_for(tmp_path: Path) -> None:
    net = ellipsoid_net(solids=2)
    folder = str(save_pretrained(net, net.config, tmp_path / "two", card="x", exact=True))
    heights = []
    for parts in (0, 2):  # the mask has one
        mesh = made(folder, parts=parts).mesh(faces=1000, texture=64, resolution=64)
        assert report(mesh).components == max(parts, 1)
        heights.append(np.ptp(mesh.bounds[:, 1]) / np.ptp(mesh.bounds[:, 0]))
    assert heights[1] > 1.5 * heights[0]


def test_the_field_of_view_is_assumed_where_nothing_tells_it(weights: str) -> None:
    view = View(photo_from(usual()))
    for fov in (20.0, 60.0):
        found = make("triposr", weights=weights, fov=fov).reconstruct([view], generator=torch.Generator())
        assert float(found.camera.fov_y) == pytest.approx(np.radians(fov), rel=1e-4)


def test_a_haze_in_a_corner_does_not_make_the_object_small() -> None:
    photo = photo_from(usual())
    mask = photo.mask.copy()
    mask[:8, :8] = 0.1
    hazy = photo.with_mask(mask, "network")
    np.testing.assert_array_equal(bytes_of(hazy), bytes_of(photo))
    assert (bytes_of(photo)[..., 3] == np.round(255 * photo.mask)).all()


def test_refining_brings_the_field_to_the_photo(weights: str) -> None:
    camera = usual(elevation=0.0)
    before, after = made(weights, camera), made(weights, camera, refine=30)
    fit = after.provenance.fit
    assert fit is not None and fit["loss"] < 0.8 * fit["loss_before"]
    again = made(weights, camera, refine=30)
    assert torch.equal(again.field.parts[0].volume.planes, after.field.parts[0].volume.planes)
    picture = torch.from_numpy(after.photo.rgb)

    def error(one: Reconstruction) -> float:
        seen = one.render(one.camera).rgb
        inside = after.photo.mask > 0.9
        return float(np.square(seen - picture.numpy())[inside].mean())

    assert error(after) < 0.8 * error(before)


@pytest.mark.parametrize("weight", [losses.SURFACE, 0.0])
def test_refining_on_colors_that_the_network_cannot_give_leaves_the_solid_on_its_photo(
    weights: str, weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "SURFACE", weight)
    camera = usual(elevation=0.0)
    drawn = photo_from(camera)
    gray = Photo.open(np.full(drawn.rgb.shape, 128, np.uint8), mask=(255 * drawn.mask).astype(np.uint8))
    known = Camera(torch.eye(4)[None], camera.intrinsics, camera.width, camera.height)
    overlaps = []
    for steps in (0, 30):
        method = make("triposr", weights=weights, refine=steps)
        found = method.reconstruct([View(gray, known)], generator=torch.Generator().manual_seed(0))
        seen = render_mesh(found.mesh(faces=2000, texture=64, resolution=64), found.camera).mask
        overlaps.append(mask_iou(seen, gray.mask > 0.5))
    fit = found.provenance.fit
    assert fit is not None
    if weight:
        assert fit["share"] == 1 and overlaps[1] > overlaps[0]
    else:  # rays alone make the solid thinner: only as much of that is taken as leaves it on its photo
        assert fit["share"] < 1 and overlaps[1] > overlaps[0] - 0.02


def test_several_views_make_one_solid_in_their_world(weights: str) -> None:
    """The network sees the same side in all: two from opposite sides agree on the ellipsoid."""
    around = usual(elevation=0.0, count=2)
    views = [View(photo_from(one), one.to(torch.float32)) for one in around]
    found = make("triposr", weights=weights).reconstruct(views, generator=torch.Generator())
    assert len(found.field.parts) == 2 and found.capabilities == {"geometry", "color"}
    mesh = found.mesh(faces=2000, texture=64, resolution=64)
    np.testing.assert_allclose(np.abs(mesh.bounds), [HALF, HALF], atol=0.05)
    for view in found.views:
        seen = render_mesh(mesh, view.camera)
        mask = view.photo.original_mask() > 0.5
        assert (seen.mask & mask).sum() / (seen.mask | mask).sum() > 0.9
    with pytest.raises(InputError, match=r"View 2 \(photo\) lacks its mask or its camera"):
        make("triposr", weights=weights).reconstruct([views[0], View(views[1].photo)], generator=torch.Generator())


def test_from_a_photo_to_a_folder(weights: str, tmp_path: Path) -> None:
    photo = photo_from(usual())
    (tmp_path / "egg.png").write_bytes(png(np.concatenate((photo.rgb, photo.mask[..., None]), axis=2)))
    small = ("--faces", 500, "--texture", 64, "--resolution", 32, "--frames", 2)
    words = ("--weights", weights, "--set", "renders=3", "threshold=20")
    done = monoform("reconstruct", tmp_path / "egg.png", "--method", "triposr", *words, *small, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    place = tmp_path / "out" / "egg"
    told = json.loads((place / "result.json").read_text())
    assert told["config"]["threshold"] == 20.0 and told["overlay"]["iou"] > 0.9
    pictures = [np.asarray(Image.open(place / f"render_{number:03d}.png")) for number in range(3)]
    assert all(each.shape == (256, 256, 3) and each.std() > 0 for each in pictures)
    assert sorted(told["own_files"]) == [f"render_{number:03d}.png" for number in range(3)]
    assert pictures[0][0].min() > 240  # on white


def test_of_many_photos_one_is_held_at_a_time(weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with their number: when a photo's turn comes, nothing of those before it is left."""
    held: list[weakref.ref] = []
    left: list[int] = []
    original = TripoSr.volume

    def volume(self: TripoSr, photo: Photo) -> object:
        gc.collect()
        left.append(sum(each() is not None for each in held))
        found = original(self, photo)
        held.append(weakref.ref(found))
        return found

    monkeypatch.setattr(TripoSr, "volume", volume)
    options = ReconstructOptions(
        method="triposr", overrides={"weights": weights}, faces=300, texture=64, resolution=32, frames=0
    )
    for number in range(2):
        photo = photo_from(usual(0.3 * number))
        file = tmp_path / f"{number}.png"
        file.write_bytes(png(np.concatenate((photo.rgb, photo.mask[..., None]), axis=2)))
        outcome = run_one(Item(str(file), tmp_path / str(number)), options)
        assert outcome.status == "done", outcome.message
    assert left == [0, 0] and len(held) == 2


def test_a_capture_becomes_one_solid(weights: str, tmp_path: Path) -> None:
    write_transforms(tmp_path / "capture", orbit_cameras(3, width=64, height=48))
    small = ("--faces", 500, "--texture", 64, "--resolution", 32, "--frames", 1)
    words = ("--views", tmp_path / "capture", "--method", "triposr", "--weights", weights, *small)
    done = monoform("reconstruct", *words, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "out" / "capture" / "result.json").read_text())
    assert told["mesh"]["watertight"] and told["camera"]["reason"] == "The pose is given: none is fitted."
