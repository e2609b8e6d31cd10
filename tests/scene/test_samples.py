"""Reconstructions without a photo, without color, and such that draw themselves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tests.pictures import disc

from monoform.app.report import write_report
from monoform.camera import Camera, orbit
from monoform.errors import InputError
from monoform.jobs.films import TurntableOptions, film_folder
from monoform.jobs.hypotheses import write_hypotheses
from monoform.jobs.pictures import overlay, own_turntable
from monoform.jobs.pose_scenes import open_scene, scene_of
from monoform.nn.analytic import Fog, Sphere
from monoform.nn.field import Field
from monoform.render.ray_renderer import FieldRenderer, RayColors
from monoform.render.sampling import RaySampling
from monoform.scene import Photo, Provenance, Reconstruction, View, load
from monoform.scene.result_files import read_summary

RED = (0.8, 0.2, 0.1)
FOG = Fog(radius=0.4, density=5.0, rgb=RED)
QUICK = {"faces": 400, "texture": 64, "resolution": 32}
CAMERA = orbit(1, elevation=0.3, distance=2.0, fov_y=0.6, width=31, height=25)


def ball(**more) -> Reconstruction:
    found = Reconstruction(Sphere(radius=0.4, rgb=RED), (), Provenance("generator", seed=3), **more)
    return Reconstruction(found.field, (), found.provenance, surface=found.mesh(**QUICK), **more)


@dataclass(frozen=True)
class Shape(Field):
    """A ball that has no color at all."""

    kind = "sdf"
    representative_direction = None
    bounds = torch.tensor([[-0.5] * 3, [0.5] * 3])

    def geometry(self, points):
        return points.norm(dim=-1) - 0.4

    def values(self, points, directions=None):
        raise AssertionError("a shape without color was asked for it")


def photo_view(camera: Camera | None) -> View:
    rgb, mask = disc(60, 60, 22.0)
    return View(Photo.open(rgb, mask=mask), camera)


def test_a_sample_is_saved_loaded_shown_and_filmed(tmp_path):
    sample = ball()
    assert sample.capabilities == {"geometry", "color"}
    assert not sample.has_camera and not sample.has_photo and not sample.can_be_overlaid
    folder = sample.save(tmp_path / "sample").folder
    summary = read_summary(folder)
    assert summary["files"] == ["mesh.glb", "result.json"] and summary["photo"] is None
    assert summary["capabilities"] == ["color", "geometry"] and summary["method"] == "generator"
    sample.save(folder)  # ours, and so replaced

    back = load(folder)
    assert back.views == () and back.capabilities == sample.capabilities and back.provenance.seed == 3
    seen = back.render(CAMERA)
    inside = seen.rgb[seen.mask]
    assert len(inside) > 50 and np.abs(inside - RED).max() < 0.03

    page = write_report(folder).read_text()
    assert "Sample of generator" in page and "<img" not in page and "Mask and alignment" not in page

    film = film_folder(folder, tmp_path / "film.gif", TurntableOptions(frames=3, size=16))
    assert film.read_bytes()[:3] == b"GIF"


def test_what_needs_a_photo_says_so():
    sample = ball()
    with pytest.raises(InputError, match="without a photo"):
        _ = sample.photo
    with pytest.raises(InputError, match="no camera"):
        _ = sample.camera
    with pytest.raises(InputError, match="overlay needs a photo"):
        overlay(sample, sample.mesh())


def test_hypotheses_need_no_camera(tmp_path):
    both = Reconstruction(Sphere(rgb=RED), surface=ball().mesh(), alternatives=(ball(),))
    entries = write_hypotheses(both, both.mesh(), tmp_path, **QUICK)
    assert [entry["file"] for entry in entries] == ["mesh.glb", "hypothesis_2.glb"]
    assert (tmp_path / "hypothesis_2.glb").is_file() and (tmp_path / "hypotheses.jpg").is_file()


def test_capabilities_are_told_and_checked():
    view = photo_view(CAMERA.resized(60, 60))
    assert Reconstruction(FOG, (view,)).capabilities == {"geometry", "color", "camera"}
    assert Reconstruction(FOG, (photo_view(None),)).capabilities == {"geometry", "color"}
    given = Reconstruction(FOG, (view,), capabilities=frozenset({"geometry"}))
    assert given.capabilities == {"geometry"} and given.has_camera
    with pytest.raises(InputError, match="'smell' is no capability"):
        Reconstruction(FOG, capabilities=frozenset({"smell"}))
    with pytest.raises(InputError, match="without a camera"):
        Reconstruction(FOG, capabilities=frozenset({"geometry", "camera"}))


def test_a_shape_without_color_takes_the_photos_or_none(tmp_path):
    geometry = frozenset({"geometry"})
    bare = Reconstruction(Shape(), capabilities=geometry).mesh(**QUICK)
    assert bare.texture is None and bare.uv is None
    Reconstruction(Shape(), surface=bare, capabilities=geometry).save(tmp_path / "bare")
    assert load(tmp_path / "bare").capabilities == geometry
    write_report(tmp_path / "bare")

    camera = orbit(1, elevation=0.0, distance=2.0, fov_y=2 * math.asin(0.4 / 2.0) * 30 / 22, width=60, height=60)
    view = photo_view(camera)
    painted = Reconstruction(Shape(), (view,), capabilities=geometry)
    seen = Reconstruction(Shape(), (view,), surface=painted.mesh(**QUICK)).render(camera)
    mask = view.photo.mask > 0.5
    assert np.abs(seen.rgb - view.photo.rgb)[mask & seen.mask].mean() < 0.05


def test_a_photo_without_a_camera_is_kept_and_nothing_is_laid_over_it(tmp_path):
    known = Reconstruction(Sphere(rgb=RED), (photo_view(None),), surface=ball().mesh())
    folder = known.save(tmp_path / "photo").folder
    assert read_summary(folder)["files"] == ["mask.png", "mesh.glb", "photo.jpg", "result.json"]
    assert load(folder).photo.size == (60, 60) and not load(folder).has_camera
    write_report(folder)


def test_a_radiance_field_draws_itself_as_beer_and_lambert_say():
    fog = Reconstruction(FOG)
    assert fog.draws_itself
    seen = fog.render(CAMERA)
    origins, directions = (rays[0] for rays in CAMERA.rays())
    closest = torch.linalg.cross(origins, directions).norm(dim=-1)
    chord = 2 * (0.4**2 - closest**2).clamp_min(0).sqrt()
    alpha = (1 - torch.exp(-5.0 * chord)).reshape(25, 31).numpy()
    assert np.abs(seen.alpha - alpha).max() < 0.08 and np.abs(seen.alpha - alpha).mean() < 0.01
    expected = alpha[..., None] * np.array(RED) + (1 - alpha[..., None])
    assert np.abs(seen.rgb - expected).mean() < 0.01
    assert np.isfinite(seen.depth[seen.mask]).all() and np.isinf(seen.depth[0, 0])
    assert 1.6 < seen.depth[12, 15] < 2.0
    black = fog.render(CAMERA, background=(0.0, 0.0, 0.0)).rgb
    assert np.abs(black - alpha[..., None] * np.array(RED)).mean() < 0.01
    frames = list(own_turntable(fog, frames=2, size=8))
    assert len(frames) == 2 and frames[0].shape == (8, 8, 3)


def test_mesh_or_field_on_demand():
    # A shell: opaque as a mesh, half clear as a field.
    found = Reconstruction(Fog(density=12.0, rgb=RED), level=6.0)
    mesh = found.mesh(**QUICK)
    own = found.render(CAMERA)
    both = Reconstruction(found.field, surface=mesh, renderer=FieldRenderer(found.field))
    assert np.array_equal(both.render(CAMERA).rgb, own.rgb)
    solid = both.render(CAMERA, what="mesh")
    assert set(np.unique(solid.alpha)) == {0.0, 1.0} and ((own.alpha > 0.01) & (own.alpha < 0.99)).any()
    assert np.array_equal(both.render(CAMERA, shading="silhouette").mask, solid.mask)
    with pytest.raises(InputError, match="one of meshes"):
        both.render(CAMERA, what="field", shading="lit")
    with pytest.raises(InputError, match="no radiance field"):
        ball().render(CAMERA, what="field")
    with pytest.raises(InputError, match="one camera"):
        both.render(orbit(2, elevation=0.0, distance=2.0, fov_y=0.6, width=4, height=4))


def test_a_methods_own_pictures_come_before_its_rays():
    def image(camera: Camera) -> RayColors:
        count = camera.width * camera.height
        return RayColors(torch.full((count, 3), 0.25), torch.ones(count), torch.full((count,), 1.5))

    own = Reconstruction(Sphere(rgb=RED), surface=ball().mesh(), image=image)
    seen = own.render(CAMERA)
    assert seen.mask.all() and np.allclose(seen.rgb, 0.25)
    forward = CAMERA.world_from_camera[0, :3, 2]
    depth = 1.5 * (CAMERA.rays()[1][0] @ forward).reshape(25, 31).numpy()
    assert np.allclose(seen.depth, depth, atol=1e-5)
    assert not own.render(CAMERA, what="mesh").mask.all()
    small = Reconstruction(Sphere(rgb=RED), image=lambda camera: image(camera.resized(2, 2)))
    with pytest.raises(InputError, match="row by row"):
        small.render(CAMERA)


def test_a_background_that_is_not_plain_cannot_be_changed():
    class Sky(FieldRenderer):
        background = None

    scene = Reconstruction(FOG, renderer=Sky(FOG, RaySampling(coarse=8, fine=8)))
    assert scene.render(CAMERA).rgb.shape == (25, 31, 3)
    with pytest.raises(InputError, match="no other background"):
        scene.render(CAMERA, background=(0.0, 0.0, 0.0))


def test_any_reconstruction_is_a_scene_to_find_poses_in(tmp_path):
    ball().save(tmp_path / "ball")
    by_mesh = open_scene(tmp_path / "ball")
    assert by_mesh.bare and by_mesh.start is None and by_mesh.scene_bounds.radius == pytest.approx(0.4, abs=0.02)
    shifted = Sphere(radius=0.2, center=(0.1, 0.0, -0.2), rgb=RED)
    elsewhere = Reconstruction(shifted, surface=Reconstruction(shifted).mesh(**QUICK))
    assert scene_of(elsewhere).scene_bounds.center == pytest.approx((0.1, 0.0, -0.2), abs=0.02)
    black = FieldRenderer(FOG, RaySampling(background=(0.0, 0.0, 0.0)))
    field = scene_of(Reconstruction(FOG, renderer=black), kind="fog")
    assert field.kind == "fog" and field.renderer is black and field.scene_bounds.background == (0.0, 0.0, 0.0)
    origins = torch.tensor([[0.0, 0.0, 2.0]], requires_grad=True)
    for scene in (by_mesh, field):
        seen = scene.renderer(origins, torch.tensor([[0.0, 0.0, -1.0]]))
        assert seen.rgb.shape == (1, 3) and float(seen.alpha[0]) > 0.9
    view = photo_view(CAMERA.resized(60, 60))
    start = scene_of(Reconstruction(FOG, (view,))).start
    assert start is not None and start(view.photo).width == 60
