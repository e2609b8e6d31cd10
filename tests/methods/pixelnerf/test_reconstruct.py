"""From photos to fields, meshes and cameras; with networks whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.methods.pixelnerf.tiny import CONFIG, SAMPLING, encode, net_of, points_in_view, solid
from tests.pictures import disc, mug

from monoform import InputError, Photo, View
from monoform import reconstruct as reconstruct_job
from monoform.camera import Camera, orbit
from monoform.camera.sphere import fibonacci_sphere
from monoform.methods import create
from monoform.methods.pixelnerf.config import Compat
from monoform.methods.pixelnerf.fast_field import FastField
from monoform.methods.pixelnerf.field import PixelNerfField
from monoform.methods.pixelnerf.infer import PixelNerf, PixelNerfOptions
from monoform.methods.pixelnerf.source_views import source_views
from monoform.metrics import mask_iou
from monoform.nn import Field
from monoform.render import ray_sphere, render_mesh
from monoform.scene.outline import Outline
from monoform.training import save_pretrained


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    net = solid(net_of(CONFIG))
    return str(save_pretrained(net, CONFIG, tmp_path_factory.mktemp("weights") / "solid", card="Of the tests."))


def reconstruct(views, folder, **options):
    method = PixelNerf(PixelNerfOptions(weights=folder, **options))
    return method.reconstruct(views, generator=torch.Generator())


def working_mask(result, camera, photo):
    seen = render_mesh(result.mesh(faces=4000, texture=64, resolution=72), camera.resized(*photo.size))
    return seen.mask


@pytest.mark.parametrize("picture", [disc(160, 120, 30.0, (60.0, 70.0)), mug()], ids=["disc", "mug"])
def test_the_camera_of_one_photo_gives_its_silhouette(picture, folder):
    photo = Photo.open(picture[0], mask=picture[1])
    result = reconstruct([View(photo)], folder)
    assert isinstance(result.field, Field) and result.capabilities == {"geometry", "color", "camera"}
    assert (result.camera.width, result.camera.height) == (photo.width, photo.height)
    assert mask_iou(working_mask(result, result.camera, photo), photo.mask > 0.5) > 0.96
    assert float(result.camera.position.norm()) == pytest.approx(CONFIG.domain.distance)
    assert result.provenance.method == "pixelnerf"


def ball_views(count: int, radius: float = 0.3, size: int = 96):
    cameras = orbit(count, elevation=0.4, distance=1.3, fov_y=0.9, width=size, height=size)
    views = []
    for camera in cameras:
        origins, directions = (values[0] for values in camera.rays())
        hit = ray_sphere(origins, directions, radius)[2].reshape(size, size).numpy().astype(np.float32)
        rgb = np.stack((hit, 0.5 * hit, 0.2 * hit), axis=-1)
        views.append(View(Photo.open(rgb, mask=hit), camera))
    return views


def test_several_photos_with_cameras_agree_on_one_solid(folder):
    views = ball_views(3)
    result = reconstruct(views, folder)
    for view, placed in zip(views, result.views, strict=True):
        assert torch.equal(placed.camera.world_from_camera, view.camera.world_from_camera)
        assert mask_iou(working_mask(result, view.camera, view.photo), view.photo.mask > 0.5) > 0.93


def test_source_views_show_what_their_cameras_say():
    views = ball_views(2)
    smaller = replace(CONFIG, domain=replace(CONFIG.domain, world_radius=1.0))
    source = source_views(views, smaller, margin=1.3, elevation=0.0)
    assert source.images.shape == (1, 2, 32, 32, 3) and source.scale == 0.5
    for number in range(2):
        # The network's world is ours, twice as large: the ball of radius 0.3 has radius 0.6 in it.
        origins, directions = (values[0] for values in source.cameras[number].rays())
        hit = ray_sphere(origins, directions, 0.6)[2].reshape(32, 32).numpy()
        shown = (source.images[0, number, :, :, 2] < 0.6).numpy()  # blue is 1 around the ball and 0.2 on it
        assert mask_iou(shown, hit) > 0.95
        focal = float(source.cameras.intrinsics[number, 0, 0])
        assert focal == pytest.approx(CONFIG.domain.focal * 32, rel=0.02)
    assert float(source.images.max()) == 1.0  # white around the object
    black = source_views(views, replace(smaller, sampling=replace(SAMPLING, white=False)), margin=1.3, elevation=0.0)
    assert float(black.images[0, 0, 0, 0].max()) == 0.0


def test_one_photo_is_cut_as_the_network_was_trained():
    photo = Photo.open(*disc(160, 120, 30.0, (60.0, 70.0))[:1], mask=disc(160, 120, 30.0, (60.0, 70.0))[1])
    for shifted in (True, False):
        config = replace(CONFIG, compat=Compat(shifted_center=shifted))
        source = source_views([View(photo)], config, margin=1.5, elevation=0.3)
        focal, center = source.cameras.intrinsics[0, 0, 0], source.cameras.intrinsics[0, :2, 2]
        assert float(focal) == pytest.approx(config.domain.focal * 32, rel=1e-4)
        # Published images have their principal point at half their size, with pixel centres at whole numbers.
        torch.testing.assert_close(center, torch.full((2,), 16.5 if shifted else 16.0), atol=1e-3, rtol=0)
        rows = (source.images[0, 0] < 0.6).any(dim=-1).any(dim=1).nonzero()[:, 0]
        assert int(rows[-1] - rows[0] + 1) == pytest.approx(32 / 1.5, abs=2)
        assert float(source.photo_cameras[0].position[0, 1]) == pytest.approx(1.3 * np.sin(0.3), abs=1e-5)


def test_options_change_the_result(folder):
    rgb, mask = disc(96, 96, 30.0)
    view = View(Photo.open(rgb, mask=mask))
    points = points_in_view(300)[0][0]
    plain = reconstruct([view], folder).field.geometry(points)
    changes = {"margin": 2.0, "elevation": 30.0, "carve": False}
    for name, value in changes.items():
        assert not torch.allclose(plain, reconstruct([view], folder, **{name: value}).field.geometry(points)), name
    colors = [reconstruct([view], folder, precision=name).field.values(points) for name in ("float32", "bfloat16")]
    assert 0 < float((colors[0] - colors[1]).abs().max()) < 0.1


def test_the_whole_job_runs(folder):
    rgb, mask = disc(96, 96, 30.0)
    result = reconstruct_job(rgb, mask=mask, method="pixelnerf", weights=folder)
    mesh = result.mesh(faces=1000, texture=64, resolution=40)
    assert mesh.texture is not None and 900 < len(mesh.faces) <= 1010
    assert result.provenance.to_dict()["method"] == "pixelnerf"


def test_density_is_seen_from_the_source_camera_or_averaged():
    net = net_of()
    encoded = encode(net)
    field, points = FastField(net, encoded), points_in_view(50)[0][0]
    seen = PixelNerfField(field, scale=0.5)
    position = 0.5 * -(encoded.camera_from_world[0, :3, :3].T @ encoded.camera_from_world[0, :3, 3])
    along = torch.nn.functional.normalize(points - position, dim=-1)
    expected = field.query(2 * points, along, fine=True)
    # Twice as dense per unit in a world of half the size.
    torch.testing.assert_close(seen.geometry(points), 2 * expected.geometry, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(seen.values(points), expected.values)
    mean = torch.stack(
        [field.query(2 * points, one.expand_as(points), fine=True).geometry for one in fibonacci_sphere(8).float()]
    ).mean(0)
    averaged = PixelNerfField(field, scale=0.5, looking="average")
    torch.testing.assert_close(averaged.geometry(points), 2 * mean, atol=1e-4, rtol=1e-4)
    looking = seen.representative_direction
    torch.testing.assert_close(looking, torch.nn.functional.normalize(-position, dim=0), atol=1e-4, rtol=0)


def test_an_outline_is_a_distance_in_pixels():
    _, mask = disc(80, 60, 20.0)
    camera = Camera.orthographic(torch.eye(4)[None], 60.0, 80, 60)  # one unit, one pixel
    outline = Outline.of(mask, camera)
    points = torch.tensor([[0.0, 0, 1], [10, 0, 1], [20, 0, 1], [30, 0, 1], [0, 70, 1]])
    found = outline.pixels(points)
    torch.testing.assert_close(found[:4], torch.tensor([20.0, 10, 0, -10]), atol=1.0, rtol=0)
    assert float(found[4]) < -40 and float(outline.pixels(torch.tensor([[0.0, 0, -1]]))[0]) < -100


def test_what_cannot_be_used_is_refused(folder):
    rgb, mask = disc(96, 96, 30.0)
    for name, value in {"margin": 0.5, "elevation": 90.0, "looking": "nowhere", "precision": "float8"}.items():
        options = PixelNerfOptions(weights=folder)
        object.__setattr__(options, name, value)  # the tests' own check of types would refuse other words before
        with pytest.raises(InputError, match=name):
            options.__post_init__()
    with pytest.raises(InputError, match="no weights at"):
        create("pixelnerf", weights="/nowhere/at/all")
    method = create("pixelnerf", weights=folder)
    views = ball_views(2)
    for given, words in (
        ([], "at least one photo"),
        ([View(Photo.open(rgb))], "needs the object's mask"),
        ([views[0], View(Photo.open(rgb, mask=mask))], "number 2 has no camera"),
    ):
        with pytest.raises(InputError, match=words):
            method.reconstruct(given, generator=torch.Generator())


def test_a_focal_length_alone_is_not_used_and_this_is_said(folder):
    rgb, mask = disc(96, 96, 30.0)
    views = [View(Photo.open(rgb, mask=mask))]
    intrinsics = torch.tensor([[[300.0, 0, 48], [0, 300.0, 48], [0, 0, 1]]])
    told = [View(views[0].photo, Camera(torch.eye(4)[None], intrinsics, 96, 96))]
    without, given = reconstruct(views, folder), reconstruct(told, folder)
    assert torch.equal(without.camera.intrinsics, given.camera.intrinsics)
    assert not any("focal length" in notice for notice in without.photo.notices)
    assert any("focal length is not used" in notice for notice in given.photo.notices)


def test_thin_fields_have_their_surface_at_half_of_what_rays_meet(tmp_path, folder):
    rgb, mask = disc(96, 96, 30.0)
    views = [View(Photo.open(rgb, mask=mask))]
    thin = str(save_pretrained(solid(net_of(CONFIG), 4.0), CONFIG, tmp_path / "thin", card="Of the tests."))
    assert reconstruct(views, folder).level == 10.0
    result = reconstruct(views, thin)
    assert result.level == pytest.approx(2.0 / result.field.scale)
    assert mask_iou(working_mask(result, result.camera, result.photo), views[0].photo.mask > 0.5) > 0.96
    with pytest.raises(InputError, match="no surface at level 10"):
        reconstruct(views, thin, level=10.0).mesh()


def test_weights_that_ship_have_names():
    plain, cars = create("pixelnerf"), create("pixelnerf", weights="cars")
    assert plain.net.config == cars.net.config
    assert not torch.equal(plain.net.mlp_fine.lin_out.weight, cars.net.mlp_fine.lin_out.weight)
    rgb, mask = disc(96, 96, 30.0)
    found = cars.reconstruct([View(Photo.open(rgb, mask=mask))], generator=torch.Generator())
    assert found.provenance.weights == {"source": "monoform/pixelnerf_cars"}


def test_a_reconstruction_draws_itself_from_any_distance_and_its_pictures_are_its_rays(folder):
    rgb, mask = disc(96, 96, 30.0)
    result = reconstruct([View(Photo.open(rgb, mask=mask))], folder)
    near = result.camera.resized(24, 24)
    seen = result.render(near)
    assert mask_iou(seen.mask, result.photo.mask.reshape(24, 4, 24, 4).mean((1, 3)) > 0.5) > 0.9
    with torch.no_grad():
        rays = result.renderer(*(each[0] for each in near.rays()))
    assert np.abs(rays.rgb.reshape(24, 24, 3).clamp(0, 1).numpy() - seen.rgb).max() < 0.02
    assert np.abs(rays.alpha.reshape(24, 24).numpy() - seen.alpha).max() < 0.02
    # Twice as far away its picture has a quarter of the pixels, of the same object.
    pose = near.world_from_camera.clone()
    pose[:, :3, 3] *= 2.0
    far = result.render(replace(near, world_from_camera=pose))
    assert far.mask.sum() == pytest.approx(seen.mask.sum() / 4, rel=0.25)
    assert far.depth[far.mask].mean() == pytest.approx(2 * float(near.position.norm()), abs=0.4)
    assert set(np.unique(result.render(near, what="mesh").alpha)) == {0.0, 1.0}


def test_its_rays_have_slopes_for_poses_even_when_the_job_made_it(folder):
    rgb, mask = disc(96, 96, 30.0)
    result = reconstruct_job(rgb, mask=mask, method="pixelnerf", weights=folder)
    origins, directions = (each[0].clone().requires_grad_() for each in result.camera.resized(8, 8).rays())
    seen = result.ray_renderer()(origins, directions)
    seen.rgb.sum().backward()
    assert torch.isfinite(origins.grad).all() and float(directions.grad.abs().max()) > 0


def test_known_cameras_are_not_the_methods(folder):
    assert reconstruct(ball_views(2), folder).capabilities == {"geometry", "color"}
