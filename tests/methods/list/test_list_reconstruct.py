"""LIST as a method: the surface where the network sees it, the camera that the mask asks for, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tests.methods.list.tiny_list import tiny_coarse, tiny_net

from monoform import InputError, Mesh, Photo, View
from monoform.camera import Camera, look_at
from monoform.inversion.silhouette_pose import MaskFit, looking, pose_from_pixels
from monoform.mesh.sdf_grid import dense_values, surface_of
from monoform.methods.list import List, ListOptions, infer
from monoform.methods.list.infer import picture_of
from monoform.render import render_mesh
from monoform.training.weights import save_pretrained

HALF = torch.tensor([0.5, 0.3, 0.2])


def ellipsoid(points: torch.Tensor) -> torch.Tensor:
    """About the distance, negative inside."""
    return ((points / HALF).norm(dim=1) - 1) * HALF.min()


class Ellipsoid:
    """In place of a network's distances."""

    def __init__(self, *args, **options) -> None:
        pass

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        return ellipsoid(points)


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    net = tiny_net()
    folder = tmp_path_factory.mktemp("weights") / "tiny"
    save_pretrained(net, net.config, folder, card="x")
    return str(folder)


@pytest.fixture(scope="module")
def solid() -> Mesh:
    return surface_of(dense_values(ellipsoid, 48))


def seen_from(mesh: Mesh, azimuth: float, elevation: float) -> tuple[Photo, Camera]:
    """A photo of a mesh with its true camera."""
    eye = 2.2 * torch.tensor(
        [np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)]
    )
    camera = Camera.from_fov(look_at(eye[None].float()), torch.tensor([0.6]), 96, 80)
    render = render_mesh(mesh, camera, background=(0.0, 0.0, 0.0))
    photo = Photo.open((255 * render.rgb).astype(np.uint8), mask=(255 * render.alpha).astype(np.uint8))
    return photo, camera


def reconstruct(photo: Photo, camera: Camera | None, weights: str, **changes):
    method = List(ListOptions(weights=weights, **changes))
    known = None if camera is None else Camera(torch.eye(4)[None], camera.intrinsics, camera.width, camera.height)
    return method.reconstruct([View(photo, known)], generator=torch.Generator())


@pytest.mark.parametrize("elevation", [0.0, 0.5])
def test_the_mesh_lies_where_the_mask_is(solid, weights, monkeypatch, elevation) -> None:
    monkeypatch.setattr(infer, "FastDistances", Ellipsoid)
    photo, camera = seen_from(solid, 0.0, elevation)
    found = reconstruct(photo, camera, weights)
    assert found.capabilities == {"geometry", "camera"}
    mesh = found.mesh(faces=2000, texture=128, resolution=48)
    assert np.linalg.norm(mesh.vertices, axis=1).max() <= 0.5
    sides = np.ptp(mesh.vertices, axis=0)
    np.testing.assert_allclose(sides / sides.max(), HALF.numpy() / 0.5, atol=0.04)
    shown = render_mesh(mesh, found.camera).alpha > 0.5
    wanted = photo.mask > 0.5
    assert (shown & wanted).sum() / (shown | wanted).sum() > 0.9
    assert mesh.texture is not None and mesh.texture.shape == (128, 128, 3)


def test_what_lies_outside_the_mask_is_carved_away(solid, weights, monkeypatch) -> None:
    monkeypatch.setattr(infer, "FastDistances", Ellipsoid)
    photo, camera = seen_from(solid, 0.0, 0.0)
    notched = photo.mask.copy()
    columns = np.flatnonzero((notched > 0.5).any(0))
    notched[: len(notched) // 2, columns[0] + 10 : columns[0] + 30] = 0
    photo = photo.with_mask(notched, "file")
    outside = {}
    for carve in (True, False):
        found = reconstruct(photo, camera, weights, carve=carve)
        shown = render_mesh(found.mesh(faces=4000, texture=64, resolution=64), found.camera).alpha > 0.5
        outside[carve] = int((shown & (notched < 0.5)).sum())
    assert outside[True] < 0.25 * outside[False]


def test_the_fit_finds_a_raised_camera(solid) -> None:
    photo, camera = seen_from(solid, 0.4, 0.3)
    intrinsics = camera.intrinsics[0].numpy().astype(float)
    fit = MaskFit(solid, photo.mask > 0.5, intrinsics)
    true = camera.camera_from_world[0, :3, :3].numpy().astype(float)
    np.testing.assert_allclose(looking(0.4, 0.3), true, atol=1e-5)
    assert fit.overlap(true) > 0.93 > fit.overlap(looking(1.4, 0.3))
    np.testing.assert_allclose(fit.place(true), camera.camera_from_world[0, :3, 3].numpy(), atol=0.05)
    near = Rotation.from_rotvec([0.1, 0.08, 0.0]).as_matrix() @ true
    assert fit.overlap(fit.best([near, looking(2.0, 0.0)], turn=0.15)) > fit.overlap(near)


def test_pixels_of_a_camera_give_its_rotation() -> None:
    points = np.random.default_rng(0).uniform(-0.4, 0.4, (50, 3))
    photo_camera = Camera.from_fov(look_at(torch.tensor([[1.0, 0.7, 1.5]])), torch.tensor([0.7]), 100, 100)
    pixels, _ = photo_camera.project(torch.from_numpy(points).float()[None])
    found = pose_from_pixels(points, pixels[0].numpy(), photo_camera.intrinsics[0].numpy().astype(float))
    np.testing.assert_allclose(found, photo_camera.camera_from_world[0, :3, :3].numpy(), atol=1e-3)
    assert pose_from_pixels(points[:3], pixels[0, :3].numpy(), np.eye(3)) is None
    assert pose_from_pixels(points, np.full((50, 2), np.nan), np.eye(3)) is None


def test_the_network_sees_the_object_on_black_and_square(solid) -> None:
    photo, _ = seen_from(solid, 0.0, 0.0)
    picture = picture_of(photo, np.array([-10.0, 0.0, 80.0]), 32)
    assert picture.shape == (1, 3, 32, 32) and float(picture[..., :4].max()) == 0.0
    assert 0.1 < float((picture.amax(1) > 0).float().mean()) < 0.9


def test_weights_options_and_photos_that_do_not_do_are_refused(solid, weights, tmp_path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        List(ListOptions(weights=str(tmp_path / "nowhere")))
    for changes, sentence in (({"margin": 0.5}, "margin"), ({"fov": 0.0}, "fov"), ({"parts": -1}, "parts")):
        with pytest.raises(InputError, match=f"list's {sentence}"):
            List(ListOptions(weights=weights, **changes))
    coarse = tiny_coarse()
    save_pretrained(coarse, coarse.config, tmp_path / "coarse", card="x")
    with pytest.raises(InputError, match="first stage alone"):
        List(ListOptions(weights=str(tmp_path / "coarse")))
    photo, _ = seen_from(solid, 0.0, 0.0)
    method = List(ListOptions(weights=weights))
    with pytest.raises(InputError, match="several views need both"):
        method.reconstruct([View(photo, None)] * 2, generator=torch.Generator())
    bare = Photo.open(np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match="mask"):
        method.reconstruct([View(bare, None)], generator=torch.Generator())


def test_a_network_that_sees_nothing_says_so(solid, weights, monkeypatch) -> None:
    class Nothing(Ellipsoid):
        def __call__(self, points: torch.Tensor) -> torch.Tensor:
            return ellipsoid(points).abs() + 1

    monkeypatch.setattr(infer, "FastDistances", Nothing)
    photo, camera = seen_from(solid, 0.0, 0.0)
    with pytest.raises(InputError, match="sees no object"):
        reconstruct(photo, camera, weights)


def test_the_weights_that_ship_see_a_solid(solid) -> None:
    """An ellipsoid, twice as long as high, seen from the side: nothing of its kind is hard."""
    photo, _ = seen_from(solid, 0.0, 0.2)
    made = List().reconstruct([View(photo, None)], generator=torch.Generator())
    assert made.provenance.weights == {"source": "monoform/list"}
    inside = made.field.geometry(torch.zeros(1, 3))
    assert float(inside) < 0
    low, high = made.field.bounds
    assert 0.3 < float((high - low)[2] / (high - low)[0]) < 1.5
