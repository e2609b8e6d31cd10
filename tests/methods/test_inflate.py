"""`inflate`: balls from discs, cylinders from strips, and a silhouette that is the mask."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pictures import disc, mug

from monoform import InputError, Photo, View
from monoform.camera import Camera
from monoform.cli.settings import option_rows, parse_overrides
from monoform.mesh import extract, report
from monoform.methods import create, method_names
from monoform.methods.inflate import Inflate, InflateConfig
from monoform.metrics import mask_iou
from monoform.nn import Field
from monoform.render import render_mesh
from monoform.scene.outline import signed_distance, squared_half_thickness


def reconstruct(rgb, mask, config=None, **options):
    photo = Photo.open(rgb, mask=mask, **options)
    return Inflate(config).reconstruct([View(photo)], generator=torch.Generator())


def test_signed_distance_of_a_disc_is_exact_to_a_fraction_of_a_pixel():
    _, mask = disc(radius=40)
    rows, columns = np.mgrid[0:120, 0:160] + 0.5
    true = 40 - np.hypot(columns - 80, rows - 60)
    assert np.abs(signed_distance(mask) - true).max() < 1.0
    assert np.abs(signed_distance(mask) - true).mean() < 0.2


def test_a_disc_becomes_a_ball_and_a_strip_a_cylinder():
    _, mask = disc(radius=40)
    squared = squared_half_thickness(signed_distance(mask), smoothing=1.0)
    assert math.sqrt(squared.max()) == pytest.approx(40, rel=0.02)
    rows, columns = np.mgrid[0:120, 0:160] + 0.5
    away = np.hypot(columns - 80, rows - 60)
    middle = away < 36
    np.testing.assert_allclose(squared[middle], (40**2 - away**2)[middle], rtol=0.1, atol=20)

    strip = np.zeros((101, 400), np.float32)
    strip[30:71, 20:380] = 1
    squared = squared_half_thickness(signed_distance(strip), smoothing=1.0)
    # Half the width of 41 pixels is the radius.
    assert math.sqrt(squared[50, 200]) == pytest.approx(20.5, rel=0.03)


def test_the_outline_of_the_thickness_is_the_mask():
    _, mask = mug()
    squared = squared_half_thickness(signed_distance(mask), smoothing=3.0)
    assert mask_iou(squared > 0, mask > 0.5) > 0.995


@given(
    st.floats(25, 50),
    st.floats(70, 250),
    st.floats(60, 130),
    st.floats(10, 70),
)
@settings(max_examples=8, deadline=None)
def test_the_silhouette_in_the_photos_camera_is_the_mask(radius, x, y, fov):
    rgb, mask = disc(320, 190, radius, (x, y))
    found = reconstruct(rgb, mask, InflateConfig(fov=fov))
    surface = extract(found.field, resolution=96)
    seen = render_mesh(surface, found.camera)
    assert mask_iou(seen.mask, mask > 0.5) > 0.97
    assert np.linalg.norm(surface.vertices, axis=1).max() < 0.505


def test_a_ball_in_the_middle_of_a_long_lens_is_a_ball():
    rgb, mask = disc(200, 200, 80)
    found = reconstruct(rgb, mask, InflateConfig(fov=5.0))
    surface = extract(found.field, resolution=128)
    distance = np.linalg.norm(surface.vertices, axis=1)
    assert distance.std() / distance.mean() < 0.02
    assert report(surface).euler_number == 2


def test_the_field_keeps_the_contract():
    found = reconstruct(*mug())
    assert isinstance(found.field, Field)
    points = torch.rand(500, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    colors = found.field.values(points)
    assert colors.shape == (500, 3) and colors.min() >= 0 and colors.max() <= 1
    behind = points * torch.tensor([1.0, 1.0, 0.0])
    assert (found.field.geometry(behind) < 0).any()
    assert found.field.geometry(torch.tensor([[0.0, 0.0, 50.0]])) > 0


def test_the_field_is_a_signed_distance_to_first_order():
    rgb, mask = disc(200, 200, 80)
    field = reconstruct(rgb, mask, InflateConfig(fov=5.0)).field
    points = torch.randn(2000, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    points = (points / points.norm(dim=1, keepdim=True) * torch.linspace(0.35, 0.6, 2000)[:, None]).float()
    surface = extract(field, resolution=128)
    radius = np.linalg.norm(surface.vertices, axis=1).mean()
    np.testing.assert_allclose(field.geometry(points).numpy(), points.norm(dim=1).numpy() - radius, atol=0.04)


def test_separate_parts_become_separate_solids():
    left, right = disc(radius=25, center=(45, 60)), disc(radius=25, center=(115, 60))
    found = reconstruct(np.minimum(left[0], right[0]), np.maximum(left[1], right[1]))
    assert found.parts == 2
    assert "2 separate parts" in found.photo.notices[0]
    summary = report(found.mesh(faces=3000, resolution=96, texture=64))
    assert summary.components == 2 and summary.watertight


def test_a_handle_leaves_a_hole():
    summary = report(reconstruct(*mug()).mesh(faces=6000, resolution=160, texture=128))
    assert summary.watertight and summary.components == 1
    assert summary.euler_number == 0
    assert abs(summary.faces - 6000) <= 60


def test_the_texture_is_the_photo_in_front_and_mirrored_behind():
    rgb, mask = mug()
    found = reconstruct(rgb, mask)
    mesh = found.mesh(faces=8000, resolution=192, texture=256)
    seen = render_mesh(mesh, found.camera)
    inner = seen.mask & (mask > 0.99)
    assert np.abs(seen.rgb[inner] - rgb[inner]).mean() < 0.02
    turned = found.camera.world_from_camera.clone()
    turned[:, :3, :] *= torch.tensor([-1.0, 1.0, -1.0])[:, None]
    back = render_mesh(mesh, Camera(turned, found.camera.intrinsics, found.camera.width, found.camera.height))
    mirrored = back.rgb[:, ::-1]
    both = back.mask[:, ::-1] & inner
    assert both.sum() > 0.6 * inner.sum()
    assert np.abs(mirrored[both] - rgb[both]).mean() < 0.06


def test_the_known_focal_length_is_used():
    rgb, mask = disc()
    camera = Camera(torch.eye(4)[None], torch.tensor([[[500.0, 0, 80], [0, 500, 60], [0, 0, 1]]]), 160, 120)
    found = Inflate().reconstruct([View(Photo.open(rgb, mask=mask), camera)], generator=torch.Generator())
    torch.testing.assert_close(found.camera.intrinsics, camera.intrinsics)


def test_every_option_changes_something():
    rgb, mask = mug()
    plain = reconstruct(rgb, mask, InflateConfig()).field
    points = torch.rand(4000, 3, generator=torch.Generator().manual_seed(2)) * 0.8 - 0.4
    for change in ({"thickness": 0.5}, {"smoothing": 0.1}, {"fov": 60.0}, {"detail": 64}):
        other = reconstruct(rgb, mask, InflateConfig(**change)).field
        assert (other.geometry(points) - plain.geometry(points)).abs().max() > 1e-4, change
    flat = extract(reconstruct(rgb, mask, InflateConfig(thickness=0.5)).field, resolution=96)
    full = extract(plain, resolution=96)
    assert np.ptp(flat.vertices[:, 2]) == pytest.approx(0.5 * np.ptp(full.vertices[:, 2]), rel=0.1)


def test_options_out_of_range_and_missing_masks_are_told():
    with pytest.raises(InputError, match=r"thickness is 9.0; it must lie in 0.2..3.0"):
        create("inflate", thickness=9)
    with pytest.raises(InputError, match="no option nonsense: it takes thickness"):
        create("inflate", nonsense=1)
    with pytest.raises(InputError, match="There is no method"):
        create("deflate")
    with pytest.raises(
        InputError, match="inerf makes no mesh of a photo: choose one of bootstrap, inflate, lift, list"
    ):
        create("inerf")
    with pytest.raises(InputError, match="needs the object's mask"):
        Inflate().reconstruct([View(Photo.open(disc()[0]))], generator=torch.Generator())
    photo = Photo.open(disc()[0], mask=disc()[1])
    with pytest.raises(InputError, match="one photo, not from 2"):
        Inflate().reconstruct([View(photo), View(photo)], generator=torch.Generator())


def test_options_as_text():
    assert "inflate" in method_names()
    assert parse_overrides("inflate", ["thickness=0.5", "detail=128"]) == {"thickness": 0.5, "detail": 128}
    for words, match in (
        (["fov"], "NAME=VALUE"),
        (["nothing=1"], "NAME of inflate"),
        (["detail=x"], "a whole number"),
        (["thickness=nan"], "--set thickness is nan; it must be a finite number"),
        (["fov=-inf"], "--set fov is -inf; it must be a finite number"),
    ):
        with pytest.raises(InputError, match=match):
            parse_overrides("inflate", words)
    rows = option_rows(InflateConfig)
    assert [row[0] for row in rows] == ["thickness", "smoothing", "fov", "detail"]
    assert all(len(row[2]) > 20 for row in rows)
