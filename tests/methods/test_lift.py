"""`lift`: the geometry around the network, and a network that has learned nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.pictures import disc, mug

from monoform import InputError, Photo, View
from monoform.camera import Camera, look_at
from monoform.mesh import extract, largest
from monoform.methods.lift.config import LiftConfig
from monoform.methods.lift.crop import Crop, around, frame_of
from monoform.methods.lift.infer import Lift, LiftOptions
from monoform.methods.lift.losses import distance_loss, side_loss
from monoform.methods.lift.model import LiftNet
from monoform.metrics import mask_iou
from monoform.nn import Field
from monoform.render import render_mesh
from monoform.training import save_pretrained

TINY = LiftConfig(image_size=32, fine=8, middle=8, code=16, width=24, blocks=1, octaves=2)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    net = LiftNet(TINY)
    return str(save_pretrained(net, TINY, tmp_path_factory.mktemp("lift") / "weights", card="A network of the tests."))


def reconstruct(rgb, mask, weights, **options):
    view = View(Photo.open(rgb, mask=mask))
    return Lift(LiftOptions(weights=weights, **options)).reconstruct([view], generator=torch.Generator())


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.3, 1.2), st.integers(0, 2**31))
@settings(max_examples=25)
def test_the_frame_and_the_world_are_one_similarity(x, y, fov, seed):
    generator = torch.Generator().manual_seed(seed)
    camera = Camera.from_fov(look_at(torch.tensor([[x, y, 2.0]])), fov, 160, 120)
    crop = Crop(torch.tensor([[90.0, 50.0]]), torch.tensor([30.0]))
    frame = frame_of(camera, crop, camera.position.norm(dim=1))
    points = torch.randn(1, 50, 3, generator=generator)
    torch.testing.assert_close(frame.to_world(frame.from_world(points)), points, atol=1e-4, rtol=1e-4)
    # The origin is seen at the crop's centre; half a side away in the frame is half a side away in the picture.
    edge = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    places = crop.places(camera, frame.to_world(edge))[0]
    torch.testing.assert_close(places[0], torch.zeros(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(places[1:].norm(dim=1), torch.ones(2), atol=0.12, rtol=0)
    identity = frame.rotation[0].T @ frame.rotation[0]
    torch.testing.assert_close(identity, torch.eye(3), atol=1e-5, rtol=0)
    assert torch.linalg.det(frame.rotation[0]) > 0


def test_a_crop_shows_the_square_around_the_mask():
    _, mask = disc(160, 120, 30.0, (60.0, 70.0))
    crop = around(torch.from_numpy(mask)[None], margin=1.0)
    torch.testing.assert_close(crop.centre, torch.tensor([[60.0, 70.0]]), atol=1.0, rtol=0)
    assert float(crop.half[0]) == pytest.approx(30, abs=1)
    cut = crop.cut(torch.from_numpy(mask)[None, None], 64)
    rows, columns = np.mgrid[0:64, 0:64]
    true = np.hypot(columns + 0.5 - 32, rows + 0.5 - 32) < 32
    assert mask_iou(cut[0, 0].numpy() > 0.5, true) > 0.97


def test_losses_are_zero_for_the_truth_and_fall_towards_it():
    true = torch.linspace(-0.3, 0.3, 101)[None]
    assert distance_loss(true, true) == 0
    assert side_loss(100 * true, true) < 1e-3
    for loss in (distance_loss, side_loss):
        values = [float(loss(true + shift, true)) for shift in (0.2, 0.1, 0.0)]
        assert values[0] > values[1] > values[2]


@pytest.mark.parametrize("picture", [disc, mug])
def test_without_knowledge_the_solid_still_fills_the_silhouette(picture, weights):
    rgb, mask = picture()
    found = reconstruct(rgb, mask, weights)
    assert isinstance(found.field, Field)
    surface = largest(extract(found.field, resolution=96), n=found.parts)
    seen = render_mesh(surface, found.camera)
    assert mask_iou(seen.mask, mask > 0.5) > 0.95
    assert np.linalg.norm(surface.vertices, axis=1).max() < 0.52


def test_the_filling_reaches_pixels_that_the_network_leaves_bare(weights):
    rgb, mask = mug()
    lift = Lift(LiftOptions(weights=weights))
    # A network that puts nothing anywhere, but on the left half of the crop.
    real = lift.net.forward

    def half_blind(features, crops, points, uv):
        signed, colours = real(features, crops, points, uv)
        return torch.where(uv[..., 0] > 0, signed.abs() + 0.1, signed), colours

    lift.net.forward = half_blind
    try:
        ious = {}
        for fill in (True, False):
            lift.config = LiftOptions(weights=weights, fill=fill)
            found = lift.reconstruct([View(Photo.open(rgb, mask=mask))], generator=torch.Generator())
            ious[fill] = mask_iou(render_mesh(extract(found.field, resolution=96), found.camera).mask, mask > 0.5)
    finally:
        lift.net.forward = real
    assert ious[True] > 0.9 > 0.7 > ious[False]


def test_upright_turns_the_camera_and_not_the_picture(weights):
    rgb, mask = disc(200, 200, 70.0)
    flat = reconstruct(rgb, mask, weights, upright=False)
    turned = reconstruct(rgb, mask, weights)
    assert float(flat.camera.position[0, 1]) == pytest.approx(0, abs=0.05)
    up = flat.camera.world_from_camera[0, :3, :3] @ turned.camera.world_from_camera[0, :3, :3].T
    assert float(torch.linalg.det(up)) == pytest.approx(1, abs=1e-4)
    places = [
        mask_iou(render_mesh(extract(one.field, resolution=64), one.camera).mask, mask > 0.5) for one in (flat, turned)
    ]
    assert min(places) > 0.93


def test_weights_that_cannot_be_used_are_one_sentence(tmp_path, weights):
    with pytest.raises(InputError):
        Lift(LiftOptions(weights=str(tmp_path / "none")))
    (tmp_path / "cut").mkdir()
    for file in ("config.json", "model.safetensors"):
        data = (__import__("pathlib").Path(weights) / file).read_bytes()
        (tmp_path / "cut" / file).write_bytes(data[: len(data) // 2] if file.endswith("safetensors") else data)
    with pytest.raises(InputError) as caught:
        Lift(LiftOptions(weights=str(tmp_path / "cut")))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"fov is 500"):
        Lift(LiftOptions(weights=weights, fov=500.0))
    assert math.isfinite(float(Lift(LiftOptions(weights=weights)).net.leave.bias.sum()))
